//! Buckets, objects and multipart uploads as the S3 edge needs them. Implemented by the S3 service, which knows
//! nothing of HTTP; the edge knows nothing of documents. Writes take the [`Permit`] of the decision that allowed them.
//!
//! Bytes are read by [`super::ReadObject`], from the blob an [`ObjectRecord`] names.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use stoa_types::{AccountId, Region, Timestamp};

use super::{Deletion, ObjectEntry, Sealed};
use crate::{ApiError, Cx, Permit};

/// The bytes of a request. An [`ApiError`] as its error is what the caller is told; any other means that the caller
/// went away.
pub type BodyStream = BoxStream<'static, Result<Bytes, Box<dyn Error + Send + Sync>>>;

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketRecord {
    /// Its name, the same for all accounts.
    pub name: String,
    /// Whose it is.
    pub owner: AccountId,
    /// Where it is; none for derived buckets.
    pub region: Option<Region>,
    /// When it was made.
    pub created: Timestamp,
}

/// What an object carries beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ObjectAttributes {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Expires`.
    pub expires: Option<Timestamp>,
    /// `x-amz-meta-*`, without the prefix.
    pub metadata: BTreeMap<String, String>,
    /// `x-amz-storage-class`, where it was given.
    pub storage_class: Option<String>,
    /// `x-amz-server-side-encryption`, as a write asks for it. What became of it is in [`ObjectEntry::sealed`].
    pub encryption: Option<String>,
    /// `x-amz-server-side-encryption-aws-kms-key-id`, likewise.
    pub kms_key_id: Option<String>,
    /// `x-amz-server-side-encryption-bucket-key-enabled`, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket_key: Option<bool>,
    /// `x-amz-server-side-encryption-context`, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_context: Option<String>,
    /// The object's tags.
    pub tags: BTreeMap<String, String>,
}

/// S3's checksum algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChecksumAlgorithm {
    /// CRC-32 (ISO HDLC).
    Crc32,
    /// CRC-32C (iSCSI).
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl ChecksumAlgorithm {
    /// The name S3 gives it.
    pub fn name(self) -> &'static str {
        match self {
            ChecksumAlgorithm::Crc32 => "CRC32",
            ChecksumAlgorithm::Crc32c => "CRC32C",
            ChecksumAlgorithm::Crc64Nvme => "CRC64NVME",
            ChecksumAlgorithm::Sha1 => "SHA1",
            ChecksumAlgorithm::Sha256 => "SHA256",
        }
    }
}

/// A checksum as S3 writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// How it was made.
    pub algorithm: ChecksumAlgorithm,
    /// Base64; with `-N` when composite.
    pub value: String,
    /// Whether it is of the parts' checksums rather than of the bytes.
    pub composite: bool,
}

/// An object with all it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRecord {
    /// Key, blob, size, ETag, time.
    pub entry: ObjectEntry,
    /// Headers and metadata.
    pub attributes: ObjectAttributes,
    /// The checksum that was asked for, or a CRC-64/NVME.
    pub checksum: Option<Checksum>,
    /// How many parts it was uploaded in; none when in one piece.
    pub parts: Option<u32>,
    /// The bytes of each part; empty when in one piece, or when it was uploaded before these were kept.
    pub part_sizes: Vec<u64>,
    /// Its version id, or `null`; none where the bucket never kept versions.
    pub version: Option<String>,
    /// When a lifecycle rule removes it, with the rule's name.
    pub expires: Option<(Timestamp, String)>,
}

/// What the caller says about the bytes that come, checked before they get a name.
#[derive(Default)]
pub struct BodyChecks {
    /// How many there are.
    pub length: Option<u64>,
    /// `Content-MD5`.
    pub md5: Option<[u8; 16]>,
    /// `x-amz-content-sha256`, where it is a hash.
    pub sha256: Option<[u8; 32]>,
    /// The checksum to compute.
    pub algorithm: Option<ChecksumAlgorithm>,
    /// The value it must have, asked for once the bytes are through (it may stand in a trailer). None: the trailer is
    /// missing.
    pub expected: Option<Box<dyn FnOnce() -> Option<String> + Send>>,
}

impl fmt::Debug for BodyChecks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BodyChecks")
            .field("length", &self.length)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// What must be under the key for a write to happen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WriteCondition {
    /// `If-None-Match: *`.
    pub absent: bool,
    /// `If-Match`, without quotes; `*` for any object.
    pub etag: Option<String>,
}

/// An object to write.
#[derive(Debug, Default)]
pub struct WriteObject {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// Headers and metadata.
    pub attributes: ObjectAttributes,
    /// Checks of the bytes.
    pub checks: BodyChecks,
    /// What must be there.
    pub condition: WriteCondition,
    /// For a copy: the tags are the source's, whatever `attributes` says.
    pub keep_tags: bool,
    /// Whether it comes from an HTML form, which an event tells.
    pub by_form: bool,
}

/// Which objects to list.
#[derive(Debug, Clone, Default)]
pub struct ListObjects {
    /// The bucket.
    pub bucket: String,
    /// Keys that begin with this.
    pub prefix: String,
    /// Keys with this after the prefix are rolled up to it; empty for none.
    pub delimiter: String,
    /// Keys (and rolled-up prefixes) greater than this.
    pub after: Option<String>,
    /// At most so many, keys and rolled-up prefixes together.
    pub limit: usize,
}

/// The key up to and with the first delimiter after the prefix; none for a key that is listed itself.
pub fn rolled_up<'k>(key: &'k str, prefix: &str, delimiter: &str) -> Option<&'k str> {
    if delimiter.is_empty() {
        return None;
    }
    let rest = key.strip_prefix(prefix)?;
    let end = prefix.len() + rest.find(delimiter)? + delimiter.len();
    key.get(..end)
}

/// A page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The objects, in byte order of their keys.
    pub objects: Vec<ObjectEntry>,
    /// The rolled-up prefixes, in byte order.
    pub prefixes: Vec<String>,
    /// Where the next page begins; none at the end.
    pub next: Option<String>,
}

/// A multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRecord {
    /// Its id.
    pub id: String,
    /// The bucket.
    pub bucket: String,
    /// The key of the object it will become.
    pub key: String,
    /// When it began.
    pub initiated: Timestamp,
    /// What the object will carry.
    pub attributes: ObjectAttributes,
    /// The checksum of its parts.
    pub algorithm: Option<ChecksumAlgorithm>,
    /// Whether the object's checksum is made of the parts' checksums.
    pub composite: bool,
    /// How its parts and the object are sealed.
    pub sealed: Option<Arc<Sealed>>,
}

/// Names an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadName {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The id.
    pub id: String,
}

/// A part of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRecord {
    /// Its number, from one.
    pub number: u32,
    /// Its ETag, without quotes.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: Timestamp,
    /// Its checksum.
    pub checksum: Option<Checksum>,
    /// How it is sealed.
    pub sealed: Option<Arc<Sealed>>,
}

/// A part as the caller lists it to complete an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedPart {
    /// Its number.
    pub number: u32,
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its checksum, where the caller gives one.
    pub checksum: Option<String>,
}

/// What completes an upload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompleteUpload {
    /// The parts, in ascending order.
    pub parts: Vec<ClaimedPart>,
    /// What must be under the key.
    pub condition: WriteCondition,
    /// The checksum the object must have.
    pub checksum: Option<String>,
    /// The size the object must have.
    pub size: Option<u64>,
}

/// Buckets.
#[async_trait]
pub trait Buckets: Send + Sync {
    /// Makes a bucket of the caller's account.
    async fn create_bucket(&self, cx: &Cx, permit: &Permit, name: &str, region: &Region) -> Result<(), ApiError>;
    /// Removes an empty bucket.
    async fn delete_bucket(&self, cx: &Cx, permit: &Permit, name: &str) -> Result<(), ApiError>;
    /// The bucket, also a derived one.
    async fn bucket(&self, name: &str) -> Result<Option<BucketRecord>, ApiError>;
    /// Up to `limit` buckets of an account with names greater than `after`, in order.
    async fn buckets(
        &self,
        account: &AccountId,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BucketRecord>, ApiError>;
}

/// Objects.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Writes an object; it is there whole, or not at all.
    async fn put_object(
        &self,
        cx: &Cx,
        permit: &Permit,
        write: WriteObject,
        body: BodyStream,
    ) -> Result<ObjectRecord, ApiError>;
    /// Gives the bytes of a source a second name, with its attributes or (`replace`) those of `write`.
    async fn copy_object(
        &self,
        cx: &Cx,
        permit: &Permit,
        source: &ObjectRecord,
        write: WriteObject,
        replace: bool,
    ) -> Result<ObjectRecord, ApiError>;
    /// Removes an object, or puts a delete marker over it where the bucket keeps versions; one that is not there is
    /// fine.
    async fn delete_object(
        &self,
        cx: &Cx,
        permit: &Permit,
        bucket: &str,
        key: &str,
        condition: &WriteCondition,
    ) -> Result<Deletion, ApiError>;
    /// The object, for reading: the bucket's own rules beyond IAM are checked.
    async fn object_for_read(&self, cx: &Cx, bucket: &str, key: &str) -> Result<Option<ObjectRecord>, ApiError>;
    /// A page of a bucket's objects.
    async fn list_objects(&self, list: &ListObjects) -> Result<Listing, ApiError>;
}

/// Multipart uploads. (Six methods: listing uploads has no other home.)
#[async_trait]
pub trait Uploads: Send + Sync {
    /// Begins an upload.
    async fn create_upload(
        &self,
        cx: &Cx,
        permit: &Permit,
        write: WriteObject,
        composite: bool,
    ) -> Result<UploadRecord, ApiError>;
    /// Writes a part, also over an earlier one of its number.
    async fn put_part(
        &self,
        cx: &Cx,
        permit: &Permit,
        upload: &UploadName,
        number: u32,
        checks: BodyChecks,
        body: BodyStream,
    ) -> Result<PartRecord, ApiError>;
    /// Makes the object of the parts.
    async fn complete_upload(
        &self,
        cx: &Cx,
        permit: &Permit,
        upload: &UploadName,
        complete: CompleteUpload,
    ) -> Result<ObjectRecord, ApiError>;
    /// Forgets an upload and its parts.
    async fn abort_upload(&self, cx: &Cx, permit: &Permit, upload: &UploadName) -> Result<(), ApiError>;
    /// The upload and up to `limit` of its parts with numbers greater than `after`.
    async fn upload_parts(
        &self,
        upload: &UploadName,
        after: u32,
        limit: usize,
    ) -> Result<(UploadRecord, Vec<PartRecord>), ApiError>;
    /// Up to `limit` uploads of a bucket after this key and id, in order of key and id.
    async fn uploads(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<Vec<UploadRecord>, ApiError>;
}
