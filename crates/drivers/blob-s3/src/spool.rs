//! Bytes on their way: hashed, held in memory while they are few and in a local file once they are many.
//!
//! The file has no name from the moment it is made, so that nothing of it outlives the process.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use sha2::{Digest as _, Sha256};
use stoa_blob::{BlobError, ByteStream, Digest};

/// More than this goes to the disk. One request uploads as much.
pub(crate) const IN_MEMORY: usize = 8 << 20;
const BATCH: usize = 1 << 20;

/// Bytes that have all arrived.
#[derive(Debug)]
pub(crate) struct Spooled {
    pub digest: Digest,
    pub size: u64,
    pub content: Content,
}

/// Where they are.
#[derive(Debug)]
pub(crate) enum Content {
    Memory(Bytes),
    File(Arc<File>),
}

/// Runs file work on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// A failure of the local disk, told apart from a full one.
pub(crate) fn disk(error: io::Error) -> BlobError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            BlobError::Full(Box::new(error))
        }
        _ => BlobError::Backend(Box::new(error)),
    }
}

/// A file without a name in this folder.
fn nameless(folder: &Path) -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let path = folder.join(format!("spool-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

struct Writing {
    hash: Sha256,
    size: u64,
    file: Option<File>,
}

impl Writing {
    fn write(&mut self, batch: &[Bytes]) -> io::Result<()> {
        for piece in batch {
            self.hash.update(piece);
            self.size += piece.len() as u64;
            if let Some(file) = &mut self.file {
                file.write_all(piece)?;
            }
        }
        Ok(())
    }
}

/// As much of the source as makes a batch; the flag tells whether the source is at its end.
async fn batch(source: &mut ByteStream, wanted: usize) -> Result<(Vec<Bytes>, bool), BlobError> {
    let (mut pieces, mut size) = (Vec::new(), 0);
    while size < wanted {
        match source.next().await {
            Some(Ok(piece)) => {
                size += piece.len();
                pieces.push(piece);
            }
            Some(Err(cause)) => return Err(BlobError::Source(cause)),
            None => return Ok((pieces, true)),
        }
    }
    Ok((pieces, false))
}

/// Takes the whole source in.
pub(crate) async fn spool(folder: &Path, mut source: ByteStream) -> Result<Spooled, BlobError> {
    let (first, mut last) = batch(&mut source, IN_MEMORY).await?;
    let folder = folder.to_owned();
    let in_memory = last;
    let made = blocking(move || {
        let file = if in_memory { None } else { Some(nameless(&folder)?) };
        let mut writing = Writing { hash: Sha256::new(), size: 0, file };
        writing.write(&first)?;
        Ok((writing, first))
    });
    let (mut writing, first) = made.await.map_err(disk)?;
    while !last {
        let (pieces, end) = batch(&mut source, BATCH).await?;
        writing = blocking(move || writing.write(&pieces).map(|()| writing)).await.map_err(disk)?;
        last = end;
    }
    let content = match writing.file {
        Some(file) => Content::File(Arc::new(file)),
        None => Content::Memory(joined(first)),
    };
    let digest = Digest::from_bytes(writing.hash.finalize().into());
    Ok(Spooled { digest, size: writing.size, content })
}

fn joined(pieces: Vec<Bytes>) -> Bytes {
    let mut all = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    pieces.iter().for_each(|piece| all.extend_from_slice(piece));
    all.freeze()
}

/// A part of a spooled file.
pub(crate) async fn part(file: &Arc<File>, start: u64, length: usize) -> io::Result<Bytes> {
    let file = Arc::clone(file);
    blocking(move || {
        let mut buffer = vec![0; length];
        file.read_exact_at(&mut buffer, start)?;
        Ok(buffer.into())
    })
    .await
}
