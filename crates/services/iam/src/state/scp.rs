//! Service control policies on the targets of the organization: its root, its units, its accounts.

use serde::{Deserialize, Serialize};
use stoa_store::Key;
use stoa_types::AccountId;

use super::kind;

/// One policy on one target. The document's parent is the target.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ScpRecord {
    pub(crate) target: String,
    pub(crate) name: String,
    pub(crate) document: String,
}

/// Its key.
pub(crate) fn scp_key(target: &str, name: &str) -> Key {
    Key { kind: kind::SCP, account: AccountId::aws(), region: None, id: format!("{target}/{name}") }
}
