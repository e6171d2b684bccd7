//! The organization itself, its root, and the types of policies that count.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_organizations::operations as op;
use stoa_models_organizations::types::{
    CreateOrganizationRequest, CreateOrganizationResponse, DescribeOrganizationResponse, DisablePolicyTypeRequest,
    DisablePolicyTypeResponse, EnablePolicyTypeRequest, EnablePolicyTypeResponse, ListRootsRequest, ListRootsResponse,
};
use stoa_schema::Empty;

use super::error::{constraint, refused, type_not_available};
use super::wire::{Asked, wire_organization, wire_root};
use crate::Iam;
use crate::state::PolicyType;

fn not_in_use() -> ApiError {
    refused("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
}

impl Handles<op::DescribeOrganization> for Iam {
    async fn handle(&self, cx: &Cx, _input: Authorized<Empty>) -> Result<DescribeOrganizationResponse, ApiError> {
        self.place_of(self.account(cx)).await?.ok_or_else(not_in_use)?;
        let organization = self.organization().await?;
        let management = self.load_account(&organization.management_account).await?;
        let email = management.record.email();
        Ok(DescribeOrganizationResponse { organization: Some(wire_organization(&organization, email)) })
    }
}

impl Handles<op::CreateOrganization> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        _input: Authorized<CreateOrganizationRequest>,
    ) -> Result<CreateOrganizationResponse, ApiError> {
        // There is one organization, made at the first start; an account is in it, or outside, for all its life.
        if self.place_of(self.account(cx)).await?.is_none() {
            return Err(refused(
                "ConstraintViolationException",
                "a server of Stoa has one organization: make an account in it with stoa account create",
            ));
        }
        Err(refused("AlreadyInOrganizationException", "The AWS account is already a member of an organization."))
    }
}

impl Handles<op::LeaveOrganization> for Iam {
    async fn handle(&self, cx: &Cx, _input: Authorized<Empty>) -> Result<Empty, ApiError> {
        self.place_of(self.account(cx)).await?.ok_or_else(not_in_use)?;
        Err(self.cannot_leave(self.account(cx).as_str()).await?)
    }
}

impl Iam {
    /// Why an account does not leave the organization.
    pub(super) async fn cannot_leave(&self, account: &str) -> Result<ApiError, ApiError> {
        if self.organization().await?.management_account.as_str() == account {
            return Ok(refused(
                "MasterCannotLeaveOrganizationException",
                "You can't remove the management account from an organization.",
            ));
        }
        Ok(constraint(
            "ACCOUNT_CANNOT_LEAVE_ORGANIZATION",
            "an account of Stoa is nothing outside its organization: close it (CloseAccount), or delete it with all it \
             owns (stoa account delete)",
        ))
    }

    async fn the_root(&self, id: &str) -> Result<(), ApiError> {
        if self.organization().await?.root_id == id {
            return Ok(());
        }
        Err(refused("RootNotFoundException", "You specified a root that doesn't exist."))
    }
}

impl Handles<op::ListRoots> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<ListRootsRequest>) -> Result<ListRootsResponse, ApiError> {
        let organization = self.organization().await?;
        let asked = Asked {
            scope: "ListRoots".to_owned(),
            next_token: input.next_token.as_deref(),
            max_results: input.max_results,
        };
        let page = self.organization_page(cx, &asked, vec![(String::new(), wire_root(&organization))])?;
        Ok(ListRootsResponse { roots: Some(page.items), next_token: page.marker })
    }
}

impl Handles<op::EnablePolicyType> for Iam {
    async fn handle(
        &self,
        _cx: &Cx,
        input: Authorized<EnablePolicyTypeRequest>,
    ) -> Result<EnablePolicyTypeResponse, ApiError> {
        self.the_root(&input.root_id).await?;
        let name = input.policy_type.as_str();
        let policy_type = PolicyType::named(name).ok_or_else(|| type_not_available(name))?;
        let organization = self.enable_policy_type(policy_type).await?;
        Ok(EnablePolicyTypeResponse { root: Some(wire_root(&organization)) })
    }
}

impl Handles<op::DisablePolicyType> for Iam {
    async fn handle(
        &self,
        _cx: &Cx,
        input: Authorized<DisablePolicyTypeRequest>,
    ) -> Result<DisablePolicyTypeResponse, ApiError> {
        self.the_root(&input.root_id).await?;
        // A type that Stoa has not is never enabled.
        let policy_type = PolicyType::named(input.policy_type.as_str()).ok_or_else(super::error::type_not_enabled)?;
        let organization = self.disable_policy_type(policy_type).await?;
        Ok(DisablePolicyTypeResponse { root: Some(wire_root(&organization)) })
    }
}
