//! Blobs that still are what their name says.
//!
//! A blob is read whole and hashed when it is first asked about, and again whenever its file's size, times or inode are
//! not what they were then. Whoever can change bytes without that (the disk below the file system) is not guarded against.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use futures_util::TryStreamExt;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use stoa_blob::Digest;
use stoa_kernel::ApiError;

use crate::service::Hubs;

/// Blobs that are remembered; past this all are forgotten, which costs time and nothing else.
const MOST: usize = 100_000;

/// Size, inode, and times of change of content and of the inode.
type Stamp = [i64; 6];

/// What was hashed, as it was then.
#[derive(Debug, Default)]
pub(crate) struct VerifiedBlobs(Mutex<HashMap<String, Stamp>>);

impl Hubs {
    /// Whether the blob is there with exactly the bytes that its digest names.
    pub(crate) async fn is_intact(&self, digest: &str) -> Result<bool, ApiError> {
        let Some(name) = Digest::parse(digest) else { return Ok(false) };
        let blobs = self.parts.catalog.blobs();
        if blobs.size(&name).await.map_err(ApiError::internal)?.is_none() {
            return Ok(false);
        }
        let path = blobs.local_path(&name).await.map_err(ApiError::internal)?;
        let before = match &path {
            Some(path) => Some(stamp(path).await?),
            None => None,
        };
        if before.is_some() && self.verified.0.lock().get(digest).copied() == before {
            return Ok(true);
        }
        let mut stream = blobs.get(&name, 0, None).await.map_err(ApiError::internal)?;
        let mut hash = Sha256::new();
        while let Some(chunk) = stream.try_next().await.map_err(ApiError::internal)? {
            hash.update(&chunk);
        }
        if hex::encode(hash.finalize()) != digest {
            tracing::error!(digest, "a blob's bytes are not what its name says; nothing of it is served");
            return Ok(false);
        }
        if let Some(before) = before {
            let mut verified = self.verified.0.lock();
            if verified.len() >= MOST {
                verified.clear();
            }
            verified.insert(digest.to_owned(), before);
        }
        Ok(true)
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

async fn stamp(path: &Path) -> Result<Stamp, ApiError> {
    let found = tokio::fs::metadata(path).await.map_err(ApiError::internal)?;
    let unsigned = |value: u64| i64::from_ne_bytes(value.to_ne_bytes());
    Ok([
        unsigned(found.size()),
        unsigned(found.ino()),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec(),
    ])
}
