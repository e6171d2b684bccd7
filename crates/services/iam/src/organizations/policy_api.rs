//! The policies' operations: created, described, changed, listed, attached, taken off.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_organizations::operations as op;
use stoa_models_organizations::types::{
    AttachPolicyRequest, CreatePolicyRequest, CreatePolicyResponse, DeletePolicyRequest,
    DescribeEffectivePolicyRequest, DescribeEffectivePolicyResponse, DescribePolicyRequest, DescribePolicyResponse,
    DetachPolicyRequest, ListPoliciesForTargetRequest, ListPoliciesForTargetResponse, ListPoliciesRequest,
    ListPoliciesResponse, ListTargetsForPolicyRequest, ListTargetsForPolicyResponse, Policy, PolicySummary,
    PolicyTargetSummary, TargetType, UpdatePolicyRequest, UpdatePolicyResponse,
};
use stoa_schema::Empty;

use super::aws_policies;
use super::error::{no_such_policy, no_such_target, refused, type_not_available};
use super::policies::NewPolicy;
use super::wire::{Asked, tags_added, wire_aws_summary, wire_policy_summary};
use crate::Iam;
use crate::state::{NodeKind, OrganizationPolicyRecord, PolicyType, load, organization_policy_key};

/// Sorts by name; the id makes it different for each.
fn order(name: &str, id: &str) -> String {
    format!("{name}\u{1}{id}")
}

impl Iam {
    async fn wire_policy(&self, policy: &OrganizationPolicyRecord) -> Result<Policy, ApiError> {
        let summary = wire_policy_summary(&self.organization().await?, policy);
        Ok(Policy { policy_summary: Some(summary), content: Some(policy.content.clone()) })
    }

    async fn policy_summary(&self, id: &str) -> Result<Option<PolicySummary>, ApiError> {
        if let Some(policy) = aws_policies::find(id) {
            return Ok(Some(wire_aws_summary(policy)));
        }
        let found = load::<OrganizationPolicyRecord>(&*self.store, &organization_policy_key(id)).await?;
        let Some(found) = found else { return Ok(None) };
        Ok(Some(wire_policy_summary(&self.organization().await?, &found.record)))
    }
}

impl Handles<op::CreatePolicy> for Iam {
    async fn handle(&self, _cx: &Cx, input: Authorized<CreatePolicyRequest>) -> Result<CreatePolicyResponse, ApiError> {
        let input = input.into_inner();
        let name = input.r#type.as_str();
        let new = NewPolicy {
            policy_type: PolicyType::named(name).ok_or_else(|| type_not_available(name))?,
            name: &input.name,
            description: &input.description,
            content: &input.content,
            tags: tags_added(Vec::new(), input.tags)?,
        };
        let policy = self.make_policy(&new).await?;
        Ok(CreatePolicyResponse { policy: Some(self.wire_policy(&policy).await?) })
    }
}

impl Handles<op::DescribePolicy> for Iam {
    async fn handle(
        &self,
        _cx: &Cx,
        input: Authorized<DescribePolicyRequest>,
    ) -> Result<DescribePolicyResponse, ApiError> {
        let policy = match aws_policies::find(&input.policy_id) {
            Some(policy) => {
                Policy { policy_summary: Some(wire_aws_summary(policy)), content: Some(policy.content.to_owned()) }
            }
            None => {
                let key = organization_policy_key(&input.policy_id);
                let found = load::<OrganizationPolicyRecord>(&*self.store, &key).await?.ok_or_else(no_such_policy)?;
                self.wire_policy(&found.record).await?
            }
        };
        Ok(DescribePolicyResponse { policy: Some(policy) })
    }
}

impl Handles<op::UpdatePolicy> for Iam {
    async fn handle(&self, _cx: &Cx, input: Authorized<UpdatePolicyRequest>) -> Result<UpdatePolicyResponse, ApiError> {
        let (name, description) = (input.name.as_deref(), input.description.as_deref());
        let policy = self.change_policy(&input.policy_id, name, description, input.content.as_deref()).await?;
        Ok(UpdatePolicyResponse { policy: Some(self.wire_policy(&policy).await?) })
    }
}

impl Handles<op::DeletePolicy> for Iam {
    async fn handle(&self, _cx: &Cx, input: Authorized<DeletePolicyRequest>) -> Result<Empty, ApiError> {
        self.remove_policy(&input.policy_id).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListPolicies> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<ListPoliciesRequest>) -> Result<ListPoliciesResponse, ApiError> {
        let mut list = Vec::new();
        // Of a type that Stoa has not there are none.
        if let Some(policy_type) = PolicyType::named(input.filter.as_str()) {
            let organization = self.organization().await?;
            for policy in aws_policies::AWS_POLICIES.iter().filter(|policy| policy.policy_type == policy_type) {
                list.push((order(policy.name, policy.id), wire_aws_summary(policy)));
            }
            for policy in self.all_policies(policy_type).await? {
                let order = order(&policy.record.name, &policy.record.id);
                list.push((order, wire_policy_summary(&organization, &policy.record)));
            }
        }
        let asked = Asked {
            scope: format!("ListPolicies/{}", input.filter.as_str()),
            next_token: input.next_token.as_deref(),
            max_results: input.max_results,
        };
        let page = self.organization_page(cx, &asked, list)?;
        Ok(ListPoliciesResponse { policies: Some(page.items), next_token: page.marker })
    }
}

impl Handles<op::AttachPolicy> for Iam {
    async fn handle(&self, _cx: &Cx, input: Authorized<AttachPolicyRequest>) -> Result<Empty, ApiError> {
        self.attach_organization_policy(&input.policy_id, &input.target_id).await?;
        Ok(Empty {})
    }
}

impl Handles<op::DetachPolicy> for Iam {
    async fn handle(&self, _cx: &Cx, input: Authorized<DetachPolicyRequest>) -> Result<Empty, ApiError> {
        self.detach_organization_policy(&input.policy_id, &input.target_id).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListPoliciesForTarget> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListPoliciesForTargetRequest>,
    ) -> Result<ListPoliciesForTargetResponse, ApiError> {
        let node = self.node(&input.target_id).await?.ok_or_else(no_such_target)?;
        let mut list = Vec::new();
        if let Some(policy_type) = PolicyType::named(input.filter.as_str()) {
            for (at, id) in node.record.attached(policy_type).iter().enumerate() {
                list.extend(self.policy_summary(id).await?.map(|summary| (format!("{at:04}"), summary)));
            }
        }
        let asked = Asked {
            scope: format!("ListPoliciesForTarget/{}/{}", input.target_id, input.filter.as_str()),
            next_token: input.next_token.as_deref(),
            max_results: input.max_results,
        };
        let page = self.organization_page(cx, &asked, list)?;
        Ok(ListPoliciesForTargetResponse { policies: Some(page.items), next_token: page.marker })
    }
}

impl Handles<op::ListTargetsForPolicy> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListTargetsForPolicyRequest>,
    ) -> Result<ListTargetsForPolicyResponse, ApiError> {
        let policy_type = self.type_of_policy(&input.policy_id).await?.ok_or_else(no_such_policy)?;
        let organization = self.organization().await?;
        let mut list = Vec::new();
        for node in self.all_nodes().await? {
            if !node.record.attached(policy_type).contains(&input.policy_id) {
                continue;
            }
            let what = match node.record.what {
                NodeKind::Root => TargetType::Root,
                NodeKind::Unit => TargetType::OrganizationalUnit,
                NodeKind::Account => TargetType::Account,
            };
            let id = node.record.id;
            let summary = PolicyTargetSummary {
                target_id: Some(id.clone()),
                arn: Some(organization.node_arn(&id)),
                name: Some(node.record.name),
                r#type: Some(what),
            };
            list.push((id, summary));
        }
        let asked = Asked {
            scope: format!("ListTargetsForPolicy/{}", input.policy_id),
            next_token: input.next_token.as_deref(),
            max_results: input.max_results,
        };
        let page = self.organization_page(cx, &asked, list)?;
        Ok(ListTargetsForPolicyResponse { targets: Some(page.items), next_token: page.marker })
    }
}

impl Handles<op::DescribeEffectivePolicy> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DescribeEffectivePolicyRequest>,
    ) -> Result<DescribeEffectivePolicyResponse, ApiError> {
        let target = input.target_id.as_deref().unwrap_or_else(|| self.account(cx).as_str());
        self.node(target).await?.filter(|node| node.record.what == NodeKind::Account).ok_or_else(no_such_target)?;
        // AWS merges policies of these types alone, and Stoa has none of them; service and resource control policies
        // have no merged form.
        Err(refused(
            "EffectivePolicyNotFoundException",
            format!("policies of type {} are not enabled in the organization", input.policy_type.as_str()),
        ))
    }
}
