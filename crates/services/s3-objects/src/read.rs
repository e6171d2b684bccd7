//! Reading the bytes of objects: the one place where sealed ones are opened.
//!
//! Of a range only the frames that it touches are read. The first is opened before anything is answered, so damage
//! there is an error; damage later on breaks the answer off. No byte is given out whose frame was not checked.

use async_trait::async_trait;
use bytes::BytesMut;
use futures_util::{StreamExt, TryStreamExt};
use stoa_blob::{ByteStream, Digest, collect, once};
use stoa_frames::{DataKey, HEADER, Opener, open, seal};
use stoa_kernel::ports::{BodyStream, ReadObject, Sealed, StoredBytes};
use stoa_kernel::{ApiError, Cx};

use crate::body::blob_failed;
use crate::encryption::{frames_failed, sealer};
use crate::held::{Held, held};
use crate::service::S3Objects;

pub(crate) fn parsed(digest: &str) -> Result<Digest, ApiError> {
    Digest::parse(digest).ok_or_else(|| ApiError::internal(format!("`{digest}` is no digest")))
}

impl S3Objects {
    /// A range of a sealed blob.
    pub(crate) async fn opened(
        &self,
        digest: &Digest,
        key: &DataKey,
        size: u64,
        (start, length): (u64, u64),
    ) -> Result<ByteStream, ApiError> {
        let header = self.blobs.get(digest, 0, Some(HEADER as u64)).await.map_err(blob_failed)?;
        let header = collect(header).await.map_err(blob_failed)?;
        let opener = Opener::new(key, &header, size, start, length).map_err(frames_failed)?;
        let (from, count) = opener.needs();
        let mut pieces = open(self.blobs.get(digest, from, Some(count)).await.map_err(blob_failed)?, opener);
        let first = match pieces.next().await {
            Some(Err(error)) => {
                tracing::error!(blob = digest.as_str(), error = %error, "sealed bytes do not open");
                return Err(ApiError::internal(error));
            }
            first => first,
        };
        let blob = digest.as_str().to_owned();
        let rest = pieces.map_err(move |error| {
            tracing::error!(blob, error = %error, "sealed bytes do not open");
            // Of ours, also where they are on their way into another object.
            ApiError::internal(error).into()
        });
        Ok(futures_util::stream::iter(first).chain(rest).boxed())
    }
}

impl S3Objects {
    /// All of a sealed blob, held to its digest: whatever else the same data key seals, such as another part of the same
    /// upload, opens in its place where it is as long.
    pub(crate) async fn opened_whole(&self, digest: &Digest, key: &DataKey, size: u64) -> Result<ByteStream, ApiError> {
        let stored = self.blobs.get(digest, 0, None).await.map_err(blob_failed)?;
        let mut stored = held(stored, digest, Held::to_digest(digest));
        let mut head = BytesMut::new();
        while head.len() < HEADER {
            match stored.try_next().await.map_err(ApiError::internal)? {
                Some(piece) => head.extend_from_slice(&piece),
                None => break,
            }
        }
        let rest = head.split_off(head.len().min(HEADER)).freeze();
        let opener = Opener::new(key, &head, size, 0, size).map_err(frames_failed)?;
        let sealed = futures_util::stream::iter([Ok(rest)]).chain(stored).boxed();
        let blob = digest.as_str().to_owned();
        let opened = open(sealed, opener).map_err(move |error| {
            tracing::error!(blob, error = %error, "sealed bytes do not open");
            ApiError::internal(error).into()
        });
        Ok(opened.boxed())
    }
}

#[async_trait]
impl ReadObject for S3Objects {
    async fn read(&self, cx: &Cx, bytes: &StoredBytes<'_>, start: u64, length: u64) -> Result<BodyStream, ApiError> {
        if let Some(whole) = bytes.inline {
            let end = usize::try_from(start.saturating_add(length)).unwrap_or(usize::MAX).min(whole.len());
            let start = usize::try_from(start).unwrap_or(usize::MAX).min(end);
            return Ok(once(whole.slice(start..end)));
        }
        let digest = parsed(bytes.digest)?;
        match bytes.sealed {
            None => self.blobs.get(&digest, start, Some(length)).await.map_err(blob_failed),
            Some(sealed) => {
                let key = self.data_key(cx, sealed).await?;
                self.opened(&digest, &key, bytes.size, (start, length)).await
            }
        }
    }

    async fn may_open(&self, cx: &Cx, sealed: &Sealed) -> Result<(), ApiError> {
        match sealed.kms_key_arn {
            Some(_) => self.data_key(cx, sealed).await.map(drop),
            None => Ok(()),
        }
    }

    async fn keep_sealed(&self, cx: &Cx, sealed: &Sealed, bytes: BodyStream) -> Result<(String, u64), ApiError> {
        let key = self.data_key(cx, sealed).await?;
        let size = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let count = std::sync::Arc::clone(&size);
        let counted = bytes.inspect_ok(move |piece| {
            count.fetch_add(piece.len() as u64, std::sync::atomic::Ordering::Relaxed);
        });
        let frames = seal(counted.boxed(), sealer(&key, &*cx.platform.ids)?);
        let written = self.blobs.put(frames).await.map_err(blob_failed)?;
        let size = size.load(std::sync::atomic::Ordering::Relaxed);
        Ok((written.digest.as_str().to_owned(), size))
    }
}
