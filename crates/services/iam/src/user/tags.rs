//! Tags and permissions boundaries of users.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    DeleteUserPermissionsBoundaryRequest, ListUserTagsRequest, ListUserTagsResponse, PutUserPermissionsBoundaryRequest,
    TagUserRequest, UntagUserRequest,
};
use stoa_schema::Empty;

use crate::Iam;
use crate::documents::{add_tags, remove_tags};
use crate::paging::Paging;
use crate::state::{Tags, UserRecord};

impl Handles<op::TagUser> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<TagUserRequest>) -> Result<Empty, ApiError> {
        let input = input.into_inner();
        let add = |tags: &mut Tags| add_tags(tags, input.tags.clone());
        self.modify_tags::<UserRecord>(self.account(cx), &input.user_name, add).await?;
        Ok(Empty {})
    }
}

impl Handles<op::UntagUser> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<UntagUserRequest>) -> Result<Empty, ApiError> {
        let remove = |tags: &mut Tags| {
            remove_tags(tags, &input.tag_keys);
            Ok(())
        };
        self.modify_tags::<UserRecord>(self.account(cx), &input.user_name, remove).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListUserTags> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<ListUserTagsRequest>) -> Result<ListUserTagsResponse, ApiError> {
        let user = self.holder::<UserRecord>(self.account(cx), &input.user_name).await?.record;
        let paging = Paging {
            scope: format!("ListUserTags/{}", user.id),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.page_of_tags(cx, &paging, &user.tags)?;
        Ok(ListUserTagsResponse { is_truncated: page.truncated(), tags: page.items, marker: page.marker })
    }
}

impl Handles<op::PutUserPermissionsBoundary> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<PutUserPermissionsBoundaryRequest>) -> Result<Empty, ApiError> {
        let boundary = Some(input.permissions_boundary.as_str());
        self.set_boundary::<UserRecord>(self.account(cx), &input.user_name, boundary).await?;
        Ok(Empty {})
    }
}

impl Handles<op::DeleteUserPermissionsBoundary> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DeleteUserPermissionsBoundaryRequest>,
    ) -> Result<Empty, ApiError> {
        self.set_boundary::<UserRecord>(self.account(cx), &input.user_name, None).await?;
        Ok(Empty {})
    }
}
