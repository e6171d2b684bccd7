//! Control policies (of services and of resources) on the targets of the organization: its root, its units, its accounts.

use serde::{Deserialize, Serialize};
use stoa_store::Key;
use stoa_types::AccountId;

/// One policy on one target. The document's parent is the target.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ScpRecord {
    pub(crate) target: String,
    pub(crate) name: String,
    pub(crate) document: String,
}

/// Its key, under the kind of its policy type.
pub(crate) fn attachment_key(kind: &'static str, target: &str, name: &str) -> Key {
    Key { kind, account: AccountId::aws(), region: None, id: format!("{target}/{name}") }
}
