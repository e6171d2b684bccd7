//! Roles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_store::Key;
use stoa_types::{AccountId, Timestamp};

use super::{Tags, global_key, kind};

/// A role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RoleRecord {
    pub(crate) name: String,
    pub(crate) path: String,
    /// `AROA…`; sessions carry it, so that a role made again under the same name does not revive them.
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) created: Timestamp,
    pub(crate) description: Option<String>,
    /// The trust policy.
    pub(crate) trust: String,
    /// Seconds.
    pub(crate) max_session_duration: i64,
    /// Inline policies by name.
    pub(crate) inline: BTreeMap<String, String>,
    /// ARNs of attached managed policies, in the order of attachment.
    pub(crate) attached: Vec<String>,
    pub(crate) boundary: Option<String>,
    pub(crate) tags: Tags,
    /// The ids of the documents of the instance profiles it is in.
    #[serde(default)]
    pub(crate) instance_profiles: Vec<String>,
}

/// Its key.
pub(crate) fn role_key(account: &AccountId, name: &str) -> Key {
    global_key(kind::ROLE, account, name)
}
