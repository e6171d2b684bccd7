//! Long-term access keys of users and of root users. The secret is sealed under the master key.

use serde::{Deserialize, Serialize};
use stoa_store::Key;
use stoa_types::{AccountId, Timestamp};

use super::kind;

/// An access key. The document's status is `Active` or `Inactive`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AccessKeyRecord {
    pub(crate) id: String,
    pub(crate) account: AccountId,
    /// The user's name; none for the root user.
    pub(crate) user: Option<String>,
    pub(crate) sealed_secret: String,
    pub(crate) active: bool,
    pub(crate) created: Timestamp,
    /// When it was last made active or inactive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) changed: Option<Timestamp>,
}

/// Its key: found by its id alone.
pub(crate) fn key_key(access_key_id: &str) -> Key {
    Key { kind: kind::ACCESS_KEY, account: AccountId::aws(), region: None, id: access_key_id.to_owned() }
}

/// The parent that the keys of one user, or of the root user, are listed by.
pub(crate) fn key_owner(account: &AccountId, user: Option<&str>) -> String {
    match user {
        Some(name) => format!("{account}/user/{}", name.to_ascii_lowercase()),
        None => format!("{account}/root"),
    }
}
