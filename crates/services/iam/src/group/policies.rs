//! Inline and attached policies of groups: thin over what users, groups and roles have in common (`holder`).

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    AttachGroupPolicyRequest, DeleteGroupPolicyRequest, DetachGroupPolicyRequest, GetGroupPolicyRequest,
    GetGroupPolicyResponse, ListAttachedGroupPoliciesRequest, ListAttachedGroupPoliciesResponse,
    ListGroupPoliciesRequest, ListGroupPoliciesResponse, PutGroupPolicyRequest,
};
use stoa_schema::Empty;

use crate::Iam;
use crate::documents::encoded;
use crate::paging::Paging;
use crate::state::GroupRecord;

impl Handles<op::PutGroupPolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<PutGroupPolicyRequest>) -> Result<Empty, ApiError> {
        let (name, policy) = (&input.group_name, &input.policy_name);
        self.put_inline::<GroupRecord>(self.account(cx), name, policy, &input.policy_document).await?;
        Ok(Empty {})
    }
}

impl Handles<op::GetGroupPolicy> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetGroupPolicyRequest>,
    ) -> Result<GetGroupPolicyResponse, ApiError> {
        let text = self.inline::<GroupRecord>(self.account(cx), &input.group_name, &input.policy_name).await?;
        let input = input.into_inner();
        Ok(GetGroupPolicyResponse {
            group_name: input.group_name,
            policy_name: input.policy_name,
            policy_document: encoded(&text),
        })
    }
}

impl Handles<op::ListGroupPolicies> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListGroupPoliciesRequest>,
    ) -> Result<ListGroupPoliciesResponse, ApiError> {
        let paging = Paging {
            scope: format!("ListGroupPolicies/{}", input.group_name),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.inline_names::<GroupRecord>(cx, &input.group_name, &paging).await?;
        Ok(ListGroupPoliciesResponse { is_truncated: page.truncated(), policy_names: page.items, marker: page.marker })
    }
}

impl Handles<op::DeleteGroupPolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteGroupPolicyRequest>) -> Result<Empty, ApiError> {
        self.delete_inline::<GroupRecord>(self.account(cx), &input.group_name, &input.policy_name).await?;
        Ok(Empty {})
    }
}

impl Handles<op::AttachGroupPolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<AttachGroupPolicyRequest>) -> Result<Empty, ApiError> {
        self.attach::<GroupRecord>(self.account(cx), &input.group_name, &input.policy_arn).await?;
        Ok(Empty {})
    }
}

impl Handles<op::DetachGroupPolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DetachGroupPolicyRequest>) -> Result<Empty, ApiError> {
        self.detach::<GroupRecord>(self.account(cx), &input.group_name, &input.policy_arn).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListAttachedGroupPolicies> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListAttachedGroupPoliciesRequest>,
    ) -> Result<ListAttachedGroupPoliciesResponse, ApiError> {
        let prefix = input.path_prefix.as_deref();
        let paging = Paging {
            scope: format!("ListAttachedGroupPolicies/{}/{}", input.group_name, prefix.unwrap_or_default()),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.attached::<GroupRecord>(cx, &input.group_name, prefix, &paging).await?;
        Ok(ListAttachedGroupPoliciesResponse {
            is_truncated: page.truncated(),
            attached_policies: Some(page.items),
            marker: page.marker,
        })
    }
}
