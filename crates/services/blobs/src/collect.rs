//! The collector: removes blobs that no document names.
//!
//! INVARIANT: a blob goes only if (1) nobody in this process pins it, from before the next check to after the removal;
//! (2) no document names it at that time, so every pin that was given up before has either its name or none; (3) it was
//! written or put again longer ago than the grace, which is what protects a put in another process; and (4) it was
//! seen without a name longer ago than the grace, which is what protects a reader that learned the digest while it
//! had one. A crash in the middle leaves blobs for the next pass.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stoa_blob::{BlobEntry, Digest};
use stoa_store::Lease;
use stoa_types::Timestamp;
use stoa_work::{PassError, PassReport, Reconciler, failpoint};

use crate::keeper::{BlobKeeper, KeeperError, PAGE};

/// How long a page of blobs may take before another process may conclude that this one died.
const LEASE_MILLIS: i64 = 10 * 60 * 1000;
/// Blobs without a name that are remembered; more wait for the next pass.
const MOST_REMEMBERED: usize = 1_000_000;

/// What a pass did, or would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Collected {
    /// Blobs that were looked at.
    pub examined: u64,
    /// Blobs that were removed (that would be).
    pub removed: u64,
    /// Their bytes.
    pub removed_bytes: u64,
    /// Blobs without a name that stay for now: younger than the grace, or just being put or read.
    pub waiting: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Blobs that could not be removed; the log says why.
    pub failed: u64,
}

impl BlobKeeper {
    /// One pass over all blobs. A dry run removes nothing and remembers nothing.
    pub async fn collect(&self, dry_run: bool) -> Result<Collected, KeeperError> {
        let _one_at_a_time = self.collecting.lock().await;
        let now = self.parts.clock.now();
        let grace = i64::try_from(self.parts.grace.as_millis()).unwrap_or(i64::MAX);
        let before = Timestamp::from_millis(now.millis().saturating_sub(grace));
        let mut collected = Collected::default();
        let (mut after, mut seen) = (None, HashMap::new());
        loop {
            if !dry_run && !self.lease(LEASE_MILLIS).await? {
                return Err(KeeperError::Elsewhere);
            }
            if !self.parts.blobs.is_owner().await? {
                return Err(KeeperError::Taken);
            }
            let page = self.parts.blobs.list(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.digest.clone());
            let named = self.named_among(&page).await?;
            for entry in &page {
                collected.examined += 1;
                if !named.contains(&entry.digest) {
                    let since = self.unnamed_since.lock().get(&entry.digest).copied().unwrap_or(now);
                    let ripe = entry.touched <= before && since <= before;
                    let gone = ripe && self.free(entry, before, dry_run, &mut collected).await;
                    if !gone {
                        collected.waiting += 1;
                        collected.waiting_bytes += entry.size;
                        if seen.len() < MOST_REMEMBERED {
                            seen.insert(entry.digest.clone(), since);
                        }
                    }
                }
            }
        }
        if !dry_run {
            *self.unnamed_since.lock() = seen;
            self.lease(0).await?;
            self.told(&collected);
        }
        Ok(collected)
    }

    async fn lease(&self, millis: i64) -> Result<bool, KeeperError> {
        let now = self.parts.clock.now();
        let (name, holder) = ("blobs.collect".to_owned(), self.parts.holder.clone());
        let lease = Lease { name, holder, now, until: now.plus_millis(millis) };
        Ok(self.parts.store.lease(&lease).await?)
    }

    async fn free(&self, entry: &BlobEntry, before: Timestamp, dry_run: bool, collected: &mut Collected) -> bool {
        let removed = match dry_run {
            true => Ok(!self.parts.blobs.pins().busy(&entry.digest)),
            false => self.remove(&entry.digest, before).await,
        };
        match removed {
            Ok(true) => {
                collected.removed += 1;
                collected.removed_bytes += entry.size;
                true
            }
            Ok(false) => false,
            Err(error) => {
                tracing::warn!(blob = entry.digest.as_str(), error = &*error, "a blob could not be removed");
                collected.failed += 1;
                false
            }
        }
    }

    /// Removes a blob, if it is still nobody's.
    async fn remove(&self, digest: &Digest, before: Timestamp) -> Result<bool, PassError> {
        let Some(removal) = self.parts.blobs.pins().removal(digest) else { return Ok(false) };
        if self.is_named(digest).await? {
            return Ok(false);
        }
        failpoint("blobs-collect-before-remove")?;
        let removed = self.parts.blobs.remove(&removal, before).await?;
        failpoint("blobs-collect-after-remove")?;
        Ok(removed)
    }

    fn told(&self, collected: &Collected) {
        let Collected { examined, removed, removed_bytes, waiting, failed, .. } = *collected;
        if removed > 0 || failed > 0 {
            tracing::info!(examined, removed, removed_bytes, waiting, failed, "blobs without a name were removed");
        } else {
            tracing::debug!(examined, waiting, "no blob was to be removed");
        }
    }
}

/// The collector as a reconciler.
#[derive(Debug)]
pub struct BlobCollector(Arc<BlobKeeper>);

impl BlobCollector {
    /// Over the keeper.
    pub fn new(keeper: Arc<BlobKeeper>) -> BlobCollector {
        BlobCollector(keeper)
    }
}

#[async_trait]
impl Reconciler for BlobCollector {
    fn name(&self) -> &'static str {
        "blobs.collect"
    }

    async fn pass(&self) -> Result<PassReport, PassError> {
        match self.0.collect(false).await {
            Ok(collected) => Ok(PassReport {
                examined: collected.examined,
                changed: collected.removed,
                failed: collected.failed,
                again_after: None,
            }),
            Err(KeeperError::Elsewhere) => Ok(PassReport::default()),
            Err(error) => Err(error.into()),
        }
    }
}
