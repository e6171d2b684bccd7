//! Archives: good ones come out whole, and nothing of a bad one is used.

use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use flate2::Compression;
use flate2::write::GzEncoder;
use stoa_blob::{BlobStore, Digest, Pin, read_all};
use stoa_blob_fs::FsBlobs;
use stoa_kernel::ports::{BodyStream, ReadObject, Sealed, StoredBytes};
use stoa_kernel::{ApiError, Cx};

use super::archive::{UnpackError, unpack};
use super::files::{Files, ModelBytes};
use super::shelf::{OpenedFolder, Shelf};

struct Blobs {
    folder: tempfile::TempDir,
    store: Arc<dyn BlobStore>,
}

fn blobs() -> Blobs {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(FsBlobs::open(folder.path()).unwrap());
    Blobs { folder, store }
}

/// Nothing here is sealed.
struct NothingSealed;

#[async_trait]
impl ReadObject for NothingSealed {
    async fn read(&self, _: &Cx, _: &StoredBytes<'_>, _: u64, _: u64) -> Result<BodyStream, ApiError> {
        Err(ApiError::internal("nothing is sealed"))
    }
    async fn may_open(&self, _: &Cx, _: &Sealed) -> Result<(), ApiError> {
        Err(ApiError::internal("nothing is sealed"))
    }
    async fn keep_sealed(&self, _: &Cx, _: &Sealed, _: BodyStream) -> Result<(String, u64), ApiError> {
        Err(ApiError::internal("nothing is sealed"))
    }
}

impl Blobs {
    fn shelf(&self) -> Shelf {
        let opened = self.folder.path().join("opened");
        Shelf {
            blobs: Arc::clone(&self.store),
            bytes: Arc::new(NothingSealed),
            opened: Arc::new(OpenedFolder::open(opened).unwrap()),
            role: None,
        }
    }
    async fn unpack(&self, archive: Vec<u8>) -> Result<Vec<(String, Vec<u8>)>, String> {
        let files = unpack(Box::new(Cursor::new(archive)), self.shelf(), None).await.map_err(|error| match error {
            UnpackError::Archive(why) => why,
            UnpackError::Store(cause) => panic!("{cause}"),
        })?;
        let mut read = Vec::new();
        for file in files {
            read.push((file.path, read_all(&*self.store, &file.digest).await.unwrap().to_vec()));
        }
        Ok(read)
    }
    /// How many files there are in the blob store, temporary ones included.
    fn count(&self) -> usize {
        fn walk(folder: &Path) -> usize {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
            entries.map(|entry| if entry.file_type().unwrap().is_dir() { walk(&entry.path()) } else { 1 }).sum()
        }
        walk(self.folder.path())
    }
}

/// One entry as it stands in the archive; names are written raw, since a builder would refuse the bad ones.
fn entry(archive: &mut tar::Builder<Vec<u8>>, name: &str, kind: tar::EntryType, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    if kind.is_symlink() || kind.is_hard_link() {
        header.set_link_name("/etc/passwd").unwrap();
    }
    header.set_cksum();
    archive.append(&header, content).unwrap();
}

fn tarred(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        entry(&mut archive, name, tar::EntryType::Regular, content);
    }
    archive.into_inner().unwrap()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Does not compress, so that cutting the archive cuts the content.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(next).collect()
}

#[tokio::test]
async fn a_good_archive_comes_out_whole() {
    let blobs = blobs();
    let weights = noise(700_000);
    let mut archive = tar::Builder::new(Vec::new());
    entry(&mut archive, "./", tar::EntryType::Directory, b"");
    entry(&mut archive, "./model.onnx", tar::EntryType::Regular, &weights);
    entry(&mut archive, "code/", tar::EntryType::Directory, b"");
    entry(&mut archive, "code/config.json", tar::EntryType::Regular, b"old");
    entry(&mut archive, "code/config.json", tar::EntryType::Regular, b"{}");
    entry(&mut archive, "empty", tar::EntryType::Regular, b"");
    let found = blobs.unpack(gzipped(&archive.into_inner().unwrap())).await.unwrap();
    let wanted = [("code/config.json", b"{}".to_vec()), ("empty", Vec::new()), ("model.onnx", weights)];
    assert_eq!(found, wanted.map(|(name, content)| (name.to_owned(), content)));
}

#[tokio::test]
async fn several_gzip_members_are_one_archive() {
    let whole = tarred(&[("a", b"first"), ("b", b"second")]);
    let (one, two) = whole.split_at(1024);
    let found = blobs().unpack([gzipped(one), gzipped(two)].concat()).await.unwrap();
    assert_eq!(found, [("a".to_owned(), b"first".to_vec()), ("b".to_owned(), b"second".to_vec())]);
}

#[tokio::test]
async fn nothing_leads_out_of_the_folder() {
    for name in ["../evil", "a/../../evil", "/etc/evil", "a/.."] {
        let archive = gzipped(&tarred(&[("good", b"1"), (name, b"2")]));
        let why = blobs().unpack(archive).await.unwrap_err();
        assert!(why.contains("leads out of its folder"), "{name}: {why}");
    }
}

#[tokio::test]
async fn links_and_devices_are_refused() {
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Char, tar::EntryType::Fifo] {
        let mut archive = tar::Builder::new(Vec::new());
        entry(&mut archive, "model", kind, b"");
        let why = blobs().unpack(gzipped(&archive.into_inner().unwrap())).await.unwrap_err();
        assert!(why.contains("a link or a device"), "{kind:?}: {why}");
    }
}

#[tokio::test]
async fn a_file_is_no_folder() {
    let why = blobs().unpack(gzipped(&tarred(&[("a", b"1"), ("a/b", b"2")]))).await.unwrap_err();
    assert!(why.contains("`a` is both a file and a folder"), "{why}");
}

#[tokio::test]
async fn an_archive_that_was_cut_leaves_no_blob_of_the_part() {
    let blobs = blobs();
    let whole = gzipped(&tarred(&[("model", &noise(2_000_000))]));
    let before = blobs.count();
    for length in [0, 5, 300, 1_000_000, whole.len() - 4] {
        assert!(blobs.unpack(whole[..length].to_vec()).await.is_err(), "cut at {length}");
    }
    // All but the last were cut in the file: that one is whole, and only the checksum is missing.
    assert_eq!(blobs.count() - before, 1);
    // The same, with a gzip stream that is whole.
    let cut = tarred(&[("model", &noise(3_000_000))]);
    assert!(blobs.unpack(gzipped(&cut[..1_000_000])).await.is_err());
    assert_eq!(blobs.count() - before, 1);
}

#[tokio::test]
async fn a_wrong_checksum_is_noticed() {
    let mut archive = gzipped(&tarred(&[("model", b"weights")]));
    let crc = archive.len() - 8;
    archive[crc] ^= 1;
    assert!(blobs().unpack(archive).await.is_err());
    assert!(blobs().unpack(b"this is no archive".to_vec()).await.is_err());
}

#[test]
fn paths_are_plain_after_adding() {
    let digest = || ModelBytes { digest: Digest::from_bytes([1; 32]), sealed: None, pin: Pin::none() };
    let mut files = Files::default();
    for path in ["./a", "b//c", "b/./d"] {
        files.add(Path::new(path), digest()).unwrap();
    }
    for path in ["", ".", "/a", "..", "b/../a"] {
        assert!(files.add(Path::new(path), digest()).is_err(), "{path}");
    }
    let paths: Vec<String> = files.done().unwrap().into_iter().map(|file| file.path).collect();
    assert_eq!(paths, ["a", "b/c", "b/d"]);
}
