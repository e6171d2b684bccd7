//! The store: its folders, and the blob trait over them.
//!
//! INVARIANT: one process at a time opens a folder (the server's data directory is locked by `app`), because opening
//! removes all temporary files.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{StreamExt, unfold};
use stoa_blob::{BlobEntry, BlobError, BlobStore, BlobVersion, ByteStream, Digest, Pin, Pins, Removal, Written};
use stoa_types::Timestamp;

use crate::cache::{LARGEST, SmallBlobs};
use crate::versions::Versions;
use crate::write::backend;
use crate::{list, read, write};

/// Blobs in a local folder.
#[derive(Debug, Clone)]
pub struct FsBlobs {
    folders: Arc<Folders>,
    small: Arc<SmallBlobs>,
}

/// Where things are.
#[derive(Debug)]
pub(crate) struct Folders {
    blobs: PathBuf,
    tmp: PathBuf,
    /// Blobs that were found damaged.
    damaged: PathBuf,
    next: AtomicU64,
    pub pins: Pins,
    pub versions: Versions,
}

impl Folders {
    /// The folder a blob's file is in.
    pub fn shard(&self, digest: &Digest) -> PathBuf {
        self.blobs.join(digest.as_str().get(..2).unwrap_or_default())
    }
    /// A blob's file.
    pub fn file(&self, digest: &Digest) -> PathBuf {
        self.shard(digest).join(digest.as_str())
    }
    /// Where all blobs are.
    pub fn blobs(&self) -> &Path {
        &self.blobs
    }
    /// A temporary file's name, not used before by this process.
    pub fn temporary(&self) -> PathBuf {
        self.tmp.join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

impl FsBlobs {
    /// Opens (makes) the folder and removes what a crash left half written. Blocks; for start-up.
    pub fn open(folder: impl AsRef<Path>) -> io::Result<FsBlobs> {
        let folder = folder.as_ref();
        let (blobs, tmp, damaged) = (folder.join("blobs"), folder.join("tmp"), folder.join("damaged"));
        std::fs::create_dir_all(&blobs)?;
        std::fs::create_dir_all(&tmp)?;
        for entry in std::fs::read_dir(&tmp)? {
            std::fs::remove_file(entry?.path())?;
        }
        for shard in 0..=255_u8 {
            let shard = blobs.join(format!("{shard:02x}"));
            if !shard.is_dir() {
                std::fs::create_dir(shard)?;
            }
        }
        write::sync_folder(&blobs)?;
        write::sync_folder(folder)?;
        let (next, pins, versions) = (AtomicU64::new(0), Pins::default(), Versions::default());
        let folders = Folders { blobs, tmp, damaged, next, pins, versions };
        Ok(FsBlobs { folders: Arc::new(folders), small: Arc::default() })
    }

    /// Copies a local file into the store.
    pub async fn put_file(&self, path: impl AsRef<Path>) -> Result<Written, BlobError> {
        let path = path.as_ref().to_owned();
        let file =
            read::blocking(move || std::fs::File::open(path)).await.map_err(|cause| BlobError::Source(cause.into()))?;
        self.put(whole_file(file)).await
    }
}

/// All bytes of a file whose length may not be known.
fn whole_file(file: std::fs::File) -> ByteStream {
    const PIECE: usize = 1 << 20;
    let pieces = unfold(Some(file), |file| async move {
        let mut file = file?;
        let piece = read::blocking(move || {
            let mut buffer = Vec::with_capacity(PIECE);
            let count = io::Read::read_to_end(&mut io::Read::take(&mut file, PIECE as u64), &mut buffer)?;
            Ok((count, buffer, file))
        });
        match piece.await {
            Ok((0, _, _)) => None,
            Ok((_, buffer, file)) => Some((Ok(Bytes::from(buffer)), Some(file))),
            Err(error) => Some((Err(error.into()), None)),
        }
    });
    pieces.boxed()
}

fn not_found(digest: &Digest, error: io::Error) -> BlobError {
    match error.kind() {
        io::ErrorKind::NotFound => BlobError::NotFound(digest.as_str().to_owned()),
        _ => backend(error),
    }
}

#[async_trait]
impl BlobStore for FsBlobs {
    async fn put(&self, bytes: ByteStream) -> Result<Written, BlobError> {
        write::put(&self.folders, bytes).await
    }

    async fn get(&self, digest: &Digest, offset: u64, length: Option<u64>) -> Result<ByteStream, BlobError> {
        let path = self.folders.file(digest);
        let found = std::fs::metadata(&path).map_err(|error| not_found(digest, error))?;
        if found.len() > LARGEST {
            return read::get(&path, offset, length).map_err(|error| not_found(digest, error));
        }
        let bytes = match self.small.get(digest, &found) {
            Some(bytes) => bytes,
            None => {
                let (bytes, found) = read::whole(&path).map_err(|error| not_found(digest, error))?;
                self.small.keep(digest, &found, &bytes);
                bytes
            }
        };
        let end = length.map_or(u64::MAX, |length| offset.saturating_add(length)).min(bytes.len() as u64);
        let range = offset.min(end) as usize..end as usize;
        Ok(stoa_blob::once(bytes.slice(range)))
    }

    async fn size(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        match std::fs::metadata(self.folders.file(digest)) {
            Ok(found) => Ok(Some(found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(backend(error)),
        }
    }

    async fn version(&self, digest: &Digest) -> Result<Option<BlobVersion>, BlobError> {
        match self.folders.versions.of(digest, &self.folders.file(digest)) {
            Ok(version) => Ok(Some(version)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(backend(error)),
        }
    }

    async fn hold(&self, digest: &Digest) -> Result<Option<Pin>, BlobError> {
        let pin = self.folders.pins.pin(digest).await;
        let (folders, digest) = (Arc::clone(&self.folders), digest.clone());
        let renewed = move || folders.versions.renew(&digest, &File::open(folders.file(&digest))?);
        match read::blocking(renewed).await {
            Ok(()) => Ok(Some(pin)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(backend(error)),
        }
    }

    async fn list(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<BlobEntry>, BlobError> {
        let (folders, after) = (Arc::clone(&self.folders), after.cloned());
        read::blocking(move || list::page(&folders, after.as_ref(), limit)).await.map_err(backend)
    }

    async fn remove(&self, removal: &Removal, before: Timestamp) -> Result<bool, BlobError> {
        let file = self.folders.file(removal.digest());
        let removed = read::blocking(move || {
            if list::touched(&std::fs::metadata(&file)?)? > before {
                return Ok(false);
            }
            std::fs::remove_file(file).map(|()| true)
        });
        match removed.await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            result => result.map_err(backend),
        }
    }

    async fn set_aside(&self, removal: &Removal) -> Result<(), BlobError> {
        let (folders, digest) = (Arc::clone(&self.folders), removal.digest().clone());
        let moved = read::blocking(move || {
            std::fs::create_dir_all(&folders.damaged)?;
            std::fs::rename(folders.file(&digest), folders.damaged.join(digest.as_str()))?;
            write::sync_folder(&folders.damaged)?;
            write::sync_folder(&folders.shard(&digest))
        });
        match moved.await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(backend),
        }
    }

    fn pins(&self) -> &Pins {
        &self.folders.pins
    }

    async fn delete(&self, digest: &Digest) -> Result<(), BlobError> {
        let file = self.folders.file(digest);
        match read::blocking(move || std::fs::remove_file(file)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(backend(error)),
            _ => Ok(()),
        }
    }

    fn local_files(&self) -> bool {
        true
    }

    async fn local_path(&self, digest: &Digest) -> Result<Option<PathBuf>, BlobError> {
        Ok(self.size(digest).await?.map(|_| self.folders.file(digest)))
    }
}
