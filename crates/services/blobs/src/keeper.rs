//! What collector, scrub and account share: the store, the blobs, and which of them a page of digests is named.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use stoa_blob::{BlobEntry, BlobError, BlobStore, Digest};
use stoa_store::{BlobName, Store, StoreError};
use stoa_types::{Clock, Timestamp};

/// Blobs and names that are read at once.
pub(crate) const PAGE: usize = 1000;

/// What a keeper is made of.
pub struct KeeperParts {
    /// Where the names are.
    pub store: Arc<dyn Store>,
    /// Where the bytes are.
    pub blobs: Arc<dyn BlobStore>,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// How long a blob may be without a name before it goes.
    pub grace: Duration,
    /// Who holds the lease of the collection: unique among the processes of one store, and the same after a crash.
    pub holder: String,
}

/// Knows which blobs are whose.
pub struct BlobKeeper {
    pub(crate) parts: KeeperParts,
    /// When each blob that has no name was first seen without one.
    pub(crate) unnamed_since: Mutex<HashMap<Digest, Timestamp>>,
    pub(crate) collecting: tokio::sync::Mutex<()>,
}

/// Why blobs could not be looked after.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The document store failed. Internal.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blob store failed. Internal.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// Another process of the same store collects just now.
    #[error("another process collects blobs just now")]
    Elsewhere,
    /// Another data folder has taken the place where the blobs are, and knows of names that this one does not.
    #[error("another data folder has taken these blobs, so none is collected from here: see docs/operators/blobs.md")]
    Taken,
}

impl std::fmt::Debug for BlobKeeper {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("BlobKeeper").field("grace", &self.parts.grace).finish_non_exhaustive()
    }
}

impl BlobKeeper {
    /// A keeper that has seen nothing yet.
    pub fn new(parts: KeeperParts) -> BlobKeeper {
        BlobKeeper { parts, unnamed_since: Mutex::default(), collecting: tokio::sync::Mutex::default() }
    }

    /// Which digests of a page, which is in order, have a name.
    pub(crate) async fn named_among(&self, page: &[BlobEntry]) -> Result<HashSet<Digest>, KeeperError> {
        let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(HashSet::new()) };
        let mut named = HashSet::with_capacity(page.len());
        let mut after = BlobName::before(first.digest.as_str());
        loop {
            let names = self.parts.store.blob_names(&after, PAGE).await?;
            for name in names.iter().filter(|name| name.digest.as_str() <= last.digest.as_str()) {
                named.extend(Digest::parse(&name.digest));
            }
            match names.last() {
                // One name is as good as many: a blob that a million objects share is passed by.
                Some(name) if names.len() == PAGE && name.digest.as_str() < last.digest.as_str() => {
                    after = BlobName::behind(&name.digest);
                }
                _ => return Ok(named),
            }
        }
    }

    /// Whether some document names the blob now.
    pub(crate) async fn is_named(&self, digest: &Digest) -> Result<bool, KeeperError> {
        let found = self.parts.store.blob_names(&BlobName::before(digest.as_str()), 1).await?;
        Ok(found.first().is_some_and(|name| name.digest == digest.as_str()))
    }
}
