//! Rules of a hub: which models of the public hub it refers to by itself (`stoa hub rules`, `PutHubRules`).
//!
//! The rules of a hub are one document beside it; that they are to be applied is its status, an intent that the
//! reconciler makes true. References that rules made say which versions the rules let in and show no others: a new
//! version is shown once it was judged, never before. References made by hand are never touched.
//!
//! INVARIANT: references and the log of them change in one transaction, which is held to the generations of hub and
//! rules. After a crash at any line the next pass finds the rest of the difference, and no entry of the log is doubled
//! or missing.

mod admitted;
mod apply;
mod expression;
mod fields;
mod lexer;
mod log;
mod operations;
mod parser;
mod plan;
mod reconcile;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use stoa_kernel::ApiError;
use stoa_sagemaker_common::Version;
use stoa_store::Key;

use crate::names::HubName;
use crate::service::key_in;

pub(crate) use expression::Expression;
pub(crate) use log::{Cause, KIND as LOG_KIND};
pub use operations::RulesCaller;
pub use reconcile::HubRulesReconciler;

/// Id and name: the hub's.
pub(crate) const KIND: &str = "sagemaker:hub-rules";
/// Set, and not all of it is done yet.
pub(crate) const APPLYING: &str = "Applying";
pub(crate) const APPLIED: &str = "Applied";
/// The longest rules, in characters.
const LONGEST: usize = 16_384;
/// Contents that a list of a preview tells, and refused ones that an entry of the log does.
const MOST_TOLD: usize = 1000;

/// What a hub's rules document holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RulesBody {
    /// As they were written; nothing when they were taken back.
    pub rules: String,
    /// Who set them.
    pub set_by: String,
    /// Changes logged so far.
    pub changes: u64,
    /// Models that match and have no place in the hub.
    #[serde(default)]
    pub left_out: u64,
    /// Models that match and that the hub's admission policy keeps out: how many, and which, as a digest.
    #[serde(default)]
    pub refused: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_digest: Option<String>,
    /// Why they are being applied; none: they were set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// What became of a model in the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ruled {
    pub name: String,
    /// Those shown now; of a removed one, those that were.
    pub versions: BTreeSet<Version>,
    pub reason: String,
}

pub(crate) fn key(hub: &HubName) -> Key {
    key_in(hub, KIND, hub.name.clone())
}

/// Reads rules.
pub(crate) fn parse(text: &str) -> Result<Option<Expression>, ApiError> {
    if text.chars().count() > LONGEST {
        return Err(ApiError::validation(format!("Rules: at most {LONGEST} characters are allowed")));
    }
    parser::parse(text).map_err(|problem| ApiError::validation(format!("Rules: {problem}")))
}
