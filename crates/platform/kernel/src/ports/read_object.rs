//! The bytes of objects, for every service that reads or keeps them: sealed ones are opened in the caller's name.
//! Implemented by the S3 service.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::BodyStream;
use crate::{ApiError, Cx};

/// How the bytes of a blob are sealed: what is needed to open them, and no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The form of the bytes.
    pub algorithm: SealAlgorithm,
    /// The data key, wrapped: under the master key (SSE-S3, a text of `stoa-seal`), or under a KMS key (SSE-KMS, the
    /// ciphertext in base64).
    pub key: String,
    /// The KMS key; none for SSE-S3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// The encryption context that the data key is bound to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, String>,
    /// Whether the context names the bucket instead of the object (S3 Bucket Keys).
    #[serde(default)]
    pub bucket_key: bool,
}

/// Forms of sealed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SealAlgorithm {
    /// `stoa-frames`, version 1.
    #[serde(rename = "AES256-GCM-FRAMES-1")]
    Frames1,
}

impl Sealed {
    /// What `x-amz-server-side-encryption` says of it.
    pub fn method(&self) -> &'static str {
        if self.kms_key_arn.is_some() { "aws:kms" } else { "AES256" }
    }
}

/// What holds an object's bytes.
#[derive(Debug, Clone, Copy)]
pub struct StoredBytes<'a> {
    /// The name of the blob.
    pub digest: &'a str,
    /// Bytes of the object (not of the blob).
    pub size: u64,
    /// The bytes themselves, where no blob holds them.
    pub inline: Option<&'a Bytes>,
    /// How they are sealed.
    pub sealed: Option<&'a Sealed>,
}

/// Reads objects. A blob that was tampered with gives an error and never a wrong byte.
#[async_trait]
pub trait ReadObject: Send + Sync {
    /// The object's bytes from `start`, `length` of them as far as there are so many. The caller must be allowed to use
    /// the KMS key that they are under (`kms:Decrypt`); that the object may be read was decided before.
    async fn read(&self, cx: &Cx, bytes: &StoredBytes<'_>, start: u64, length: u64) -> Result<BodyStream, ApiError>;
    /// Refuses a caller who may not use the KMS key: for answers that tell of the bytes without giving them.
    async fn may_open(&self, cx: &Cx, sealed: &Sealed) -> Result<(), ApiError>;
    /// Stores what was made of an object's bytes sealed under the object's own data key: the blob and the size.
    async fn keep_sealed(&self, cx: &Cx, sealed: &Sealed, bytes: BodyStream) -> Result<(String, u64), ApiError>;
}
