//! Unpacking `model.tar.gz`: every file of it becomes a blob, sealed where the archive is.
//!
//! What an archive says about itself is not believed: paths stay inside, links and devices are refused, the size is
//! bounded while reading, and the checksum at its end must be right. An error leaves no file of the archive in use.

use std::error::Error;
use std::io::{self, Read};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures_util::{StreamExt, stream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::files::{Files, ModelBytes, ModelFile, SealedBytes};
use super::shelf::{KeepError, Shelf};

/// No archive may unpack to more than this, whatever it claims to hold.
const LARGEST_UNPACKED: u64 = 512 * 1024 * 1024 * 1024;
/// What may follow the last entry: the padding of a tape block and then some.
const LARGEST_TAIL: u64 = 64 * 1024 * 1024;
const CHUNK: usize = 256 * 1024;

/// Whose fault it is.
#[derive(Debug)]
pub(super) enum UnpackError {
    /// The archive's: becomes the failure reason.
    Archive(String),
    /// Ours: tried again.
    Store(Box<dyn Error + Send + Sync>),
}

impl From<io::Error> for UnpackError {
    fn from(error: io::Error) -> UnpackError {
        UnpackError::Archive(error.to_string())
    }
}

/// The files of a gzipped tar archive.
pub(super) async fn unpack(
    reader: Box<dyn Read + Send>,
    shelf: Shelf,
    like: Option<SealedBytes>,
) -> Result<Vec<ModelFile>, UnpackError> {
    let handle = Handle::current();
    let unpacked = tokio::task::spawn_blocking(move || unpack_from(reader, &shelf, like.as_ref(), &handle)).await;
    unpacked.unwrap_or_else(|panicked| Err(UnpackError::Store(panicked.into())))
}

fn unpack_from(
    reader: Box<dyn Read + Send>,
    shelf: &Shelf,
    like: Option<&SealedBytes>,
    handle: &Handle,
) -> Result<Vec<ModelFile>, UnpackError> {
    let mut archive = tar::Archive::new(MultiGzDecoder::new(reader));
    let (mut files, mut total) = (Files::default(), 0_u64);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        let path = entry.path()?.into_owned();
        if !kind.is_file() {
            return Err(UnpackError::Archive(format!("`{}` is a link or a device", path.display())));
        }
        let size = entry.size();
        total = total.saturating_add(size);
        if total > LARGEST_UNPACKED {
            return Err(UnpackError::Archive("it holds more than a model may".to_owned()));
        }
        let bytes = store_entry(&mut entry, size, (shelf, like), handle)?;
        files.add(&path, bytes).map_err(UnpackError::Archive)?;
    }
    // To the end of the stream, where gzip's checksum is.
    let tail = io::copy(&mut archive.into_inner().take(LARGEST_TAIL), &mut io::sink())?;
    if tail == LARGEST_TAIL {
        return Err(UnpackError::Archive("something follows the archive".to_owned()));
    }
    files.done().map_err(UnpackError::Archive)
}

type Chunk = Result<Bytes, Box<dyn Error + Send + Sync>>;

/// Streams one file of an archive into a blob. An archive that ends too soon leaves no blob of the part.
fn store_entry(
    entry: &mut impl Read,
    size: u64,
    (shelf, like): (&Shelf, Option<&SealedBytes>),
    handle: &Handle,
) -> Result<ModelBytes, UnpackError> {
    let (sender, receiver) = mpsc::channel::<Chunk>(4);
    let chunks =
        stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|chunk| (chunk, receiver)) });
    let (shelf, like) = (shelf.clone(), like.cloned());
    let writing = handle.spawn(async move { shelf.keep(like.as_ref(), chunks.boxed()).await });
    let (mut buffer, mut left) = (vec![0; CHUNK], size);
    while left > 0 {
        let chunk = match entry.read(&mut buffer) {
            Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(count) => {
                left = left.saturating_sub(u64::try_from(count).unwrap_or(left));
                Ok(Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default()))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error.into()),
        };
        let last = chunk.is_err();
        // A writer that is gone has an error of its own, which is read below.
        if sender.blocking_send(chunk).is_err() || last {
            break;
        }
    }
    drop(sender);
    match handle.block_on(writing) {
        Ok(Ok(kept)) => Ok(kept),
        Ok(Err(KeepError::Source(why))) => Err(UnpackError::Archive(why)),
        Ok(Err(KeepError::Store(cause))) => Err(UnpackError::Store(cause)),
        Err(panicked) => Err(UnpackError::Store(panicked.into())),
    }
}
