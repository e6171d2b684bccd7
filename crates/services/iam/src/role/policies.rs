//! Inline and attached policies of roles: thin over what users and roles have in common (`holder`).

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    AttachRolePolicyRequest, DeleteRolePolicyRequest, DetachRolePolicyRequest, GetRolePolicyRequest,
    GetRolePolicyResponse, ListAttachedRolePoliciesRequest, ListAttachedRolePoliciesResponse, ListRolePoliciesRequest,
    ListRolePoliciesResponse, PutRolePolicyRequest,
};
use stoa_schema::Empty;

use crate::Iam;
use crate::documents::encoded;
use crate::paging::Paging;
use crate::state::RoleRecord;

impl Handles<op::PutRolePolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<PutRolePolicyRequest>) -> Result<Empty, ApiError> {
        let (name, policy) = (&input.role_name, &input.policy_name);
        self.put_inline::<RoleRecord>(self.account(cx), name, policy, &input.policy_document).await?;
        Ok(Empty {})
    }
}

impl Handles<op::GetRolePolicy> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetRolePolicyRequest>,
    ) -> Result<GetRolePolicyResponse, ApiError> {
        let text = self.inline::<RoleRecord>(self.account(cx), &input.role_name, &input.policy_name).await?;
        let input = input.into_inner();
        Ok(GetRolePolicyResponse {
            role_name: input.role_name,
            policy_name: input.policy_name,
            policy_document: encoded(&text),
        })
    }
}

impl Handles<op::ListRolePolicies> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListRolePoliciesRequest>,
    ) -> Result<ListRolePoliciesResponse, ApiError> {
        let paging = Paging {
            scope: format!("ListRolePolicies/{}", input.role_name),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.inline_names::<RoleRecord>(cx, &input.role_name, &paging).await?;
        Ok(ListRolePoliciesResponse { is_truncated: page.truncated(), policy_names: page.items, marker: page.marker })
    }
}

impl Handles<op::DeleteRolePolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteRolePolicyRequest>) -> Result<Empty, ApiError> {
        self.delete_inline::<RoleRecord>(self.account(cx), &input.role_name, &input.policy_name).await?;
        Ok(Empty {})
    }
}

impl Handles<op::AttachRolePolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<AttachRolePolicyRequest>) -> Result<Empty, ApiError> {
        self.attach::<RoleRecord>(self.account(cx), &input.role_name, &input.policy_arn).await?;
        Ok(Empty {})
    }
}

impl Handles<op::DetachRolePolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DetachRolePolicyRequest>) -> Result<Empty, ApiError> {
        self.detach::<RoleRecord>(self.account(cx), &input.role_name, &input.policy_arn).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListAttachedRolePolicies> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListAttachedRolePoliciesRequest>,
    ) -> Result<ListAttachedRolePoliciesResponse, ApiError> {
        let prefix = input.path_prefix.as_deref();
        let paging = Paging {
            scope: format!("ListAttachedRolePolicies/{}/{}", input.role_name, prefix.unwrap_or_default()),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.attached::<RoleRecord>(cx, &input.role_name, prefix, &paging).await?;
        Ok(ListAttachedRolePoliciesResponse {
            is_truncated: page.truncated(),
            attached_policies: Some(page.items),
            marker: page.marker,
        })
    }
}
