//! The IAM policy language: parse, compile, decide, explain.
//!
//! Pure: no clock, no I/O, no async. A crash here cannot lose anything because nothing is kept.
//! [`Document`] is one parsed policy; [`PolicySet`] is an index over many; [`decide`] composes the sets of a request's
//! [`Slots`] by AWS's evaluation logic; [`explain`] is the slow twin that says why.

mod action;
pub mod cases;
mod condition;
mod context;
mod decide;
mod document;
mod error;
mod explain;
mod glob;
mod index;
mod keys;
pub mod lint;
mod named;
mod parse;
mod possible;
mod principal;
mod request;
mod statement;
mod suggest;
mod values;

pub use context::{Context, MapContext, NoContext, Values};
pub use decide::decide;
pub use document::{Document, PolicyKind};
pub use error::PolicyError;
pub use explain::{Considered, Explanation, Failed, SlotExplanation, explain, explain_statements};
pub use index::PolicySet;
pub use named::NamedPrincipal;
pub use possible::{DecidingCondition, Lean, Possibility, Possible, possible};
pub use principal::{PrincipalKind, PrincipalRef};
pub use request::{Decision, Effect, Request, Slot, Slots, StatementRef};
pub use suggest::{Change, KeySource, Suggestion};
