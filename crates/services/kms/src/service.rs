//! The service: its store, its sealing key, its cache. Handlers and ports are implemented on it.
//!
//! INVARIANT: nothing but compiled policies is held in memory; key material is opened for one call and zeroed after it.

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use stoa_kernel::ApiError;
use stoa_seal::SealingKey;
use stoa_store::{Key, PageTokens, Store, StoreError, Transaction};
use stoa_types::{Clock, IdSource, Timestamp};
use stoa_work::Nudge;

use crate::access::Cache;
use crate::error::{not_found_key, store_failed, too_busy};
use crate::state::{KeyRecord, Loaded, index_status, load};

/// How often a change is tried again when another one came between.
const ATTEMPTS: usize = 32;

/// What the service is made of.
pub struct KmsParts {
    /// Where keys, aliases and grants are.
    pub store: Arc<dyn Store>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids and key material.
    pub ids: Arc<dyn IdSource>,
    /// Seals key material.
    pub key: SealingKey,
    /// Wakes the reconciler.
    pub nudge: Nudge,
}

/// KMS of one installation.
pub struct Kms {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) key: SealingKey,
    pub(crate) nudge: Nudge,
    pub(crate) page_tokens: PageTokens,
    pub(crate) access: RwLock<Cache>,
}

impl fmt::Debug for Kms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Kms")
    }
}

impl Kms {
    /// The service over these parts.
    pub fn new(parts: KmsParts) -> Arc<Kms> {
        let page_tokens = PageTokens::new(parts.key.derive(b"stoa/kms/page-tokens/v1"));
        Arc::new(Kms {
            store: parts.store,
            clock: parts.clock,
            ids: parts.ids,
            key: parts.key,
            nudge: parts.nudge,
            page_tokens,
            access: RwLock::default(),
        })
    }

    /// Changes a key and whatever else belongs to the change, again if another change came between.
    pub(crate) async fn modify_key<T>(
        &self,
        key: &Key,
        now: Timestamp,
        change: impl Fn(&mut KeyRecord, Transaction) -> Result<(Transaction, T), ApiError> + Send + Sync,
    ) -> Result<T, ApiError> {
        for _ in 0..ATTEMPTS {
            let Some(mut loaded) = load::<KeyRecord>(&*self.store, key).await? else {
                return Err(not_found_key(&key.id));
            };
            let (transaction, result) = change(&mut loaded.record, Transaction::new())?;
            let document = loaded.changed(now)?.with_status(index_status(&loaded.record));
            match self.store.commit(transaction.update(document)).await {
                Ok(()) => return Ok(result),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(store_failed(other)),
            }
        }
        Err(too_busy())
    }

    /// Changes nothing but the key.
    pub(crate) async fn change_key(
        &self,
        loaded: &Loaded<KeyRecord>,
        now: Timestamp,
        change: impl Fn(&mut KeyRecord) -> Result<(), ApiError> + Send + Sync,
    ) -> Result<(), ApiError> {
        self.modify_key(&loaded.document.key, now, |record, transaction| {
            change(record)?;
            Ok((transaction, ()))
        })
        .await
    }
}
