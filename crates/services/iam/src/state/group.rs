//! Groups of users.
//!
//! INVARIANT: who is in a group is in the users' documents; the group counts them, in the same transaction, so that a
//! group is never deleted while somebody joins it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_store::Key;
use stoa_types::{AccountId, Timestamp};

use super::{global_key, kind};

/// A group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    pub(crate) name: String,
    pub(crate) path: String,
    /// `AGPA…`.
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) created: Timestamp,
    /// Inline policies by name.
    pub(crate) inline: BTreeMap<String, String>,
    /// ARNs of attached managed policies, in the order of attachment.
    pub(crate) attached: Vec<String>,
    /// How many users are in it.
    pub(crate) members: u64,
}

/// Its key.
pub(crate) fn group_key(account: &AccountId, name: &str) -> Key {
    global_key(kind::GROUP, account, name)
}
