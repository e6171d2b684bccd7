//! Users.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_store::Key;
use stoa_types::{AccountId, Timestamp};

use super::{LoginProfileRecord, Tags, global_key, kind};

/// A user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UserRecord {
    pub(crate) name: String,
    pub(crate) path: String,
    /// `AIDA…`.
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) created: Timestamp,
    /// Inline policies by name.
    pub(crate) inline: BTreeMap<String, String>,
    /// ARNs of attached managed policies, in the order of attachment.
    pub(crate) attached: Vec<String>,
    pub(crate) boundary: Option<String>,
    pub(crate) tags: Tags,
    /// Its access keys' ids, oldest first: at most two.
    pub(crate) access_keys: Vec<String>,
    /// The ids of its groups' documents, in the order of joining: at most ten.
    #[serde(default)]
    pub(crate) groups: Vec<String>,
    /// Its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) login: Option<LoginProfileRecord>,
    /// The serial numbers of its MFA devices: at most eight.
    #[serde(default)]
    pub(crate) mfa_devices: Vec<String>,
}

/// Its key.
pub(crate) fn user_key(account: &AccountId, name: &str) -> Key {
    global_key(kind::USER, account, name)
}
