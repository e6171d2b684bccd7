//! Local copies for containers, which need files: fetched when they are asked for, hashed on the way, bounded.
//!
//! INVARIANT: a file under a digest's name has all its bytes on stable storage. What was asked for longest ago goes
//! first; what was asked for a moment ago stays even above the bound, since its container is about to link it, and so
//! does what somebody pins: the files of a model whose other files are still being fetched. A container's own link
//! outlives the file's name here.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::StreamExt;
use sha2::{Digest as _, Sha256};
use stoa_blob::{BlobError, ByteStream, Digest, Pins};

use crate::spool::{blocking, disk};

/// From the answer to the link.
const JUST_NOW: Duration = Duration::from_secs(600);

/// The folder.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    bytes: u64,
    pins: Pins,
    /// One download at a time: a large one has the line for itself, and none is made twice.
    filling: tokio::sync::Mutex<()>,
}

impl Cache {
    /// Opens (makes) the folder and removes what a crash left half written.
    pub fn open(folder: PathBuf, bytes: u64, pins: Pins) -> io::Result<Cache> {
        std::fs::create_dir_all(&folder)?;
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "part") {
                std::fs::remove_file(path)?;
            }
        }
        Ok(Cache { folder, bytes, pins, filling: tokio::sync::Mutex::new(()) })
    }

    fn file(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.as_str())
    }

    /// The file, if it is there; it is as new as one that was fetched now.
    pub async fn get(&self, digest: &Digest, size: u64) -> Result<Option<PathBuf>, BlobError> {
        let path = self.file(digest);
        let found = blocking(move || {
            let file = File::open(&path)?;
            if file.metadata()?.len() != size {
                return Ok(None);
            }
            used_now(&file)?;
            Ok(Some(path))
        });
        match found.await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            result => result.map_err(disk),
        }
    }

    /// Fetches the file, unless another call just did.
    pub async fn fill<F>(&self, digest: &Digest, size: u64, fetch: F) -> Result<PathBuf, BlobError>
    where
        F: AsyncFnOnce() -> Result<ByteStream, BlobError>,
    {
        let _turn = self.filling.lock().await;
        if let Some(path) = self.get(digest, size).await? {
            return Ok(path);
        }
        let path = self.file(digest);
        let partial = path.with_extension("part");
        let mut pieces = fetch().await?;
        let opened = partial.clone();
        let mut writing = blocking(move || Writing::begin(&opened)).await.map_err(disk)?;
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(BlobError::Backend)?;
            writing = blocking(move || writing.write(&piece)).await.map_err(disk)?;
        }
        let (wanted, folder, bytes, done) = (digest.clone(), self.folder.clone(), self.bytes, path.clone());
        let pins = self.pins.clone();
        let finished = blocking(move || {
            writing.finish(&wanted, &partial, &done)?;
            evict(&folder, bytes, &pins)
        });
        finished.await.map_err(disk)?;
        Ok(path)
    }
}

/// Marks a file as asked for.
#[expect(clippy::disallowed_methods, reason = "as a new file's age, it is by the system's clock")]
fn used_now(file: &File) -> io::Result<()> {
    file.set_modified(SystemTime::now())
}

struct Writing {
    file: File,
    hash: Sha256,
}

impl Writing {
    fn begin(path: &Path) -> io::Result<Writing> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        Ok(Writing { file, hash: Sha256::new() })
    }

    fn write(mut self, piece: &Bytes) -> io::Result<Writing> {
        self.hash.update(piece);
        self.file.write_all(piece)?;
        Ok(self)
    }

    fn finish(self, wanted: &Digest, partial: &Path, path: &Path) -> io::Result<()> {
        let found = Digest::from_bytes(self.hash.finalize().into());
        if found != *wanted {
            std::fs::remove_file(partial)?;
            let text = format!("the bytes of the blob {} are those of {}", wanted.as_str(), found.as_str());
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        self.file.set_permissions(Permissions::from_mode(0o444))?;
        self.file.sync_all()?;
        std::fs::rename(partial, path)
    }
}

/// Removes what was asked for longest ago until the rest is within the bound.
fn evict(folder: &Path, bound: u64, pins: &Pins) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if let Some(digest) = entry.file_name().to_str().and_then(Digest::parse) {
            let found = entry.metadata()?;
            files.push((found.modified()?, found.len(), entry.path(), pins.busy(&digest)));
        }
    }
    files.sort();
    let mut total: u64 = files.iter().map(|(_, size, ..)| size).sum();
    for (used, size, path, pinned) in files {
        let just_now = used.elapsed().is_ok_and(|since| since < JUST_NOW);
        if total <= bound || just_now {
            break;
        }
        if pinned {
            continue;
        }
        std::fs::remove_file(path)?;
        total -= size;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    //! Hashed on the way in, bounded, oldest out first.

    use super::*;

    fn digest_of(bytes: &[u8]) -> Digest {
        Digest::from_bytes(Sha256::digest(bytes).into())
    }

    async fn fill(cache: &Cache, wanted: &[u8], sent: &'static [u8]) -> Result<PathBuf, BlobError> {
        cache
            .fill(&digest_of(wanted), wanted.len() as u64, async || Ok(stoa_blob::once(Bytes::from_static(sent))))
            .await
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "files are made old")]
    async fn wrong_bytes_are_refused_and_the_oldest_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let pins = Pins::default();
        let cache = Cache::open(folder.path().to_owned(), 35, pins.clone()).unwrap();
        assert!(fill(&cache, b"0123456789", b"0123456780").await.is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing of it stays");
        let mut paths = Vec::new();
        for (age, bytes) in [(3_u64, b"aaaaaaaaaa"), (2, b"bbbbbbbbbb"), (1, b"cccccccccc")] {
            let path = fill(&cache, bytes, bytes).await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
            let then = SystemTime::now() - JUST_NOW * u32::try_from(age + 1).unwrap();
            File::open(&path).unwrap().set_modified(then).unwrap();
            paths.push(path);
        }
        // The first is asked for again; the second is now the oldest.
        assert!(cache.get(&digest_of(b"aaaaaaaaaa"), 10).await.unwrap().is_some());
        fill(&cache, b"dddddd", b"dddddd").await.unwrap();
        assert!(paths[0].exists() && !paths[1].exists() && paths[2].exists());
        // The third is the oldest now, and of a model whose other files are on their way.
        let pin = pins.pin(&digest_of(b"cccccccccc")).await;
        fill(&cache, b"eeeeeeeeee", b"eeeeeeeeee").await.unwrap();
        assert!(paths[2].exists(), "above the bound");
        drop(pin);
        fill(&cache, b"f", b"f").await.unwrap();
        assert!(!paths[2].exists());
        assert!(cache.get(&digest_of(b"aaaaaaaaaa"), 11).await.unwrap().is_none(), "of another size");
    }
}
