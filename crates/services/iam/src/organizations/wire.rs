//! Records as Organizations' API has them, and its paging: `NextToken` in and out.

use std::collections::BTreeSet;

use stoa_kernel::{ApiError, Cx};
use stoa_models_organizations::types as wire;

use super::aws_policies::AwsPolicy;
use super::error::{constraint, invalid};
use crate::Iam;
use crate::paging::{Items, Paging};
use crate::state::{NodeKind, NodeRecord, Organization, OrganizationPolicyRecord, PolicyType};

/// AWS's page: at most twenty.
const PAGE: i64 = 20;
const MOST_TAGS: usize = 50;

/// What a request says of paging. The scope names the operation and its filters.
pub(super) struct Asked<'a> {
    pub(super) scope: String,
    pub(super) next_token: Option<&'a str>,
    pub(super) max_results: Option<i64>,
}

impl Iam {
    /// A page of a list. Each item comes with the text it is sorted by, different for each.
    pub(super) fn organization_page<T>(
        &self,
        cx: &Cx,
        asked: &Asked<'_>,
        list: Vec<(String, T)>,
    ) -> Result<Items<T>, ApiError> {
        let paging = Paging {
            scope: format!("organizations/{}", asked.scope),
            marker: asked.next_token,
            max_items: Some(asked.max_results.unwrap_or(PAGE)),
        };
        let page = self.page_of_list(cx, &paging, list);
        page.map_err(|_| invalid("INVALID_NEXT_TOKEN", "You provided an invalid NextToken value."))
    }
}

pub(super) const fn wire_type(policy_type: PolicyType) -> wire::PolicyType {
    match policy_type {
        PolicyType::ServiceControl => wire::PolicyType::ServiceControlPolicy,
        PolicyType::ResourceControl => wire::PolicyType::ResourceControlPolicy,
    }
}

fn type_summary(policy_type: PolicyType) -> wire::PolicyTypeSummary {
    wire::PolicyTypeSummary { r#type: Some(wire_type(policy_type)), status: Some(wire::PolicyTypeStatus::Enabled) }
}

pub(super) fn wire_organization(organization: &Organization, email: String) -> wire::Organization {
    let management = organization.management_account.as_str();
    wire::Organization {
        id: Some(organization.id.clone()),
        arn: Some(organization.own_arn()),
        feature_set: Some(wire::OrganizationFeatureSet::All),
        master_account_arn: Some(organization.node_arn(management)),
        master_account_id: Some(management.to_owned()),
        master_account_email: Some(email),
        // What may be enabled, not what is: that is said by the root.
        available_policy_types: Some(PolicyType::ALL.into_iter().map(type_summary).collect()),
    }
}

pub(super) fn wire_root(organization: &Organization) -> wire::Root {
    wire::Root {
        id: Some(organization.root_id.clone()),
        arn: Some(organization.node_arn(&organization.root_id)),
        name: Some("Root".to_owned()),
        policy_types: Some(organization.policy_types.iter().copied().map(type_summary).collect()),
    }
}

/// A unit, with the way to it: the last node of the way is the unit.
pub(super) fn wire_unit(organization: &Organization, way: &[NodeRecord]) -> Option<wire::OrganizationalUnit> {
    let unit = way.last().filter(|node| node.what == NodeKind::Unit)?;
    Some(wire::OrganizationalUnit {
        id: Some(unit.id.clone()),
        arn: Some(organization.node_arn(&unit.id)),
        name: Some(unit.name.clone()),
        path: Some(path(organization, way)),
    })
}

/// `o-…/r-…/ou-…/`, of all nodes of a way.
pub(super) fn path(organization: &Organization, way: &[NodeRecord]) -> String {
    let mut path = format!("{}/", organization.id);
    for node in way {
        path.push_str(&node.id);
        path.push('/');
    }
    path
}

pub(super) fn wire_policy_summary(
    organization: &Organization,
    policy: &OrganizationPolicyRecord,
) -> wire::PolicySummary {
    wire::PolicySummary {
        id: Some(policy.id.clone()),
        arn: Some(organization.policy_arn(policy.policy_type, &policy.id)),
        name: Some(policy.name.clone()),
        description: Some(policy.description.clone()),
        r#type: Some(wire_type(policy.policy_type)),
        aws_managed: Some(false),
    }
}

pub(super) fn wire_aws_summary(policy: &AwsPolicy) -> wire::PolicySummary {
    wire::PolicySummary {
        id: Some(policy.id.to_owned()),
        arn: Some(policy.arn()),
        name: Some(policy.name.to_owned()),
        description: Some(policy.description.to_owned()),
        r#type: Some(wire_type(policy.policy_type)),
        aws_managed: Some(true),
    }
}

/// Tags of a request, which add to those there are.
pub(super) fn tags_added(
    mut there: Vec<(String, String)>,
    given: Option<Vec<wire::Tag>>,
) -> Result<Vec<(String, String)>, ApiError> {
    let mut seen = BTreeSet::new();
    for tag in given.unwrap_or_default() {
        if !seen.insert(tag.key.clone()) {
            return Err(invalid(
                "DUPLICATE_TAG_KEY",
                "Tag keys must be unique among the tags attached to the same entity.",
            ));
        }
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid(
                "INVALID_SYSTEM_TAGS_PARAMETER",
                "You specified a tag key that is a system tag: aws:.",
            ));
        }
        there.retain(|(key, _)| *key != tag.key);
        there.push((tag.key, tag.value));
    }
    if there.len() > MOST_TAGS {
        return Err(constraint(
            "MAX_TAG_LIMIT_EXCEEDED",
            "You have exceeded the number of tags allowed on this resource.",
        ));
    }
    Ok(there)
}
