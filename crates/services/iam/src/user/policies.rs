//! Inline and attached policies of users: thin over what users and roles have in common (`holder`).

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    AttachUserPolicyRequest, DeleteUserPolicyRequest, DetachUserPolicyRequest, GetUserPolicyRequest,
    GetUserPolicyResponse, ListAttachedUserPoliciesRequest, ListAttachedUserPoliciesResponse, ListUserPoliciesRequest,
    ListUserPoliciesResponse, PutUserPolicyRequest,
};
use stoa_schema::Empty;

use crate::Iam;
use crate::documents::encoded;
use crate::paging::Paging;
use crate::state::UserRecord;

impl Handles<op::PutUserPolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<PutUserPolicyRequest>) -> Result<Empty, ApiError> {
        let (name, policy) = (&input.user_name, &input.policy_name);
        self.put_inline::<UserRecord>(self.account(cx), name, policy, &input.policy_document).await?;
        Ok(Empty {})
    }
}

impl Handles<op::GetUserPolicy> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetUserPolicyRequest>,
    ) -> Result<GetUserPolicyResponse, ApiError> {
        let text = self.inline::<UserRecord>(self.account(cx), &input.user_name, &input.policy_name).await?;
        let input = input.into_inner();
        Ok(GetUserPolicyResponse {
            user_name: input.user_name,
            policy_name: input.policy_name,
            policy_document: encoded(&text),
        })
    }
}

impl Handles<op::ListUserPolicies> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListUserPoliciesRequest>,
    ) -> Result<ListUserPoliciesResponse, ApiError> {
        let paging = Paging {
            scope: format!("ListUserPolicies/{}", input.user_name),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.inline_names::<UserRecord>(cx, &input.user_name, &paging).await?;
        Ok(ListUserPoliciesResponse { is_truncated: page.truncated(), policy_names: page.items, marker: page.marker })
    }
}

impl Handles<op::DeleteUserPolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteUserPolicyRequest>) -> Result<Empty, ApiError> {
        self.delete_inline::<UserRecord>(self.account(cx), &input.user_name, &input.policy_name).await?;
        Ok(Empty {})
    }
}

impl Handles<op::AttachUserPolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<AttachUserPolicyRequest>) -> Result<Empty, ApiError> {
        self.attach::<UserRecord>(self.account(cx), &input.user_name, &input.policy_arn).await?;
        Ok(Empty {})
    }
}

impl Handles<op::DetachUserPolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DetachUserPolicyRequest>) -> Result<Empty, ApiError> {
        self.detach::<UserRecord>(self.account(cx), &input.user_name, &input.policy_arn).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListAttachedUserPolicies> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListAttachedUserPoliciesRequest>,
    ) -> Result<ListAttachedUserPoliciesResponse, ApiError> {
        let prefix = input.path_prefix.as_deref();
        let paging = Paging {
            scope: format!("ListAttachedUserPolicies/{}/{}", input.user_name, prefix.unwrap_or_default()),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.attached::<UserRecord>(cx, &input.user_name, prefix, &paging).await?;
        Ok(ListAttachedUserPoliciesResponse {
            is_truncated: page.truncated(),
            attached_policies: Some(page.items),
            marker: page.marker,
        })
    }
}
