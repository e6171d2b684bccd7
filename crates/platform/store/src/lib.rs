//! Versioned documents, transactions, index queries, tags, outbox and leases: the trait, the in-memory twin, the suite.
//!
//! A resource is a document with promoted index columns, written with a generation check. A mutation, its outbox
//! event and its idempotency record are one [`Transaction`]: it is applied whole or not at all, and it is durable
//! when [`Store::commit`] returns. Only the index fields of [`Query`] can be queried.

mod document;
mod error;
mod memory;
mod pages;
mod position;
mod query;
pub mod suite;
mod token;
mod transaction;

pub use document::{BlobName, Document, Key, Memo};
pub use error::{Outcome, StoreError};
pub use memory::MemoryStore;
pub use pages::{Items, Pages};
pub use position::{Position, SortValue};
pub use query::{Order, Page, Query, SortBy, TimeRange};
pub use token::{PageTokenError, PageTokens};
pub use transaction::{
    Change, Expect, IdempotencyRecord, Lease, OutboxEvent, TAGS_KIND, Transaction, idempotency_key, sorted_tags,
};

use async_trait::async_trait;

/// Where state lives. At most twenty-five methods, for ever.
///
/// Reads see every transaction whose `commit` returned before the read began.
#[async_trait]
pub trait Store: Send + Sync {
    /// The document with this key. On the hot path: drivers keep a bounded cache that `commit` keeps true.
    async fn get(&self, key: &Key) -> Result<Option<std::sync::Arc<Document>>, StoreError>;
    /// A page of documents by index fields, in the query's order, ties broken by key.
    async fn query(&self, query: &Query) -> Result<Page, StoreError>;
    /// How many documents match, ignoring limit and position.
    async fn count(&self, query: &Query) -> Result<u64, StoreError>;
    /// Applies all changes or none. Fails with [`StoreError::Conflict`] when an expectation does not hold.
    /// Concurrent callers share a commit (one sync for all that wait).
    async fn commit(&self, transaction: Transaction) -> Result<(), StoreError>;
    /// The tags of a resource by its ARN, in order of key. Cached like `get`.
    async fn tags(&self, arn: &str) -> Result<std::sync::Arc<Vec<(String, String)>>, StoreError>;
    /// The idempotency record of (scope, token), where one was committed and has not expired.
    async fn idempotency(&self, scope: &str, token: &str) -> Result<Option<IdempotencyRecord>, StoreError>;
    /// Outbox events after this sequence number, oldest first.
    async fn outbox(&self, after: u64, limit: usize) -> Result<Vec<(u64, OutboxEvent)>, StoreError>;
    /// Forgets outbox events up to and including this sequence number.
    async fn outbox_done(&self, through: u64) -> Result<(), StoreError>;
    /// Takes or renews a lease; false when another holder has it and it has not expired.
    async fn lease(&self, lease: &Lease) -> Result<bool, StoreError>;
    /// Which documents name which blobs, in order of [`BlobName`], after this place. Kept in the transaction that
    /// writes the document.
    async fn blob_names(&self, after: &BlobName, limit: usize) -> Result<Vec<BlobName>, StoreError>;
    /// A number that grows with every commit that touched a document of this kind prefix (`iam:`), for caches of
    /// derived state. Never touches the disk.
    fn version(&self, kind_prefix: &str) -> u64;
}
