//! Tags of instance profiles.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    ListInstanceProfileTagsRequest, ListInstanceProfileTagsResponse, TagInstanceProfileRequest,
    UntagInstanceProfileRequest,
};
use stoa_schema::Empty;

use crate::Iam;
use crate::documents::{add_tags, remove_tags};
use crate::paging::Paging;
use crate::state::{InstanceProfileRecord, Tags};

impl Handles<op::TagInstanceProfile> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<TagInstanceProfileRequest>) -> Result<Empty, ApiError> {
        let add = |tags: &mut Tags| add_tags(tags, input.tags.clone());
        self.modify_tags::<InstanceProfileRecord>(self.account(cx), &input.instance_profile_name, add).await?;
        Ok(Empty {})
    }
}

impl Handles<op::UntagInstanceProfile> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<UntagInstanceProfileRequest>) -> Result<Empty, ApiError> {
        let remove = |tags: &mut Tags| {
            remove_tags(tags, &input.tag_keys);
            Ok(())
        };
        self.modify_tags::<InstanceProfileRecord>(self.account(cx), &input.instance_profile_name, remove).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListInstanceProfileTags> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListInstanceProfileTagsRequest>,
    ) -> Result<ListInstanceProfileTagsResponse, ApiError> {
        let account = self.account(cx);
        let profile = self.holder::<InstanceProfileRecord>(account, &input.instance_profile_name).await?.record;
        let paging = Paging {
            scope: format!("ListInstanceProfileTags/{}", profile.id),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.page_of_tags(cx, &paging, &profile.tags)?;
        Ok(ListInstanceProfileTagsResponse { is_truncated: page.truncated(), tags: page.items, marker: page.marker })
    }
}
