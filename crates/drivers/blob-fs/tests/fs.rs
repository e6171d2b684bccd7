//! The suite on local files, and what only files have: leftovers of a crash, permissions, names.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail the test")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytes::Bytes;
use futures_util::StreamExt;
use stoa_blob::{BlobStore, put_bytes, read_all};
use stoa_blob_fs::FsBlobs;

fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suite() {
    let folder = tempfile::tempdir().unwrap();
    let store = FsBlobs::open(folder.path()).unwrap();
    stoa_blob::suite::run(&store).await.unwrap();
    // A dropped put may still be inside its last write; its file goes with it.
    for _ in 0..100 {
        if files(&folder.path().join("tmp")).is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("temporary files are left: {:?}", files(&folder.path().join("tmp")));
}

#[tokio::test]
async fn a_crash_leaves_only_temporary_files_and_opening_removes_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = FsBlobs::open(folder.path()).unwrap();
    let kept = put_bytes(&store, "kept").await.unwrap().digest;
    // A put in the middle, as a killed process leaves it: the future is leaked, so nothing cleans up after it.
    let pieces = futures_util::stream::iter((0..5).map(|_| Ok(Bytes::from(vec![7; 1 << 20]))));
    let mut put = Box::pin(store.put(pieces.chain(futures_util::stream::pending()).boxed()));
    assert!(tokio::time::timeout(std::time::Duration::from_millis(300), &mut put).await.is_err());
    std::mem::forget(put);
    assert_eq!(files(&folder.path().join("tmp")).len(), 1);
    assert_eq!(files(&folder.path().join("blobs")), [kept.as_str()]);

    let store = FsBlobs::open(folder.path()).unwrap();
    assert!(files(&folder.path().join("tmp")).is_empty());
    assert_eq!(read_all(&store, &kept).await.unwrap(), "kept");
}

#[tokio::test]
async fn files_are_read_only_and_named_by_digest() {
    let folder = tempfile::tempdir().unwrap();
    let store = FsBlobs::open(folder.path()).unwrap();
    let source = folder.path().join("source");
    std::fs::write(&source, vec![1_u8; 2_500_000]).unwrap();
    let written = store.put_file(&source).await.unwrap();
    assert_eq!(written.size, 2_500_000);
    let path = store.local_path(&written.digest).await.unwrap().unwrap();
    let hex = written.digest.as_str();
    assert!(path.ends_with(format!("blobs/{}/{hex}", &hex[..2])));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o444);
    assert_eq!(std::fs::read(path).unwrap(), std::fs::read(source).unwrap());
    assert!(store.put_file(folder.path().join("absent")).await.is_err());
}

#[tokio::test]
async fn small_blobs_are_kept_only_while_their_file_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store = FsBlobs::open(folder.path()).unwrap();
    let digest = put_bytes(&store, "0123456789").await.unwrap().digest;
    for _ in 0..2 {
        assert_eq!(read_all(&store, &digest).await.unwrap(), "0123456789");
        let part = stoa_blob::collect(store.get(&digest, 3, Some(4)).await.unwrap()).await.unwrap();
        assert_eq!(part, "3456");
    }
    let path = store.local_path(&digest).await.unwrap().unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&path, "tampered!!").unwrap();
    assert_eq!(read_all(&store, &digest).await.unwrap(), "tampered!!", "what is read is what is there");
    store.delete(&digest).await.unwrap();
    assert!(matches!(store.get(&digest, 0, None).await, Err(stoa_blob::BlobError::NotFound(_))));
    // More blobs than are kept.
    let mut digests = Vec::new();
    for number in 0..600_u32 {
        let bytes = vec![number.to_le_bytes(); 3000].concat();
        digests.push(put_bytes(&store, bytes).await.unwrap().digest);
    }
    for _ in 0..2 {
        for (number, digest) in (0..600_u32).zip(&digests) {
            assert_eq!(read_all(&store, digest).await.unwrap()[..4], number.to_le_bytes());
        }
    }
}
