//! Instance profiles: what an EC2 instance carries a role in.

use serde::{Deserialize, Serialize};
use stoa_store::Key;
use stoa_types::{AccountId, Timestamp};

use super::{Tags, global_key, kind};

/// An instance profile.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct InstanceProfileRecord {
    pub(crate) name: String,
    pub(crate) path: String,
    /// `AIPA…`.
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) created: Timestamp,
    /// The name of its role: at most one. The role names the profile too, in the same transaction.
    pub(crate) role: Option<String>,
    pub(crate) tags: Tags,
}

/// Its key.
pub(crate) fn instance_profile_key(account: &AccountId, name: &str) -> Key {
    global_key(kind::INSTANCE_PROFILE, account, name)
}
