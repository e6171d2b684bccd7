//! Deletes the keys whose waiting period is over, and rotates those whose material is due.
//!
//! INVARIANT: a key is deleted in one transaction with its aliases, grants and tags, at the generation at which it was
//! found due: one whose deletion was cancelled in between stays. A crash leaves a key as it was or gone; the next pass
//! goes on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stoa_kernel::ApiError;
use stoa_models_kms::types::RotationType;
use stoa_store::{Document, Expect, Query, StoreError, Transaction};
use stoa_types::Timestamp;
use stoa_work::{PassError, PassReport, Reconciler, failpoint};

use crate::Kms;
use crate::error::store_failed;
use crate::key::rotate;
use crate::state::{KeyRecord, Loaded, State, alias_key, grant_key, index_status, kind};

const BATCH: usize = 500;

/// The reconciler of keys.
#[derive(Debug)]
pub struct KeyReconciler(Arc<Kms>);

impl KeyReconciler {
    /// Over the service.
    pub fn new(kms: Arc<Kms>) -> KeyReconciler {
        KeyReconciler(kms)
    }
}

/// What is to be done with a key now. Pure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Rotate,
    Delete,
}

pub(crate) fn due(key: &KeyRecord, now: Timestamp) -> Due {
    match key.state {
        State::PendingDeletion if key.deletion.is_some_and(|deletion| deletion.at <= now) => Due::Delete,
        State::Enabled if key.rotation.is_some_and(|rotation| rotation.next <= now) => Due::Rotate,
        _ => Due::Nothing,
    }
}

#[async_trait]
impl Reconciler for KeyReconciler {
    fn name(&self) -> &'static str {
        "kms.keys"
    }

    async fn pass(&self) -> Result<PassReport, PassError> {
        let kms = &self.0;
        let now = kms.clock.now();
        let mut query = Query::of(kind::KEY).limit(BATCH);
        query.statuses = vec!["PendingDeletion".to_owned(), "Rotating".to_owned()];
        let mut report = PassReport::default();
        loop {
            let page = kms.store.query(&query).await?;
            for document in page.documents {
                report.examined += 1;
                match kms.reconcile(document, now).await {
                    Ok(changed) => report.changed += u64::from(changed),
                    Err(error) => {
                        tracing::warn!(%error, "a key could not be brought up to date");
                        report.failed += 1;
                    }
                }
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(report),
            }
        }
    }
}

impl Kms {
    async fn reconcile(&self, document: Arc<Document>, now: Timestamp) -> Result<bool, ApiError> {
        let record: KeyRecord = document.decode().map_err(store_failed)?;
        let mut key = Loaded { document, record };
        match due(&key.record, now) {
            Due::Nothing => return Ok(false),
            Due::Delete => {
                failpoint("kms.key.delete").map_err(ApiError::internal)?;
                self.erase(&key).await?;
            }
            Due::Rotate => {
                let material = self.next_material(&key.record, RotationType::Automatic, now)?;
                rotate(&mut key.record, material, now);
                let changed = key.changed(now)?.with_status(index_status(&key.record));
                match self.store.commit(Transaction::new().update(changed)).await {
                    // Somebody changed it: the next pass looks again.
                    Ok(()) | Err(StoreError::Conflict { .. }) => {}
                    Err(other) => return Err(store_failed(other)),
                }
            }
        }
        Ok(true)
    }

    /// Removes a key with all that belongs to it.
    pub(crate) async fn erase(&self, key: &Loaded<KeyRecord>) -> Result<(), ApiError> {
        let owner = &key.document.key;
        let Some(region) = &owner.region else { return Ok(()) };
        let expect = Expect::Generation(key.document.generation);
        let mut transaction = Transaction::new().delete(owner.clone(), expect).set_tags(&key.record.arn, Vec::new());
        for alias in &key.record.aliases {
            transaction = transaction.delete(alias_key(&owner.account, region, alias), Expect::Any);
        }
        for grant in self.grants_of(key).await? {
            let key = grant_key(&owner.account, region, &key.record.id, &grant.id);
            transaction = transaction.delete(key, Expect::Any);
        }
        match self.store.commit(transaction).await {
            Ok(()) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(other) => Err(store_failed(other)),
        }
    }
}

impl Kms {
    /// How often the reconciler looks when nothing nudges.
    pub const PERIOD: Duration = Duration::from_secs(30);
}
