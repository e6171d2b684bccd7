//! The organization: one root, units and accounts below it as a tree of nodes, policies, and which hangs where.
//!
//! INVARIANT: a node counts its children and a policy its attachments in the same transaction that changes them, so a
//! unit with anything below it and a policy in use are never deleted, whoever comes between. A node names its policies
//! by id: a changed policy counts at once wherever it is attached. Every account of the organization
//! has a node while it exists; one without a node is outside.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use stoa_store::Key;
use stoa_types::{AccountId, Timestamp};

use super::kind;

/// The organization of this installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// `o-…`.
    pub id: String,
    /// `r-…`: the root, above every unit and account.
    pub root_id: String,
    /// The management account, which no policy of the organization limits.
    pub management_account: AccountId,
    /// When it was made.
    pub created: Timestamp,
    /// The types of policies that count. Without one, policies of that type are attached to nothing.
    #[serde(default)]
    pub policy_types: BTreeSet<PolicyType>,
}

/// The types of policies of an organization that Stoa has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PolicyType {
    /// What principals of member accounts may do at most.
    #[serde(rename = "SERVICE_CONTROL_POLICY")]
    ServiceControl,
    /// What may be done to resources of member accounts at most.
    #[serde(rename = "RESOURCE_CONTROL_POLICY")]
    ResourceControl,
}

impl PolicyType {
    /// Both.
    pub(crate) const ALL: [PolicyType; 2] = [PolicyType::ServiceControl, PolicyType::ResourceControl];

    /// As AWS writes it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            PolicyType::ServiceControl => "SERVICE_CONTROL_POLICY",
            PolicyType::ResourceControl => "RESOURCE_CONTROL_POLICY",
        }
    }

    /// As ARNs have it.
    pub(crate) const fn in_arns(self) -> &'static str {
        match self {
            PolicyType::ServiceControl => "service_control_policy",
            PolicyType::ResourceControl => "resource_control_policy",
        }
    }

    /// The type of this name, where Stoa has it.
    pub(crate) fn named(name: &str) -> Option<PolicyType> {
        PolicyType::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

/// What a node is. The document's status has the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NodeKind {
    Root,
    Unit,
    Account,
}

impl NodeKind {
    /// In the document's status, for queries.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            NodeKind::Root => "Root",
            NodeKind::Unit => "Unit",
            NodeKind::Account => "Account",
        }
    }
}

/// The root, a unit or an account. The document's parent is the node above it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NodeRecord {
    /// `r-…`, `ou-…` or twelve digits.
    pub(crate) id: String,
    pub(crate) what: NodeKind,
    pub(crate) name: String,
    /// None for the root.
    pub(crate) parent: Option<String>,
    /// How many units and accounts are directly below.
    pub(crate) children: u64,
    /// The ids of its policies, in the order of attachment.
    #[serde(default)]
    pub(crate) attached: BTreeMap<PolicyType, Vec<String>>,
}

impl NodeRecord {
    /// Its policies of a type.
    pub(crate) fn attached(&self, policy_type: PolicyType) -> &[String] {
        self.attached.get(&policy_type).map_or(&[], Vec::as_slice)
    }
}

/// A customer's policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OrganizationPolicyRecord {
    /// `p-…`.
    pub(crate) id: String,
    pub(crate) policy_type: PolicyType,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) content: String,
    /// To how many nodes it is attached.
    pub(crate) attachments: u64,
}

/// One request for a new account, answered. The document's status is its state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AccountRequestRecord {
    /// `car-…`.
    pub(crate) id: String,
    pub(crate) account_name: String,
    pub(crate) requested: Timestamp,
    pub(crate) completed: Option<Timestamp>,
    /// The account; none when the request failed.
    pub(crate) account: Option<AccountId>,
    pub(crate) failure: Option<String>,
}

/// A service that may act in the organization.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TrustedServiceRecord {
    pub(crate) service: String,
    pub(crate) enabled: Timestamp,
}

/// An account that administers the organization for services. At most one document an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DelegationRecord {
    pub(crate) account: AccountId,
    /// By service principal, since when.
    pub(crate) services: BTreeMap<String, Timestamp>,
}

/// The organization's resource policy, which lets member accounts manage its policies.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DelegationPolicyRecord {
    /// `rp-…`.
    pub(crate) id: String,
    pub(crate) content: String,
}

/// A policy on a target as early versions kept it: one document with the whole text. Only read, to be converted.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct OldAttachmentRecord {
    pub(crate) target: String,
    pub(crate) name: String,
    pub(crate) document: String,
}

fn key(kind: &'static str, id: &str) -> Key {
    Key { kind, account: AccountId::aws(), region: None, id: id.to_owned() }
}

/// The one organization's key.
pub(crate) fn organization_key() -> Key {
    key(kind::ORGANIZATION, "organization")
}

/// A node's key.
pub(crate) fn node_key(id: &str) -> Key {
    key(kind::NODE, id)
}

/// A policy's key.
pub(crate) fn organization_policy_key(id: &str) -> Key {
    key(kind::ORGANIZATION_POLICY, id)
}

/// What is there while a name is taken within a type of policies.
pub(crate) fn organization_policy_name_key(policy_type: PolicyType, name: &str) -> Key {
    key(kind::ORGANIZATION_POLICY_NAME, &format!("{}/{name}", policy_type.as_str()))
}

/// What is there while an address is an account's.
pub(crate) fn email_key(email: &str) -> Key {
    key(kind::EMAIL, &email.to_ascii_lowercase())
}

/// The key of a request for an account.
pub(crate) fn account_request_key(id: &str) -> Key {
    key(kind::ACCOUNT_REQUEST, id)
}

/// The key of a service that may act in the organization.
pub(crate) fn trusted_service_key(service: &str) -> Key {
    key(kind::TRUSTED_SERVICE, service)
}

/// The key of what an account administers.
pub(crate) fn delegation_key(account: &AccountId) -> Key {
    key(kind::DELEGATION, account.as_str())
}

/// The key of the organization's resource policy.
pub(crate) fn delegation_policy_key() -> Key {
    key(kind::DELEGATION_POLICY, "policy")
}
