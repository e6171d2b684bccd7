//! Writing: pieces are gathered while the batch before them is hashed and written on a thread that may block.
//!
//! A writer that fails or is dropped removes its temporary file (a courtesy: opening the store does it too). Bytes
//! that fit in one batch are hashed first, so that bytes which are there already are not written at all.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use rustix::fs::Advice;
use sha2::{Digest as _, Sha256};
use stoa_blob::{BlobError, ByteStream, Digest, Pin, Written};
use tokio::runtime::Handle;

use crate::read::blocking;
use crate::store::Folders;

/// Bytes in flight for one writer are at most two batches.
const BATCH: usize = 512 << 10;

/// After so many bytes the kernel is asked to begin with writing them out, so that the final sync finds little to do.
const WRITE_OUT: u64 = 8 << 20;

/// A temporary file that goes when it is dropped before it got its name.
struct Temporary {
    path: PathBuf,
    file: File,
    hash: Sha256,
    size: u64,
    /// As much of it as the kernel was asked to write out.
    begun: u64,
    named: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.named {
            // Opening the store removes what cannot be removed now.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Temporary {
    fn create(folders: &Folders) -> io::Result<Temporary> {
        let path = folders.temporary();
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Temporary { path, file, hash: Sha256::new(), size: 0, begun: 0, named: false })
    }

    fn write(&mut self, batch: &[Bytes]) -> io::Result<()> {
        for piece in batch {
            self.hash.update(piece);
            self.size += piece.len() as u64;
            self.file.write_all(piece)?;
        }
        if self.size - self.begun >= WRITE_OUT {
            self.begin_write_out();
        }
        Ok(())
    }

    /// `POSIX_FADV_DONTNEED` writes dirty pages out without waiting and drops only those that are clean by now. That
    /// is all of `sync_file_range` that is wanted, and safe Rust has it.
    fn begin_write_out(&mut self) {
        let length = NonZeroU64::new(self.size - self.begun);
        // Advice: where it is not taken, the sync does all.
        let _ = rustix::fs::fadvise(&self.file, self.begun, length, Advice::DontNeed);
        self.begun = self.size;
    }

    fn finish(mut self, folders: &Folders) -> io::Result<Written> {
        let digest = Digest::from_bytes(self.hash.finalize_reset().into());
        let pin = pin(folders, &digest);
        let written = Written { digest, size: self.size, pin };
        if !touch(folders, &written)? {
            self.file.set_permissions(Permissions::from_mode(0o444))?;
            self.file.sync_all()?;
            std::fs::rename(&self.path, folders.file(&written.digest))?;
            self.named = true;
        }
        // Also where it was there: another writer may have renamed it a moment ago and not synced yet.
        sync_folder(&folders.shard(&written.digest))?;
        Ok(written)
    }
}

/// Pins the digest; on a thread that may block, since a removal of it may be under way.
fn pin(folders: &Folders, digest: &Digest) -> Pin {
    Handle::current().block_on(folders.pins.pin(digest))
}

/// Makes a blob as young as one written now.
#[expect(clippy::disallowed_methods, reason = "as a new file's age, it is by the system's clock")]
pub(crate) fn set_age(blob: &File) -> io::Result<()> {
    blob.set_modified(std::time::SystemTime::now())
}

/// Whether the blob is there, and if so, as young as one written now. INVARIANT: the caller pins it.
fn touch(folders: &Folders, written: &Written) -> io::Result<bool> {
    match File::open(folders.file(&written.digest)) {
        Ok(found) if found.metadata()?.len() == written.size => {
            folders.versions.renew(&written.digest, &found)?;
            Ok(true)
        }
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A batch of the source; the flag tells whether the source is at its end.
async fn next_batch(source: &mut ByteStream) -> Result<(Vec<Bytes>, bool), BlobError> {
    let (mut batch, mut size) = (Vec::new(), 0);
    while size < BATCH {
        match source.next().await {
            Some(Ok(piece)) => {
                size += piece.len();
                batch.push(piece);
            }
            Some(Err(cause)) => return Err(BlobError::Source(cause)),
            None => return Ok((batch, true)),
        }
    }
    Ok((batch, false))
}

fn whole(folders: &Folders, batch: &[Bytes]) -> io::Result<Written> {
    let mut hash = Sha256::new();
    batch.iter().for_each(|piece| hash.update(piece));
    let size = batch.iter().map(|piece| piece.len() as u64).sum();
    let digest = Digest::from_bytes(hash.finalize().into());
    let pin = pin(folders, &digest);
    let written = Written { digest, size, pin };
    if touch(folders, &written)? {
        sync_folder(&folders.shard(&written.digest))?;
        return Ok(written);
    }
    let mut temporary = Temporary::create(folders)?;
    temporary.write(batch)?;
    temporary.finish(folders)
}

/// A failure of the disk, told apart from a full one (RLIMIT_FSIZE and quotas count as full).
pub(crate) fn backend(error: io::Error) -> BlobError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            BlobError::Full(Box::new(error))
        }
        _ => BlobError::Backend(Box::new(error)),
    }
}

/// Writes the stream. Durable when it returns.
pub(crate) async fn put(folders: &Arc<Folders>, mut source: ByteStream) -> Result<Written, BlobError> {
    let (mut batch, mut last) = next_batch(&mut source).await?;
    let work = Arc::clone(folders);
    if last {
        return blocking(move || whole(&work, &batch)).await.map_err(backend);
    }
    let mut temporary = blocking(move || Temporary::create(&work)).await.map_err(backend)?;
    while !batch.is_empty() {
        // The batch comes back, so that memory is freed where it came from.
        let job = tokio::task::spawn_blocking(move || temporary.write(&batch).map(|()| (temporary, batch)));
        let next = if last { Ok((Vec::new(), true)) } else { next_batch(&mut source).await };
        (temporary, _) = job.await.map_err(io::Error::other).and_then(|result| result).map_err(backend)?;
        (batch, last) = next?;
    }
    let work = Arc::clone(folders);
    blocking(move || temporary.finish(&work)).await.map_err(backend)
}
