//! Rules of a hub: which models of the public hub it refers to by itself (`stoa hub rules`, `PutHubRules`).
//!
//! The rules of a hub are one document beside it; that they are to be applied is its status, an intent that the
//! reconciler makes true. References that rules made say which versions the rules let in and show no others: a new
//! version is shown once it was judged, never before. References made by hand are never touched.
//!
//! INVARIANT: references and the log of them change in one transaction, which is held to the generations of hub and
//! rules. After a crash at any line the next pass finds the rest of the difference, and no entry of the log is doubled
//! or missing.

mod expression;
mod fields;
mod lexer;
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
pub use operations::RulesCaller;
pub use reconcile::HubRulesReconciler;

/// Id and name: the hub's.
pub(crate) const KIND: &str = "sagemaker:hub-rules";
/// What rules added and removed. Parent: the hub; name: the number of the change, with leading zeros.
pub(crate) const LOG_KIND: &str = "sagemaker:hub-rules-log";
/// Set, and not all of it is done yet.
pub(crate) const APPLYING: &str = "Applying";
pub(crate) const APPLIED: &str = "Applied";
/// Changes that the log of a hub keeps.
const KEPT_CHANGES: u64 = 1000;

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
}

/// One change of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChangeBody {
    pub number: u64,
    pub cause: Cause,
    pub rules: String,
    pub set_by: String,
    pub added: Vec<Ruled>,
    pub removed: Vec<Ruled>,
    pub updated: Vec<Ruled>,
    pub left_out: u64,
}

/// Why the rules were applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cause {
    /// They were set.
    Rules,
    /// The public hub changed.
    Catalog,
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

fn number_text(number: u64) -> String {
    format!("{number:012}")
}

fn log_key(hub: &HubName, number: u64) -> Key {
    key_in(hub, LOG_KIND, format!("{}/{}", hub.name, number_text(number)))
}

/// Reads rules that came in a request.
pub(crate) fn parse(text: &str) -> Result<Option<Expression>, ApiError> {
    parser::parse(text).map_err(|problem| ApiError::validation(format!("Rules: {problem}")))
}
