//! Virtual MFA devices.

use serde::{Deserialize, Serialize};
use stoa_store::Key;
use stoa_types::{AccountId, Timestamp};

use super::{Tags, global_key, kind};

/// A virtual device. Whose it is stands here and in the user's document; both change in one transaction.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MfaRecord {
    /// The serial number: `arn:aws:iam::A:mfa/path/name`.
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) sealed_seed: String,
    pub(crate) created: Timestamp,
    pub(crate) tags: Tags,
    /// The user it is enabled for, and since when.
    pub(crate) user: Option<String>,
    pub(crate) enabled: Option<Timestamp>,
    /// By how many steps of thirty seconds the device is ahead of our clock.
    pub(crate) drift: i64,
    /// The step of the last code that was accepted: no code of it or of an earlier one is accepted again.
    pub(crate) last_step: i64,
    /// Wrong codes since `failing_since` (a step).
    pub(crate) failures: u32,
    pub(crate) failing_since: i64,
}

/// Its key, by what stands after `mfa/` in its ARN.
pub(crate) fn mfa_key(account: &AccountId, path_and_name: &str) -> Key {
    global_key(kind::MFA, account, path_and_name)
}
