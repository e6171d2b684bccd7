//! Small things that every user of a blob store needs: a stream from bytes in hand, and bytes from a stream.
//!
//! Holds no state. [`read_all`] is for blobs known to be small: it holds them in memory.

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, StreamExt};

use crate::{BlobError, BlobStore, ByteStream, Digest, Written};

/// A stream of one piece (of none for empty bytes).
pub fn once(bytes: Bytes) -> ByteStream {
    let piece = (!bytes.is_empty()).then_some(Ok(bytes));
    stream::iter(piece).boxed()
}

/// Writes bytes in hand.
pub async fn put_bytes(store: &dyn BlobStore, bytes: impl Into<Bytes>) -> Result<Written, BlobError> {
    store.put(once(bytes.into())).await
}

/// Reads a whole small blob.
pub async fn read_all(store: &dyn BlobStore, digest: &Digest) -> Result<Bytes, BlobError> {
    collect(store.get(digest, 0, None).await?).await
}

/// Joins the pieces of a stream.
pub async fn collect(mut pieces: ByteStream) -> Result<Bytes, BlobError> {
    let Some(first) = pieces.next().await else { return Ok(Bytes::new()) };
    let first = first.map_err(BlobError::Backend)?;
    let Some(second) = pieces.next().await else { return Ok(first) };
    let mut joined = BytesMut::from(first);
    joined.extend_from_slice(&second.map_err(BlobError::Backend)?);
    while let Some(piece) = pieces.next().await {
        joined.extend_from_slice(&piece.map_err(BlobError::Backend)?);
    }
    Ok(joined.freeze())
}
