//! The keeper on the in-memory store and local blobs.
#![expect(clippy::disallowed_methods, reason = "files have the system's time")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail the test")]

use std::sync::Arc;
use std::time::Duration;

use stoa_blob::{BlobStore, Digest, Pin, put_bytes, read_all};
use stoa_blob_fs::FsBlobs;
use stoa_blobs::{BlobKeeper, KeeperParts, Trouble, Verify};
use stoa_store::{Document, Expect, Key, Lease, MemoryStore, Store, Transaction};
use stoa_types::{AccountId, Clock, FixedClock, Timestamp};

const HOUR: i64 = 3_600_000;

struct World {
    store: Arc<MemoryStore>,
    blobs: Arc<FsBlobs>,
    clock: Arc<FixedClock>,
    keeper: BlobKeeper,
    folder: tempfile::TempDir,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Arc::new(FsBlobs::open(folder.path()).unwrap());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    // Files have the system's time; the keeper's is a second later and stands still.
    let clock = Arc::new(FixedClock::at(Timestamp::from_millis(now + 1000)));
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let keeper = BlobKeeper::new(KeeperParts {
        store: store.clone(),
        blobs: blobs.clone(),
        clock: clock.clone(),
        grace: Duration::from_secs(3600),
        holder: "this".to_owned(),
    });
    World { store, blobs, clock, keeper, folder }
}

fn key(kind: &'static str, id: &str) -> Key {
    Key { kind, account: AccountId::from_number(1), region: None, id: id.to_owned() }
}

impl World {
    async fn put(&self, bytes: &str) -> (Digest, Pin) {
        let written = put_bytes(&*self.blobs, bytes.to_owned()).await.unwrap();
        (written.digest, written.pin)
    }
    async fn name(&self, id: &str, digest: &Digest) {
        let document = Document::new(key("s3:object", id), id, self.clock.now(), &"").unwrap();
        self.store.commit(Transaction::new().put(document.with_blobs([digest.as_str()]))).await.unwrap();
    }
    async fn unname(&self, id: &str) {
        self.store.commit(Transaction::new().delete(key("s3:object", id), Expect::Present)).await.unwrap();
    }
    async fn there(&self, digest: &Digest) -> bool {
        self.blobs.size(digest).await.unwrap().is_some()
    }
    /// Overwrites a blob's file as a failing disk would.
    async fn damage(&self, digest: &Digest) {
        let path = self.blobs.local_path(digest).await.unwrap().unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(path, "rotten").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_names_goes_after_the_grace() {
    let world = world();
    let ((named, _), (unnamed, _)) = (world.put("named").await, world.put("unnamed").await);
    world.name("b/one", &named).await;
    world.name("b/two", &named).await;
    let first = world.keeper.collect(false).await.unwrap();
    assert_eq!((first.examined, first.removed, first.waiting, first.waiting_bytes), (2, 0, 1, 7), "too young");
    world.clock.advance_millis(2 * HOUR);
    let dry = world.keeper.collect(true).await.unwrap();
    assert_eq!((dry.removed, dry.removed_bytes, world.there(&unnamed).await), (1, 7, true), "a dry run only tells");
    let second = world.keeper.collect(false).await.unwrap();
    assert_eq!((second.removed, second.removed_bytes, second.waiting), (1, 7, 0));
    assert!(world.there(&named).await && !world.there(&unnamed).await);
    world.unname("b/one").await;
    world.clock.advance_millis(2 * HOUR);
    world.keeper.collect(false).await.unwrap();
    assert!(world.there(&named).await, "one name is enough");
    world.unname("b/two").await;
    world.keeper.collect(false).await.unwrap();
    assert!(world.there(&named).await, "a reader may have learned the digest a moment ago");
    world.clock.advance_millis(2 * HOUR);
    world.keeper.collect(false).await.unwrap();
    assert!(!world.there(&named).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_and_a_put_of_present_bytes_keep_a_blob() {
    let world = world();
    let (digest, pin) = world.put("kept").await;
    world.keeper.collect(false).await.unwrap();
    world.clock.advance_millis(2 * HOUR);
    assert_eq!(world.keeper.collect(false).await.unwrap().removed, 0, "pinned");
    drop(pin);
    // As old as it can be, then put again: its age is that of the second put.
    let path = world.blobs.local_path(&digest).await.unwrap().unwrap();
    let age = || std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::File::open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let old = age();
    drop(world.put("kept").await);
    assert!(age() > old, "a put renews the age");
    assert_eq!(world.keeper.collect(false).await.unwrap().removed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_put_that_races_with_the_collection_always_has_its_bytes() {
    let world = Arc::new(world());
    // Everything is ripe at once: the clock is far ahead of the files, and the grace has passed for all that was seen.
    let keeper = Arc::new(BlobKeeper::new(KeeperParts {
        store: world.store.clone(),
        blobs: world.blobs.clone(),
        clock: world.clock.clone(),
        grace: Duration::ZERO,
        holder: "racer".to_owned(),
    }));
    world.clock.advance_millis(HOUR);
    let collecting = tokio::spawn({
        let keeper = keeper.clone();
        async move {
            let mut removed = 0;
            for _ in 0..300 {
                removed += keeper.collect(false).await.unwrap().removed;
                tokio::task::yield_now().await;
            }
            removed
        }
    });
    let mut rounds = 0_u32;
    while !collecting.is_finished() || rounds < 200 {
        let id = format!("b/{}", rounds % 4);
        let (digest, pin) = world.put("the same bytes every time").await;
        world.name(&id, &digest).await;
        drop(pin);
        assert_eq!(read_all(&*world.blobs, &digest).await.unwrap(), "the same bytes every time", "round {rounds}");
        world.unname(&id).await;
        rounds += 1;
    }
    let removed = collecting.await.unwrap();
    assert!(removed > 0, "the race was never run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_collects_at_a_time() {
    let world = world();
    let now = world.clock.now();
    let (name, holder) = ("blobs.collect".to_owned(), "another".to_owned());
    let theirs = Lease { name, holder, now, until: now.plus_millis(HOUR) };
    assert!(world.store.lease(&theirs).await.unwrap());
    assert!(world.keeper.collect(false).await.is_err());
    assert!(world.keeper.collect(true).await.is_ok(), "a dry run disturbs nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrub_names_what_is_damaged_and_missing_and_who_named_it() {
    let world = world();
    let mut digests = Vec::new();
    for bytes in ["whole", "damaged", "missing", "damaged and nobody's"] {
        digests.push(world.put(bytes).await.0);
    }
    world.name("b/whole", &digests[0]).await;
    world.name("b/damaged", &digests[1]).await;
    world.name("c/damaged too", &digests[1]).await;
    world.name("b/missing", &digests[2]).await;
    assert_eq!(world.keeper.verify(Verify::default(), |_| {}).await.unwrap().findings, []);
    world.damage(&digests[1]).await;
    world.damage(&digests[3]).await;
    world.blobs.delete(&digests[2]).await.unwrap();
    let mut last = None;
    let looked = Verify { fix_nothing: true, bytes_per_second: None };
    let verified = world.keeper.verify(looked, |progress| last = Some(progress)).await.unwrap();
    let progress = last.unwrap();
    assert_eq!((progress.blobs, progress.all_blobs, verified.blobs), (3, 3, 3));
    let of = |digest: &Digest| verified.findings.iter().find(|finding| finding.digest == digest.as_str());
    assert_eq!(verified.findings.len(), 3);
    let damaged = of(&digests[1]).unwrap();
    assert_eq!((damaged.trouble, damaged.set_aside), (Trouble::Damaged, false));
    assert_eq!(damaged.named_by, ["s3://b/damaged", "s3://c/damaged too"]);
    let missing = of(&digests[2]).unwrap();
    assert_eq!(
        (missing.trouble, missing.named_by.as_slice()),
        (Trouble::Missing, ["s3://b/missing".to_owned()].as_slice())
    );
    assert!(of(&digests[3]).unwrap().named_by.is_empty());
    assert!(world.there(&digests[1]).await, "nothing was touched");

    let verified = world.keeper.verify(Verify::default(), |_| {}).await.unwrap();
    assert_eq!(verified.findings.iter().filter(|finding| finding.set_aside).count(), 2);
    assert!(!world.there(&digests[1]).await);
    assert!(world.folder.path().join("damaged").join(digests[1].as_str()).is_file());
    drop(world.put("damaged").await);
    let verified = world.keeper.verify(Verify::default(), |_| {}).await.unwrap();
    assert_eq!(verified.findings.len(), 1, "put again, it is whole: {verified:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_account_counts_blobs_and_names() {
    let world = world();
    let ((one, _), _) = (world.put("four").await, world.put("seven!!").await);
    world.name("b/one", &one).await;
    world.name("b/two", &one).await;
    let usage = world.keeper.usage().await.unwrap();
    assert_eq!((usage.blobs, usage.bytes, usage.unnamed, usage.unnamed_bytes, usage.names), (2, 11, 1, 7, 2));
}
