//! Tags of customer managed policies.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{ListPolicyTagsRequest, ListPolicyTagsResponse, TagPolicyRequest, UntagPolicyRequest};
use stoa_schema::Empty;

use crate::Iam;
use crate::documents::{add_tags, remove_tags};
use crate::paging::Paging;
use crate::state::{PolicyRecord, Tags};

impl Handles<op::TagPolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<TagPolicyRequest>) -> Result<Empty, ApiError> {
        let account = self.account(cx);
        let name = self.own_policy(account, &input.policy_arn).await?.record.name;
        let add = |tags: &mut Tags| add_tags(tags, input.tags.clone());
        self.modify_tags::<PolicyRecord>(account, &name, add).await?;
        Ok(Empty {})
    }
}

impl Handles<op::UntagPolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<UntagPolicyRequest>) -> Result<Empty, ApiError> {
        let account = self.account(cx);
        let name = self.own_policy(account, &input.policy_arn).await?.record.name;
        let remove = |tags: &mut Tags| {
            remove_tags(tags, &input.tag_keys);
            Ok(())
        };
        self.modify_tags::<PolicyRecord>(account, &name, remove).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListPolicyTags> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListPolicyTagsRequest>,
    ) -> Result<ListPolicyTagsResponse, ApiError> {
        let tags = match crate::managed::find(&input.policy_arn) {
            Some(_) => Tags::new(),
            None => self.own_policy(self.account(cx), &input.policy_arn).await?.record.tags,
        };
        let paging = Paging {
            scope: format!("ListPolicyTags/{}", input.policy_arn),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.page_of_tags(cx, &paging, &tags)?;
        Ok(ListPolicyTagsResponse { is_truncated: page.truncated(), tags: page.items, marker: page.marker })
    }
}
