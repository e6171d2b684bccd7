//! What is read, how often, and what of it is believed.

use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use async_trait::async_trait;
use stoa_blob::{BlobEntry, ByteStream, Pin, Pins, Removal, Written, put_bytes};
use stoa_blob_fs::FsBlobs;
use stoa_types::Timestamp;

use super::*;

/// Local files whose readings are counted, each waiting for a permit. It has no local paths to give.
struct Counted {
    files: FsBlobs,
    readings: AtomicUsize,
    gate: Semaphore,
}

#[async_trait]
impl BlobStore for Counted {
    async fn put(&self, bytes: ByteStream) -> Result<Written, BlobError> {
        self.files.put(bytes).await
    }
    async fn get(&self, digest: &Digest, offset: u64, length: Option<u64>) -> Result<ByteStream, BlobError> {
        self.readings.fetch_add(1, SeqCst);
        self.gate.acquire().await.unwrap().forget();
        self.files.get(digest, offset, length).await
    }
    async fn size(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        self.files.size(digest).await
    }
    async fn version(&self, digest: &Digest) -> Result<Option<BlobVersion>, BlobError> {
        self.files.version(digest).await
    }
    async fn hold(&self, digest: &Digest) -> Result<Option<Pin>, BlobError> {
        self.files.hold(digest).await
    }
    async fn list(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<BlobEntry>, BlobError> {
        self.files.list(after, limit).await
    }
    async fn remove(&self, removal: &Removal, before: Timestamp) -> Result<bool, BlobError> {
        self.files.remove(removal, before).await
    }
    async fn set_aside(&self, removal: &Removal) -> Result<(), BlobError> {
        self.files.set_aside(removal).await
    }
    fn pins(&self) -> &Pins {
        self.files.pins()
    }
    async fn delete(&self, digest: &Digest) -> Result<(), BlobError> {
        self.files.delete(digest).await
    }
    async fn local_path(&self, digest: &Digest) -> Result<Option<PathBuf>, BlobError> {
        panic!("{} is fetched to be looked at", digest.as_str())
    }
}

struct World {
    counted: Arc<Counted>,
    blobs: Arc<dyn BlobStore>,
    verified: VerifiedBlobs,
    digest: Digest,
    _folder: tempfile::TempDir,
}

/// With one blob, larger than what stores keep in memory.
async fn world(permits: usize) -> World {
    let folder = tempfile::tempdir().unwrap();
    let files = FsBlobs::open(folder.path()).unwrap();
    let counted = Arc::new(Counted { files, readings: AtomicUsize::new(0), gate: Semaphore::new(permits) });
    let blobs: Arc<dyn BlobStore> = counted.clone();
    let digest = put_bytes(&*blobs, vec![7; 100_000]).await.unwrap().digest;
    World { counted, blobs, verified: VerifiedBlobs::default(), digest, _folder: folder }
}

impl World {
    async fn is_intact(&self) -> bool {
        self.verified.is_intact(&self.blobs, &self.digest).await.unwrap()
    }
    fn readings(&self) -> usize {
        self.counted.readings.load(SeqCst)
    }
    async fn path(&self) -> PathBuf {
        self.counted.files.local_path(&self.digest).await.unwrap().unwrap()
    }
    /// Changes one byte where it is and sets the time back; waits until the kernel's clock has moved.
    async fn tamper(&self) {
        let path = self.path().await;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let before = std::fs::metadata(&path).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let changed = |found: &std::fs::Metadata| (found.ctime(), found.ctime_nsec());
        while changed(&std::fs::metadata(&path).unwrap()) == changed(&before) {
            file.write_all_at(&[8], 50_000).unwrap();
            file.set_modified(before.modified().unwrap()).unwrap();
        }
        let after = std::fs::metadata(&path).unwrap();
        assert_eq!((after.len(), after.modified().unwrap()), (before.len(), before.modified().unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_reading_serves_all_who_ask_and_lasts() {
    let world = Arc::new(world(0).await);
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.is_intact().await })
        })
        .collect();
    world.counted.gate.add_permits(100);
    for answer in asking {
        assert!(answer.await.unwrap());
    }
    assert_eq!(world.readings(), 1);
    let link = world.path().await.with_extension("container");
    std::fs::hard_link(world.path().await, &link).unwrap();
    assert!(world.is_intact().await, "a container has it");
    drop(world.blobs.hold(&world.digest).await.unwrap().unwrap());
    drop(put_bytes(&*world.blobs, vec![7; 100_000]).await.unwrap());
    assert!(world.is_intact().await, "it was held and put again");
    std::fs::remove_file(link).unwrap();
    assert!(world.is_intact().await, "the container ended");
    assert_eq!(world.readings(), 1, "it is the blob of before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_goes_on_when_its_caller_gives_up() {
    let world = world(0).await;
    for _ in 0..3 {
        let mut asking = Box::pin(world.is_intact());
        let begun = std::future::poll_fn(|context| {
            assert!(asking.as_mut().poll(context).is_pending(), "it waits at the gate");
            std::task::Poll::Ready(())
        });
        begun.await;
    }
    world.counted.gate.add_permits(1);
    assert!(world.is_intact().await);
    assert_eq!(world.readings(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_were_tampered_with_after_a_good_reading_are_found_out() {
    let world = world(100).await;
    assert!(world.is_intact().await);
    world.tamper().await;
    assert!(!world.is_intact().await, "of the same length, with the time set back");
    assert!(!world.is_intact().await);
    assert_eq!(world.readings(), 2, "what is wrong is not read for each who asks");
    drop(world.blobs.hold(&world.digest).await.unwrap().unwrap());
    assert!(!world.is_intact().await, "a renewed age makes nothing of it good");
    world.blobs.delete(&world.digest).await.unwrap();
    assert!(!world.is_intact().await, "nothing is there");
    drop(put_bytes(&*world.blobs, vec![7; 100_000]).await.unwrap());
    assert!(world.is_intact().await, "put again");
    assert_eq!(world.readings(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_after_the_tampering_is_not_told_of_before() {
    let world = Arc::new(world(0).await);
    let asking = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.is_intact().await }
    });
    // The reading has begun, under the version of before.
    while world.readings() == 0 {
        tokio::task::yield_now().await;
    }
    world.tamper().await;
    world.counted.gate.add_permits(100);
    assert!(!world.is_intact().await);
    assert!(!asking.await.unwrap());
}
