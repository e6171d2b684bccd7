//! Accounts. Where they are in the organization is said by their nodes (see `organization`).

use serde::{Deserialize, Serialize};
use stoa_store::Key;
use stoa_types::{AccountId, Timestamp};

use super::{global_key, kind};

/// An account. Its document's status is `Active`, `Suspended` once it is closed, or `Deleting` once its deletion has
/// begun; credentials work in the first alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AccountRecord {
    pub(crate) id: AccountId,
    pub(crate) name: String,
    /// Whether it is the organization's management account.
    pub(crate) management: bool,
    /// Its alias.
    pub(crate) alias: Option<String>,
    pub(crate) created: Timestamp,
    /// The address it was made with; see [`AccountRecord::email`].
    #[serde(default)]
    pub(crate) email: Option<String>,
    /// When it was closed. Its document's status is then `Suspended`.
    #[serde(default)]
    pub(crate) closed: Option<Timestamp>,
}

impl AccountRecord {
    /// Its address. An account that was made without one has one that reaches nobody: every account of AWS has one,
    /// different from all others.
    pub(crate) fn email(&self) -> String {
        self.email.clone().unwrap_or_else(|| format!("{}@accounts.invalid", self.id))
    }
}

/// Its key.
pub(crate) fn account_key(account: &AccountId) -> Key {
    global_key(kind::ACCOUNT, account, account.as_str())
}
