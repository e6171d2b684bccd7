//! Accounts of the organization.

use serde::{Deserialize, Serialize};
use stoa_store::Key;
use stoa_types::{AccountId, Timestamp};

use super::{global_key, kind};

/// An account. Its document's status is `Active`, or `Deleting` once its deletion has begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AccountRecord {
    pub(crate) id: AccountId,
    pub(crate) name: String,
    /// Whether it is the organization's management account.
    pub(crate) management: bool,
    /// Its alias.
    pub(crate) alias: Option<String>,
    /// Where it is in the organization, from the root down to itself: the targets that service control policies name.
    pub(crate) path: Vec<String>,
    pub(crate) created: Timestamp,
}

/// Its key.
pub(crate) fn account_key(account: &AccountId) -> Key {
    global_key(kind::ACCOUNT, account, account.as_str())
}
