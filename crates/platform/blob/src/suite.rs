//! The behaviour every blob store must have; drivers run it in their tests.
//!
//! Each check works on blobs of its own, so one store can serve all of them, also at the same time.

use std::error::Error;
use std::io;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use sha2::{Digest as _, Sha256};

use stoa_types::Timestamp;

use crate::{BlobError, BlobStore, ByteStream, Digest, collect, put_bytes, read_all};

type Check = Result<(), Box<dyn Error + Send + Sync>>;

/// Runs every check.
pub async fn run(store: &dyn BlobStore) -> Check {
    round_trips(store).await?;
    ranges(store).await?;
    same_bytes_are_one_blob(store).await?;
    a_failed_source_leaves_nothing(store).await?;
    a_dropped_put_leaves_nothing(store).await?;
    deleting(store).await?;
    versions(store).await?;
    concurrent_puts_of_the_same_bytes(store).await?;
    holding(store).await?;
    listing(store).await?;
    removing(store).await?;
    setting_aside(store).await?;
    local_files_hold_exactly_the_bytes(store).await
}

/// Bytes that no other check uses, without a short period.
fn sample(seed: u8, length: usize) -> Bytes {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(next).collect::<Vec<u8>>().into()
}

fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

fn in_pieces(bytes: &Bytes, size: usize) -> ByteStream {
    let pieces: Vec<_> = bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces).boxed()
}

async fn round_trips(store: &dyn BlobStore) -> Check {
    for (seed, length) in [0, 1, 4096, 65_536, 65_537, 1_048_576, 3_000_001].into_iter().enumerate() {
        let bytes = sample(seed as u8, length);
        let written = store.put(in_pieces(&bytes, 10_007)).await?;
        assert_eq!(written.digest, digest_of(&bytes), "the name of {length} bytes");
        assert_eq!(written.size, length as u64);
        assert_eq!(store.size(&written.digest).await?, Some(length as u64));
        assert!(read_all(store, &written.digest).await? == bytes, "{length} bytes come back as they were");
    }
    Ok(())
}

async fn ranges(store: &dyn BlobStore) -> Check {
    for length in [50_000, 2_500_000] {
        let bytes = sample(20, length);
        let digest = put_bytes(store, bytes.clone()).await?.digest;
        let end = length as u64;
        let cases = [
            (0, Some(1)),
            (7, Some(40_000)),
            (end - 3, None),
            (end - 3, Some(100)),
            (end, None),
            (end + 5, Some(5)),
            (10, Some(0)),
            (1, None),
        ];
        for (offset, wanted) in cases {
            let from = usize::try_from(offset.min(end))?;
            let to = wanted.map_or(length, |wanted: u64| (from + wanted as usize).min(length));
            let found = collect(store.get(&digest, offset, wanted).await?).await?;
            assert!(found == bytes.slice(from..to), "{offset} + {wanted:?} of {length}");
        }
    }
    Ok(())
}

async fn same_bytes_are_one_blob(store: &dyn BlobStore) -> Check {
    let bytes = sample(30, 200_000);
    let first = put_bytes(store, bytes.clone()).await?;
    let again = store.put(in_pieces(&bytes, 999)).await?;
    assert_eq!(first, again);
    assert!(read_all(store, &again.digest).await? == bytes);
    Ok(())
}

async fn a_failed_source_leaves_nothing(store: &dyn BlobStore) -> Check {
    let bytes = sample(40, 3_000_000);
    let broken = || -> Box<dyn Error + Send + Sync> { Box::new(io::Error::other("the client went away")) };
    let source = in_pieces(&bytes, 50_000).chain(stream::iter([Err(broken())])).boxed();
    let result = store.put(source).await;
    assert!(matches!(result, Err(BlobError::Source(_))), "{result:?}");
    assert_eq!(store.size(&digest_of(&bytes)).await?, None);
    let result = store.get(&digest_of(&bytes), 0, None).await;
    assert!(matches!(result, Err(BlobError::NotFound(_))));
    Ok(())
}

async fn a_dropped_put_leaves_nothing(store: &dyn BlobStore) -> Check {
    let bytes = sample(41, 3_000_000);
    let endless = in_pieces(&bytes, 50_000).chain(stream::pending()).boxed();
    let put = store.put(endless);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(200), put).await.is_err());
    assert_eq!(store.size(&digest_of(&bytes)).await?, None);
    Ok(())
}

async fn deleting(store: &dyn BlobStore) -> Check {
    let digest = put_bytes(store, sample(50, 1000)).await?.digest;
    store.delete(&digest).await?;
    assert_eq!(store.size(&digest).await?, None);
    assert_eq!(store.local_path(&digest).await?, None);
    store.delete(&digest).await?;
    Ok(())
}

async fn versions(store: &dyn BlobStore) -> Check {
    let bytes = sample(51, 70_000);
    assert_eq!(store.version(&digest_of(&bytes)).await?, None);
    let digest = put_bytes(store, bytes.clone()).await?.digest;
    let first = store.version(&digest).await?;
    assert!(first.is_some());
    assert_eq!(store.version(&digest).await?, first, "looking changes nothing");
    drop(store.hold(&digest).await?.ok_or("not there")?);
    drop(put_bytes(store, bytes).await?);
    assert_eq!(store.version(&digest).await?, first, "a hold and a put of present bytes change nothing");
    Ok(())
}

async fn concurrent_puts_of_the_same_bytes(store: &dyn BlobStore) -> Check {
    let bytes = sample(60, 1_500_000);
    let puts = (0..8).map(|index| store.put(in_pieces(&bytes, 30_000 + index)));
    for written in futures_util::future::join_all(puts).await {
        assert_eq!(written?.digest, digest_of(&bytes));
    }
    assert!(read_all(store, &digest_of(&bytes)).await? == bytes);
    Ok(())
}

/// Later than any blob was touched.
const NEVER: Timestamp = Timestamp::from_millis(i64::MAX);

async fn touched(store: &dyn BlobStore, digest: &Digest) -> Result<Option<Timestamp>, BlobError> {
    let mut after = None;
    loop {
        let page = store.list(after.as_ref(), 1000).await?;
        if let Some(found) = page.iter().find(|entry| entry.digest == *digest) {
            return Ok(Some(found.touched));
        }
        match page.last() {
            Some(last) => after = Some(last.digest.clone()),
            None => return Ok(None),
        }
    }
}

async fn holding(store: &dyn BlobStore) -> Check {
    let written = put_bytes(store, sample(80, 5000)).await?;
    let digest = written.digest.clone();
    assert!(store.pins().removal(&digest).is_none(), "what was put is pinned");
    drop(written);
    let first = touched(store, &digest).await?.ok_or("not listed")?;
    let pin = store.hold(&digest).await?.ok_or("not there")?;
    assert!(store.pins().removal(&digest).is_none(), "what is held is pinned");
    assert!(touched(store, &digest).await? >= Some(first), "its age is renewed");
    drop(pin);
    let absent = digest_of(&sample(81, 5000));
    assert!(store.hold(&absent).await?.is_none());
    assert!(store.pins().removal(&absent).is_some(), "what is not there is not pinned");
    Ok(())
}

async fn listing(store: &dyn BlobStore) -> Check {
    let mut wanted = Vec::new();
    for seed in 90..110 {
        wanted.push(put_bytes(store, sample(seed, usize::from(seed))).await?);
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(after.as_ref(), 7).await?;
        assert!(page.len() <= 7);
        let Some(last) = page.last() else { break };
        after = Some(last.digest.clone());
        found.extend(page);
    }
    assert!(found.is_sorted_by(|left, right| left.digest < right.digest), "in order, each once");
    for written in wanted {
        assert!(found.iter().any(|entry| entry.digest == written.digest && entry.size == written.size));
    }
    Ok(())
}

async fn removing(store: &dyn BlobStore) -> Check {
    let bytes = sample(110, 70_000);
    let written = put_bytes(store, bytes.clone()).await?;
    let digest = written.digest.clone();
    drop(written);
    let at = touched(store, &digest).await?.ok_or("not listed")?;
    let removal = store.pins().removal(&digest).ok_or("pinned")?;
    assert!(!store.remove(&removal, at.plus_millis(-1)).await?, "touched after that");
    assert_eq!(store.size(&digest).await?, Some(70_000));
    assert!(store.remove(&removal, NEVER).await?);
    assert_eq!(store.size(&digest).await?, None);
    assert!(store.remove(&removal, NEVER).await?, "gone is gone");
    // A put that meets the removal waits for its end and then writes.
    let (again, ()) = futures_util::future::join(put_bytes(store, bytes.clone()), async {
        tokio::task::yield_now().await;
        drop(removal);
    })
    .await;
    assert_eq!(again?.digest, digest);
    assert!(read_all(store, &digest).await? == bytes);
    Ok(())
}

async fn setting_aside(store: &dyn BlobStore) -> Check {
    let bytes = sample(120, 70_000);
    let digest = put_bytes(store, bytes.clone()).await?.digest;
    let removal = store.pins().removal(&digest).ok_or("pinned")?;
    store.set_aside(&removal).await?;
    store.set_aside(&removal).await?;
    drop(removal);
    assert_eq!(store.size(&digest).await?, None);
    assert_eq!(touched(store, &digest).await?, None, "it is not listed");
    put_bytes(store, bytes.clone()).await?;
    assert!(read_all(store, &digest).await? == bytes);
    Ok(())
}

async fn local_files_hold_exactly_the_bytes(store: &dyn BlobStore) -> Check {
    let bytes = sample(70, 100_000);
    let digest = put_bytes(store, bytes.clone()).await?.digest;
    if let Some(path) = store.local_path(&digest).await? {
        assert!(std::fs::read(path)? == bytes);
    }
    Ok(())
}
