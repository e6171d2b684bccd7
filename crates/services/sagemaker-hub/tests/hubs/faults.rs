//! Blobs whose disk is full, and that do something in the middle of a read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use stoa_blob::{BlobEntry, BlobError, BlobStore, BlobVersion, ByteStream, Digest, Pin, Pins, Removal, Written};
use stoa_blob_fs::FsBlobs;
use stoa_sagemaker_hub::Catalog;
use stoa_types::Timestamp;

use crate::support::World;

pub struct Faulty {
    inner: FsBlobs,
    pub full: AtomicBool,
    /// Run at the next read.
    pub at_read: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

/// The world's catalog over blobs of its own folder that can be made to fail.
pub fn faulty(world: &World) -> (Arc<Faulty>, Catalog) {
    let inner = FsBlobs::open(world.folder.path()).unwrap();
    let blobs = Arc::new(Faulty { inner, full: AtomicBool::new(false), at_read: Mutex::new(None) });
    let catalog = Catalog::new(world.store.clone(), blobs.clone(), world.clock.clone());
    (blobs, catalog)
}

/// The file of a blob in the world's folder.
pub fn blob_file(world: &World, digest: &str) -> PathBuf {
    let folder: &Path = world.folder.path();
    folder.join("blobs").join(&digest[..2]).join(digest)
}

#[async_trait]
impl BlobStore for Faulty {
    async fn put(&self, bytes: ByteStream) -> Result<Written, BlobError> {
        if self.full.load(Ordering::Relaxed) {
            return Err(BlobError::Full("no space left on device".into()));
        }
        self.inner.put(bytes).await
    }
    async fn get(&self, digest: &Digest, offset: u64, length: Option<u64>) -> Result<ByteStream, BlobError> {
        if let Some(act) = self.at_read.lock().take() {
            act();
        }
        self.inner.get(digest, offset, length).await
    }
    async fn size(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        self.inner.size(digest).await
    }
    async fn version(&self, digest: &Digest) -> Result<Option<BlobVersion>, BlobError> {
        self.inner.version(digest).await
    }
    async fn hold(&self, digest: &Digest) -> Result<Option<Pin>, BlobError> {
        self.inner.hold(digest).await
    }
    async fn list(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<BlobEntry>, BlobError> {
        self.inner.list(after, limit).await
    }
    async fn remove(&self, removal: &Removal, before: Timestamp) -> Result<bool, BlobError> {
        self.inner.remove(removal, before).await
    }
    async fn set_aside(&self, removal: &Removal) -> Result<(), BlobError> {
        self.inner.set_aside(removal).await
    }
    fn pins(&self) -> &Pins {
        self.inner.pins()
    }
    async fn delete(&self, digest: &Digest) -> Result<(), BlobError> {
        self.inner.delete(digest).await
    }
    async fn local_path(&self, digest: &Digest) -> Result<Option<PathBuf>, BlobError> {
        self.inner.local_path(digest).await
    }
}
