//! Reading: a small range at once, a large one in pieces with the next piece read while this one is sent.
//!
//! Small ranges are read where the caller stands: they come from the page cache nearly always, and a hop to another
//! thread costs more than the read.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{StreamExt, unfold};
use stoa_blob::{ByteStream, once};
use tokio::task::JoinHandle;

const INLINE: u64 = 64 << 10;
const PIECE: u64 = 512 << 10;

/// Runs file work on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// The bytes of the range, as far as the file has them.
pub(crate) fn get(path: &Path, offset: u64, length: Option<u64>) -> io::Result<ByteStream> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let start = offset.min(size);
    let end = length.map_or(size, |length| start.saturating_add(length).min(size));
    if end - start <= INLINE {
        return Ok(once(read_piece(&file, start, end)?));
    }
    Ok(pieces(Arc::new(file), start, end))
}

/// All of a small file, with what it was when it was opened.
pub(crate) fn whole(path: &Path) -> io::Result<(Bytes, Metadata)> {
    let file = File::open(path)?;
    let found = file.metadata()?;
    Ok((read_piece(&file, 0, found.len())?, found))
}

fn read_piece(file: &File, start: u64, end: u64) -> io::Result<Bytes> {
    let length = usize::try_from(end - start).map_err(io::Error::other)?;
    let mut buffer = vec![0; length];
    file.read_exact_at(&mut buffer, start)?;
    Ok(buffer.into())
}

type Reading = (u64, JoinHandle<io::Result<Bytes>>);

fn begin(file: &Arc<File>, start: u64, end: u64) -> Option<Reading> {
    let stop = end.min(start + PIECE);
    let file = Arc::clone(file);
    (start < stop).then(|| (stop, tokio::task::spawn_blocking(move || read_piece(&file, start, stop))))
}

fn pieces(file: Arc<File>, start: u64, end: u64) -> ByteStream {
    let first = begin(&file, start, end);
    let pieces = unfold((file, first), move |(file, reading)| async move {
        let (stop, reading) = reading?;
        match reading.await.map_err(io::Error::other) {
            Ok(Ok(piece)) => {
                let next = begin(&file, stop, end);
                Some((Ok(piece), (file, next)))
            }
            Ok(Err(error)) | Err(error) => Some((Err(error.into()), (file, None))),
        }
    });
    pieces.boxed()
}
