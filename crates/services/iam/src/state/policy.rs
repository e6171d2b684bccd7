//! Customer managed policies and their versions.

use serde::{Deserialize, Serialize};
use stoa_store::Key;
use stoa_types::{AccountId, Timestamp};

use super::{Tags, global_key, kind};

/// A customer managed policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PolicyRecord {
    pub(crate) name: String,
    pub(crate) path: String,
    /// `ANPA…`.
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) description: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) default_version: u32,
    /// The number of the next version: numbers are never used twice.
    pub(crate) next_version: u32,
    /// Oldest first: at most five.
    pub(crate) versions: Vec<PolicyVersionRecord>,
    /// To how many users, groups and roles it is attached.
    pub(crate) attachments: u64,
    /// For how many users and roles it is the permissions boundary.
    pub(crate) boundaries: u64,
    pub(crate) tags: Tags,
}

/// A version of a policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PolicyVersionRecord {
    pub(crate) number: u32,
    pub(crate) document: String,
    pub(crate) created: Timestamp,
}

impl PolicyRecord {
    /// The version that counts.
    pub(crate) fn default_document(&self) -> Option<&str> {
        self.version(self.default_version).map(|version| &*version.document)
    }
    /// A version by its number.
    pub(crate) fn version(&self, number: u32) -> Option<&PolicyVersionRecord> {
        self.versions.iter().find(|version| version.number == number)
    }
}

/// Its key.
pub(crate) fn policy_key(account: &AccountId, name: &str) -> Key {
    global_key(kind::POLICY, account, name)
}
