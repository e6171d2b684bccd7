//! Names that point at blobs: S3 objects, whether stored in a bucket or derived (the JumpStart cache buckets).

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use stoa_types::{AccountId, Timestamp};

use super::{Sealed, StoredBytes};
use crate::{ApiError, Cx};

/// An object as a reader needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEntry {
    /// Its key.
    pub key: String,
    /// The name of the blob: the SHA-256 of its bytes, lower-case hex.
    pub digest: String,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// `Content-Type`, where known.
    pub content_type: Option<String>,
    /// When it was written.
    pub last_modified: Timestamp,
    /// The bytes themselves, where they are computed and no blob holds them (the JumpStart manifests and specs).
    /// Served instead of the blob `digest` names.
    pub inline: Option<Bytes>,
    /// How the blob is sealed; none where it holds the bytes as they are.
    pub sealed: Option<Arc<Sealed>>,
}

impl ObjectEntry {
    /// What holds its bytes, for [`super::ReadObject`].
    pub fn bytes(&self) -> StoredBytes<'_> {
        StoredBytes {
            digest: &self.digest,
            size: self.size,
            inline: self.inline.as_ref(),
            sealed: self.sealed.as_deref(),
        }
    }
}

/// Buckets that can be read: ordinary ones (S3 service) and derived ones (hub service).
#[async_trait]
pub trait ObjectSource: Send + Sync {
    /// The owner of the bucket, none when this source has no such bucket.
    async fn bucket_owner(&self, bucket: &str) -> Result<Option<AccountId>, ApiError>;
    /// The object, none when there is no such key.
    async fn object(&self, bucket: &str, key: &str) -> Result<Option<ObjectEntry>, ApiError>;
    /// Up to `limit` objects with this key prefix and a key greater than `after`, in byte order of their keys.
    async fn objects(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ObjectEntry>, ApiError>;
    /// Further rules of the bucket beyond IAM for reading a key (gated content wants an accepted EULA).
    async fn check_read(&self, cx: &Cx, bucket: &str, key: &str) -> Result<(), ApiError>;
    /// In whose name a call reads that came by a URL with a grant ([`GRANT_KEY`](super::GRANT_KEY)): sealed bytes are
    /// opened by that one's right to their key. None for every other call.
    async fn reader(&self, _cx: &Cx) -> Result<Option<Cx>, ApiError> {
        Ok(None)
    }
}
