//! Passwords of users, and the account's rules for them. A password itself is never stored.

use serde::{Deserialize, Serialize};
use stoa_store::Key;
use stoa_types::{AccountId, Timestamp};

use super::{global_key, kind};

/// A user's password.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct LoginProfileRecord {
    pub(crate) created: Timestamp,
    /// When the password was last set.
    pub(crate) changed: Timestamp,
    /// Argon2id, with its salt.
    pub(crate) hash: String,
    /// Hashes of former passwords, newest first, as many as a policy can ask for.
    #[serde(default)]
    pub(crate) former: Vec<String>,
    pub(crate) reset_required: bool,
}

impl std::fmt::Debug for LoginProfileRecord {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LoginProfileRecord").field("changed", &self.changed).finish_non_exhaustive()
    }
}

/// The account's password policy; without a document AWS's default rules apply.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PasswordPolicyRecord {
    pub(crate) minimum_length: i64,
    pub(crate) symbols: bool,
    pub(crate) numbers: bool,
    pub(crate) uppercase: bool,
    pub(crate) lowercase: bool,
    pub(crate) users_may_change: bool,
    /// Days.
    pub(crate) max_age: Option<i64>,
    /// How many former passwords may not be used again.
    pub(crate) reuse_prevention: Option<i64>,
    pub(crate) hard_expiry: Option<bool>,
}

/// Its key.
pub(crate) fn password_policy_key(account: &AccountId) -> Key {
    global_key(kind::PASSWORD_POLICY, account, "policy")
}
