//! The audit record and the journal trait.
//!
//! Every call, denied ones included, is in the journal before its answer leaves. A mutating call is there before it
//! is handled ([`Journal::append`] of a begin record), and again when it is done; a begin without an end is marked
//! `unknown` when the journal is next opened.

mod owner;
mod query;
mod record;

#[cfg(test)]
mod tests;

pub use query::AuditQuery;
pub use record::{AuditRecord, ErrorInfo, Phase, UserIdentity};

use std::error::Error;
use std::ops::ControlFlow;

use async_trait::async_trait;

/// The record could not be made durable. The caller answers 503 (before the act) or retries (after it).
#[derive(Debug, thiserror::Error)]
#[error("the audit journal cannot take records")]
pub struct AuditError(#[source] pub Box<dyn Error + Send + Sync>);

/// Takes records one after the other.
pub type Visit = Box<dyn FnMut(AuditRecord) -> ControlFlow<()> + Send>;

/// An append-only journal of calls.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Appends the record, already encoded as one line of JSON without its newline, and returns once it is on stable
    /// storage. All callers that wait share one sync.
    async fn append(&self, line: Vec<u8>) -> Result<(), AuditError>;
    /// Reads records back, as complete CloudTrail records (begin and end merged).
    async fn query(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, AuditError>;
    /// Passes every record that matches to `visit`, oldest first and merged, until it breaks off; the query's limit
    /// does not count. Whatever the size of the journal, only the calls in flight at one moment are held in memory.
    /// `visit` may block: it is called where that is allowed. A journal need not be able to do this.
    async fn scan(&self, _query: &AuditQuery, _visit: Visit) -> Result<(), AuditError> {
        Err(AuditError("this journal cannot be scanned".into()))
    }
}
