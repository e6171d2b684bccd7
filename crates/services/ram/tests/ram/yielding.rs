//! A store that lets others run between its steps, so that calls at once really interleave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use stoa_store::{
    BlobName, Document, IdempotencyRecord, Key, Lease, OutboxEvent, Page, Query, Store, StoreError, Transaction,
};
use tokio::task::yield_now;

/// See the module. Counts the commits that came too late.
pub struct Yielding {
    inner: Arc<dyn Store>,
    conflicts: Arc<AtomicUsize>,
}

impl Yielding {
    pub fn over(inner: Arc<dyn Store>, conflicts: &Arc<AtomicUsize>) -> Arc<dyn Store> {
        Arc::new(Yielding { inner, conflicts: Arc::clone(conflicts) })
    }
}

#[async_trait]
impl Store for Yielding {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Document>>, StoreError> {
        yield_now().await;
        self.inner.get(key).await
    }
    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        yield_now().await;
        self.inner.query(query).await
    }
    async fn count(&self, query: &Query) -> Result<u64, StoreError> {
        self.inner.count(query).await
    }
    async fn commit(&self, transaction: Transaction) -> Result<(), StoreError> {
        yield_now().await;
        let done = self.inner.commit(transaction).await;
        if matches!(done, Err(StoreError::Conflict { .. })) {
            self.conflicts.fetch_add(1, Ordering::Relaxed);
        }
        done
    }
    async fn tags(&self, arn: &str) -> Result<Arc<Vec<(String, String)>>, StoreError> {
        yield_now().await;
        self.inner.tags(arn).await
    }
    async fn idempotency(&self, scope: &str, token: &str) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.inner.idempotency(scope, token).await
    }
    async fn outbox(&self, after: u64, limit: usize) -> Result<Vec<(u64, OutboxEvent)>, StoreError> {
        self.inner.outbox(after, limit).await
    }
    async fn outbox_done(&self, through: u64) -> Result<(), StoreError> {
        self.inner.outbox_done(through).await
    }
    async fn lease(&self, lease: &Lease) -> Result<bool, StoreError> {
        self.inner.lease(lease).await
    }
    async fn blob_names(&self, after: &BlobName, limit: usize) -> Result<Vec<BlobName>, StoreError> {
        self.inner.blob_names(after, limit).await
    }
    fn version(&self, kind_prefix: &str) -> u64 {
        self.inner.version(kind_prefix)
    }
}
