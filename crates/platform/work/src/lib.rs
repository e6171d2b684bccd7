//! Reconcilers, shutdown and failpoints.
//!
//! Asynchronous work is an intent in the store that a [`Reconciler`] makes true. A [`Worker`] runs it periodically and
//! when nudged, one pass at a time; a nudge that is lost in a crash costs at most one period, never the work.

mod failpoint;
mod reconciler;
mod tasks;
mod worker;

#[cfg(test)]
mod tests;

pub use failpoint::{Action, FailpointError, FailpointSpecError, Failpoints, check_failpoints, failpoint};
pub use reconciler::{PassError, PassReport, Reconciler};
pub use tasks::TaskGroup;
pub use worker::{Nudge, Worker, WorkerStatus, chain};
