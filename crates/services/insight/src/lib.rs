//! What an auditor asks: why was this call decided as it was, who can do this, who may use which model, what would a
//! draft policy have changed, what is wrong with a policy.
//!
//! Stoa's own AWS-style service (`stoa`, described in `facts/stoa`). It reads the audit journal and asks the kernel's
//! ports; it decides nothing itself and keeps nothing. Every answer is limited to what the caller's account may know,
//! see `viewer`.

mod explain;
#[rustfmt::skip]
mod generated;
mod handlers;
mod lint;
mod lint_on_save;
mod matrix;
mod recorded;
mod replay;
mod service;
mod viewer;
mod who_can;
mod words;

pub use generated::ops::{InsightOperations, routes};
pub use lint_on_save::linting;
pub use service::{Insight, InsightParts};
pub use viewer::Viewer;
