//! Blobs that still are what their name says.
//!
//! A blob is read whole and hashed when it is first asked about, and again whenever its store says that it has another
//! version. One reading serves all who ask meanwhile, and goes on when they give up: whoever asks again finds it done.
//! What cannot be told from the outside (the disk below the file system changes bytes) is not guarded against.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::TryStreamExt;
use futures_util::future::{BoxFuture, FutureExt, Shared};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use stoa_blob::{BlobError, BlobStore, BlobVersion, Digest};
use stoa_kernel::ApiError;
use stoa_work::chain;
use tokio::sync::Semaphore;

use crate::service::Hubs;

/// Blobs that are remembered; past this all are forgotten, which costs time and nothing else.
const MOST: usize = 100_000;
/// Blobs that are read at the same time.
const AT_ONCE: usize = 4;
/// How often a blob is read for one answer while it changes under the reader.
const ATTEMPTS: usize = 4;

/// The end of a reading, with why it failed.
type Reading = Shared<BoxFuture<'static, Result<(), Arc<str>>>>;

#[derive(Default)]
struct Known {
    /// Whether a version was found to be what the digest says.
    verdicts: HashMap<Digest, (BlobVersion, bool)>,
    readings: HashMap<Digest, Reading>,
}

struct Inner {
    known: Mutex<Known>,
    turns: Semaphore,
}

/// What was hashed, and what is being hashed. Clones are the same.
#[derive(Clone)]
pub(crate) struct VerifiedBlobs(Arc<Inner>);

impl Default for VerifiedBlobs {
    fn default() -> VerifiedBlobs {
        VerifiedBlobs(Arc::new(Inner { known: Mutex::default(), turns: Semaphore::new(AT_ONCE) }))
    }
}

/// Takes a reading off the list when it ends, however it ends.
struct Ended {
    inner: Arc<Inner>,
    digest: Digest,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.inner.known.lock().readings.remove(&self.digest);
    }
}

impl VerifiedBlobs {
    /// Whether the blob is there with exactly the bytes that its digest names.
    pub async fn is_intact(&self, blobs: &Arc<dyn BlobStore>, digest: &Digest) -> Result<bool, ApiError> {
        for _ in 0..ATTEMPTS {
            let Some(now) = blobs.version(digest).await.map_err(ApiError::internal)? else { return Ok(false) };
            let reading = {
                let mut known = self.0.known.lock();
                if let Some((_, intact)) = known.verdicts.get(digest).filter(|(version, _)| *version == now) {
                    return Ok(*intact);
                }
                match known.readings.get(digest) {
                    // It may have begun before the version of now: then the next look begins another.
                    Some(reading) => reading.clone(),
                    None => {
                        let reading = self.begin(Arc::clone(blobs), digest.clone());
                        known.readings.insert(digest.clone(), reading.clone());
                        reading
                    }
                }
            };
            reading.await.map_err(|why| ApiError::internal(why.to_string()))?;
        }
        Err(ApiError::internal(format!("the blob {} changes while it is read", digest.as_str())))
    }

    /// A task of its own, so that no caller's end ends it.
    fn begin(&self, blobs: Arc<dyn BlobStore>, digest: Digest) -> Reading {
        let inner = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            let ended = Ended { inner, digest };
            let read = ended.inner.read(&*blobs, &ended.digest).await;
            read.map_err(|error| Arc::from(chain(&error)))
        });
        async move { task.await.unwrap_or_else(|panicked| Err(Arc::from(panicked.to_string()))) }.boxed().shared()
    }
}

impl Inner {
    /// Reads a blob and notes what it was, if it stayed the same meanwhile.
    async fn read(&self, blobs: &dyn BlobStore, digest: &Digest) -> Result<(), BlobError> {
        // Never closed.
        let _turn = self.turns.acquire().await;
        let Some(before) = blobs.version(digest).await? else { return Ok(()) };
        let mut stream = match blobs.get(digest, 0, None).await {
            Ok(stream) => stream,
            Err(BlobError::NotFound(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut hash = Sha256::new();
        while let Some(piece) = stream.try_next().await.map_err(BlobError::Backend)? {
            hash.update(&piece);
        }
        let intact = Digest::from_bytes(hash.finalize().into()) == *digest;
        if blobs.version(digest).await?.as_ref() != Some(&before) {
            return Ok(());
        }
        if !intact {
            let digest = digest.as_str();
            tracing::error!(digest, "a blob's bytes are not what its name says; nothing of it is served");
        }
        let mut known = self.known.lock();
        if known.verdicts.len() >= MOST {
            known.verdicts.clear();
        }
        known.verdicts.insert(digest.clone(), (before, intact));
        Ok(())
    }
}

impl Hubs {
    /// Whether the blob is there with exactly the bytes that its digest names.
    pub(crate) async fn is_intact(&self, digest: &str) -> Result<bool, ApiError> {
        let Some(digest) = Digest::parse(digest) else { return Ok(false) };
        self.verified.is_intact(self.parts.catalog.blobs(), &digest).await
    }

    /// Refuses bytes that are not what they were.
    pub(crate) async fn must_be_intact(&self, what: &str, digest: &str) -> Result<(), ApiError> {
        if self.is_intact(digest).await? {
            return Ok(());
        }
        Err(ApiError::validation(format!(
            "{what} is not what was imported: its bytes no longer have the SHA-256 {digest}. Nothing of it is served; an \
             operator restores it from a backup or imports it again"
        )))
    }
}

#[cfg(test)]
mod tests;
