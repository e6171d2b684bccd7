//! A store in which something else happens right before, or right after, a commit: what two callers at once come to,
//! without leaving it to chance.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use stoa_store::{
    BlobName, Document, IdempotencyRecord, Key, Lease, MemoryStore, OutboxEvent, Page, Query, Store, StoreError,
    Transaction,
};
use stoa_types::{FixedClock, Timestamp};

use crate::support::*;

type Meddling = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// What happens is armed once and happens once.
pub struct Meddled {
    store: MemoryStore,
    before: Mutex<Option<Meddling>>,
    after: Mutex<Option<Meddling>>,
}

pub fn meddled_world() -> (Arc<World>, Arc<Meddled>) {
    let clock = Arc::new(FixedClock::at(Timestamp::parse_iso8601("2026-11-21T00:00:00Z").unwrap()));
    let store = MemoryStore::new(clock.clone());
    let store = Arc::new(Meddled { store, before: Mutex::default(), after: Mutex::default() });
    (Arc::new(open(store.clone(), clock, tempfile::tempdir().unwrap())), store)
}

impl Meddled {
    /// Before the next commit.
    pub fn before<F: Future<Output = ()> + Send + 'static>(&self, what: impl FnOnce() -> F + Send + 'static) {
        *self.before.lock() = Some(Box::new(move || Box::pin(what())));
    }
    /// After the next commit.
    pub fn after<F: Future<Output = ()> + Send + 'static>(&self, what: impl FnOnce() -> F + Send + 'static) {
        *self.after.lock() = Some(Box::new(move || Box::pin(what())));
    }
    /// Whether what was armed has happened.
    pub fn is_done(&self) -> bool {
        self.before.lock().is_none() && self.after.lock().is_none()
    }
}

#[async_trait]
impl Store for Meddled {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Document>>, StoreError> {
        self.store.get(key).await
    }
    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        self.store.query(query).await
    }
    async fn count(&self, query: &Query) -> Result<u64, StoreError> {
        self.store.count(query).await
    }
    async fn commit(&self, transaction: Transaction) -> Result<(), StoreError> {
        let (before, after) = (self.before.lock().take(), self.after.lock().take());
        if let Some(before) = before {
            before().await;
        }
        let result = self.store.commit(transaction).await;
        if let Some(after) = after {
            after().await;
        }
        result
    }
    async fn tags(&self, arn: &str) -> Result<Arc<Vec<(String, String)>>, StoreError> {
        self.store.tags(arn).await
    }
    async fn idempotency(&self, scope: &str, token: &str) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.store.idempotency(scope, token).await
    }
    async fn outbox(&self, after: u64, limit: usize) -> Result<Vec<(u64, OutboxEvent)>, StoreError> {
        self.store.outbox(after, limit).await
    }
    async fn outbox_done(&self, through: u64) -> Result<(), StoreError> {
        self.store.outbox_done(through).await
    }
    async fn lease(&self, lease: &Lease) -> Result<bool, StoreError> {
        self.store.lease(lease).await
    }
    async fn blob_names(&self, after: &BlobName, limit: usize) -> Result<Vec<BlobName>, StoreError> {
        self.store.blob_names(after, limit).await
    }
    fn version(&self, kind_prefix: &str) -> u64 {
        self.store.version(kind_prefix)
    }
}
