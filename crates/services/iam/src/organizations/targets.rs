//! What is decided for Organizations' operations: ARNs carry the organization's id, which only the store knows.
//!
//! An operation that names nothing is decided on the organization's own ARN, where AWS has `*`: a policy that allows it
//! on `*` allows it here too, and for other accounts the organization's resource policy is asked, which `*` has not.
//! An id of nothing gives the ARN it would have, so that a refusal does not tell the two apart.

use stoa_kernel::{ApiError, Cx, Target, Targets};
use stoa_models_organizations::operations as op;
use stoa_schema::Value;

use super::aws_policies;
use super::delegation::is_awss;
use crate::Iam;
use crate::state::PolicyType;

impl Iam {
    /// The ARN of a policy, and its type where it is known.
    async fn policy_of(&self, id: &str) -> Result<(String, Option<PolicyType>), ApiError> {
        if let Some(policy) = aws_policies::find(id) {
            return Ok((policy.arn(), Some(policy.policy_type)));
        }
        let found = self.type_of_policy(id).await?;
        let arn = self.organization().await?.policy_arn(found.unwrap_or(PolicyType::ServiceControl), id);
        Ok((arn, found))
    }

    async fn organization_target(&self, action: &'static str) -> Result<Target, ApiError> {
        Ok(Target::new(action, self.organization().await?.own_arn()))
    }

    async fn node_target(&self, action: &'static str, id: Option<&str>) -> Result<Target, ApiError> {
        let organization = self.organization().await?;
        Ok(Target::new(action, organization.node_arn(id.unwrap_or("*"))))
    }

    async fn policy_target(&self, action: &'static str, id: Option<&str>) -> Result<Target, ApiError> {
        let (arn, policy_type) = self.policy_of(id.unwrap_or("p-*")).await?;
        let awss = is_awss(&arn);
        let mut target = Target::new(action, arn);
        if let Some(policy_type) = policy_type {
            target = target.with_key("organizations:PolicyType", policy_type.as_str());
        }
        // AWS's policies belong to every organization: it is the organization that is changed by attaching them.
        Ok(if awss {
            target.with_key("aws:ResourceAccount", self.organization().await?.management_account.as_str())
        } else {
            target
        })
    }
}

/// The keys that follow from the input.
fn with_input(mut target: Target, input: &Value) -> Target {
    for member in ["PolicyType", "Filter", "Type"] {
        if let Some(policy_type) = input.str_member(member) {
            target = target.with_key("organizations:PolicyType", policy_type);
        }
    }
    if let Some(service) = input.str_member("ServicePrincipal") {
        target = target.with_key("organizations:ServicePrincipal", service);
    }
    if let Some(Value::List(keys)) = input.member("TagKeys") {
        target.keys.set_many("aws:TagKeys", keys.iter().filter_map(Value::as_str));
    }
    target.with_request_tags(input, "Tags")
}

macro_rules! targets {
    // targets!(organization: ListRoots; …) gives each operation one target, `organizations:<its name>` on the
    // organization, on the node that a member names, or on the policy that a member names.
    ($(organization: $($on:ident),*;)? $(nodes: $($node:ident $node_member:literal),*;)?
        $(policies: $($policy:ident),*;)?) => {
        $($(impl Targets<op::$on> for Iam {
            async fn targets(&self, _cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
                let target = self.organization_target(concat!("organizations:", stringify!($on))).await?;
                Ok(vec![with_input(target, input)])
            }
        })*)?
        $($(impl Targets<op::$node> for Iam {
            async fn targets(&self, _cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
                let action = concat!("organizations:", stringify!($node));
                Ok(vec![with_input(self.node_target(action, input.str_member($node_member)).await?, input)])
            }
        })*)?
        $($(impl Targets<op::$policy> for Iam {
            async fn targets(&self, _cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
                let action = concat!("organizations:", stringify!($policy));
                Ok(vec![with_input(self.policy_target(action, input.str_member("PolicyId")).await?, input)])
            }
        })*)?
    };
}

targets! {
    organization: ListRoots, CreateAccount, DescribeCreateAccountStatus, ListCreateAccountStatus, ListAccounts,
        ListPolicies, EnableAWSServiceAccess, DisableAWSServiceAccess, ListAWSServiceAccessForOrganization,
        ListDelegatedAdministrators, PutResourcePolicy, DescribeResourcePolicy, DeleteResourcePolicy;
    nodes: EnablePolicyType "RootId", DisablePolicyType "RootId", ListAccountsForParent "ParentId",
        DescribeAccount "AccountId", CloseAccount "AccountId", RemoveAccountFromOrganization "AccountId",
        CreateOrganizationalUnit "ParentId", DescribeOrganizationalUnit "OrganizationalUnitId",
        UpdateOrganizationalUnit "OrganizationalUnitId", DeleteOrganizationalUnit "OrganizationalUnitId",
        ListOrganizationalUnitsForParent "ParentId", ListChildren "ParentId", ListParents "ChildId",
        ListPoliciesForTarget "TargetId", RegisterDelegatedAdministrator "AccountId",
        DeregisterDelegatedAdministrator "AccountId", ListDelegatedServicesForAccount "AccountId";
    policies: DescribePolicy, UpdatePolicy, DeletePolicy, ListTargetsForPolicy;
}

macro_rules! attachment_targets {
    // attachment_targets!(AttachPolicy) gives the operation two targets: the policy, and what it goes on or comes off.
    ($($operation:ident),*) => {
        $(impl Targets<op::$operation> for Iam {
            async fn targets(&self, _cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
                let action = concat!("organizations:", stringify!($operation));
                let policy = self.policy_target(action, input.str_member("PolicyId")).await?;
                let mut node = self.node_target(action, input.str_member("TargetId")).await?;
                let (_, policy_type) = self.policy_of(input.str_member("PolicyId").unwrap_or("p-*")).await?;
                if let Some(policy_type) = policy_type {
                    node = node.with_key("organizations:PolicyType", policy_type.as_str());
                }
                Ok(vec![policy, node])
            }
        })*
    };
}

attachment_targets!(AttachPolicy, DetachPolicy);

impl Targets<op::CreatePolicy> for Iam {
    async fn targets(&self, _cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let policy_type = input.str_member("Type").and_then(PolicyType::named).unwrap_or(PolicyType::ServiceControl);
        let arn = self.organization().await?.policy_arn(policy_type, "*");
        Ok(vec![with_input(Target::new("organizations:CreatePolicy", arn), input)])
    }
}

impl Targets<op::MoveAccount> for Iam {
    async fn targets(&self, _cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let mut targets = Vec::with_capacity(3);
        for member in ["AccountId", "SourceParentId", "DestinationParentId"] {
            targets.push(self.node_target("organizations:MoveAccount", input.str_member(member)).await?);
        }
        Ok(targets)
    }
}

impl Targets<op::DescribeEffectivePolicy> for Iam {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        const ACTION: &str = "organizations:DescribeEffectivePolicy";
        let own = self.account(cx).as_str();
        let target = match input.str_member("TargetId").filter(|target| *target != own) {
            Some(other) => self.node_target(ACTION, Some(other)).await?,
            // Every account may ask for itself, as far as its own policies go.
            None => Target::new(ACTION, "*"),
        };
        Ok(vec![with_input(target, input)])
    }
}

macro_rules! tag_targets {
    // tag_targets!(TagResource) gives the operation the ARN of what `ResourceId` names.
    ($($operation:ident),*) => {
        $(impl Targets<op::$operation> for Iam {
            async fn targets(&self, _cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
                let action = concat!("organizations:", stringify!($operation));
                let id = input.str_member("ResourceId").unwrap_or("*");
                let target = if id.starts_with("p-") {
                    self.policy_target(action, Some(id)).await?
                } else if id.starts_with("rp-") {
                    Target::new(action, self.organization().await?.resource_policy_arn(id))
                } else {
                    self.node_target(action, Some(id)).await?
                };
                Ok(vec![with_input(target, input)])
            }
        })*
    };
}

tag_targets!(TagResource, UntagResource, ListTagsForResource);
