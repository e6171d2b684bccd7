//! Tags of roles.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{ListRoleTagsRequest, ListRoleTagsResponse, TagRoleRequest, UntagRoleRequest};
use stoa_schema::Empty;

use crate::Iam;
use crate::documents::{add_tags, remove_tags};
use crate::paging::Paging;
use crate::state::{RoleRecord, Tags};

impl Handles<op::TagRole> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<TagRoleRequest>) -> Result<Empty, ApiError> {
        let input = input.into_inner();
        let add = |tags: &mut Tags| add_tags(tags, input.tags.clone());
        self.modify_tags::<RoleRecord>(self.account(cx), &input.role_name, add).await?;
        Ok(Empty {})
    }
}

impl Handles<op::UntagRole> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<UntagRoleRequest>) -> Result<Empty, ApiError> {
        let remove = |tags: &mut Tags| {
            remove_tags(tags, &input.tag_keys);
            Ok(())
        };
        self.modify_tags::<RoleRecord>(self.account(cx), &input.role_name, remove).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListRoleTags> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<ListRoleTagsRequest>) -> Result<ListRoleTagsResponse, ApiError> {
        let role = self.holder::<RoleRecord>(self.account(cx), &input.role_name).await?.record;
        let paging = Paging {
            scope: format!("ListRoleTags/{}", input.role_name),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.page_of_tags(cx, &paging, &role.tags)?;
        Ok(ListRoleTagsResponse { is_truncated: page.truncated(), tags: page.items, marker: page.marker })
    }
}
