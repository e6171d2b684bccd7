//! Sending spooled bytes: in one request that makes the object only where there is none, or in parts.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use stoa_blob::BlobError;

use crate::spool::{Content, Spooled, disk, part};
use crate::store::backend;

const PART: u64 = 16 << 20;
/// S3 takes ten thousand.
const MOST_PARTS: u64 = 9_000;
/// Parts under way, each in memory.
const PARALLEL: usize = 4;

/// Sends the bytes. An object that another process made meanwhile is the same one.
pub(crate) async fn upload(
    store: &dyn ObjectStore,
    path: &Path,
    spooled: &Spooled,
    replace: bool,
) -> Result<(), BlobError> {
    match &spooled.content {
        Content::Memory(bytes) => {
            let mode = if replace { PutMode::Overwrite } else { PutMode::Create };
            let put = store.put_opts(path, PutPayload::from(bytes.clone()), PutOptions::from(mode));
            match put.await {
                Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
                Err(error) => Err(backend(error)),
            }
        }
        Content::File(file) => {
            let mut upload = store.put_multipart(path).await.map_err(backend)?;
            let sent = send(&mut *upload, file, spooled.size).await;
            let done = match sent {
                Ok(()) => upload.complete().await.map(drop).map_err(backend),
                Err(error) => Err(error),
            };
            if done.is_err()
                && let Err(error) = upload.abort().await
            {
                tracing::warn!(%error, "a multipart upload could not be aborted");
            }
            done
        }
    }
}

async fn send(
    upload: &mut dyn MultipartUpload,
    file: &std::sync::Arc<std::fs::File>,
    size: u64,
) -> Result<(), BlobError> {
    let length = PART.max(size.div_ceil(MOST_PARTS));
    let mut under_way = FuturesUnordered::new();
    let mut start = 0;
    while start < size {
        let wanted = usize::try_from(length.min(size - start)).unwrap_or(usize::MAX);
        let bytes = part(file, start, wanted).await.map_err(disk)?;
        under_way.push(upload.put_part(PutPayload::from(bytes)));
        start += length;
        if under_way.len() >= PARALLEL
            && let Some(sent) = under_way.next().await
        {
            sent.map_err(backend)?;
        }
    }
    while let Some(sent) = under_way.next().await {
        sent.map_err(backend)?;
    }
    Ok(())
}
