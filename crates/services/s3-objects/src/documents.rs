//! The documents of this service: their keys and bodies.
//!
//! INVARIANT: a bucket's key has the pseudo-account `aws` instead of its owner's, so that names are unique over all
//! accounts by the store's own check; the owner is its parent. Everything inside a bucket has the owner's account.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stoa_blob::Digest;
use stoa_kernel::ports::{
    BucketEncryption, BucketRecord, Checksum, ChecksumAlgorithm, ObjectAttributes, ObjectEntry, ObjectRecord,
    PartRecord, PublicAccessBlock, Sealed, UploadRecord,
};
use stoa_store::{Document, Key, StoreError};
use stoa_types::{AccountId, Region};

pub(crate) const BUCKET: &str = "s3:bucket";
pub(crate) const OBJECT: &str = "s3:object";
pub(crate) const UPLOAD: &str = "s3:upload";
pub(crate) const PART: &str = "s3:part";

pub(crate) const ACTIVE: &str = "Active";
/// A deletion has begun: nothing may be written until it ends or is given up.
pub(crate) const DELETING: &str = "Deleting";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct BucketBody {
    pub owner: String,
    pub region: String,
    /// The bucket policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The public access block, where it was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_access: Option<PublicAccess>,
    /// Default encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<BucketEncryption>,
}

/// What became of the public access block that a bucket begins with.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum PublicAccess {
    Deleted,
    Set(PublicAccessBlock),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ObjectBody {
    pub digest: Digest,
    pub size: u64,
    pub etag: String,
    pub attributes: ObjectAttributes,
    pub checksum: Option<Checksum>,
    pub parts: Option<u32>,
    /// The bytes of each of its parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub part_sizes: Vec<u64>,
    /// The upload it was made of, so that completing it twice has the same answer.
    pub upload_id: Option<String>,
    /// How the blob is sealed. `digest` is that of the blob; size, checksum and parts are those of the bytes in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Arc<Sealed>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UploadBody {
    pub bucket: String,
    pub id: String,
    pub attributes: ObjectAttributes,
    pub algorithm: Option<ChecksumAlgorithm>,
    pub composite: bool,
    /// How its parts are sealed, each under the one data key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Arc<Sealed>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PartBody {
    pub number: u32,
    pub digest: Digest,
    pub size: u64,
    pub etag: String,
    pub checksum: Checksum,
}

pub(crate) fn bucket_key(name: &str) -> Key {
    Key { kind: BUCKET, account: AccountId::aws(), region: None, id: name.to_owned() }
}

fn inner_key(kind: &'static str, owner: &AccountId, id: String) -> Key {
    Key { kind, account: owner.clone(), region: None, id }
}

pub(crate) fn object_key(owner: &AccountId, bucket: &str, key: &str) -> Key {
    inner_key(OBJECT, owner, format!("{bucket}/{key}"))
}

pub(crate) fn upload_key(owner: &AccountId, bucket: &str, upload_id: &str) -> Key {
    inner_key(UPLOAD, owner, format!("{bucket}/{upload_id}"))
}

pub(crate) fn part_key(owner: &AccountId, upload_id: &str, number: u32) -> Key {
    inner_key(PART, owner, format!("{upload_id}/{number:05}"))
}

/// A bucket with its document.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    pub document: std::sync::Arc<Document>,
    pub owner: AccountId,
    pub region: Region,
    pub body: BucketBody,
}

impl Bucket {
    pub fn of(document: std::sync::Arc<Document>) -> Result<Bucket, StoreError> {
        let body: BucketBody = document.decode()?;
        let corrupt = |text: String| StoreError::corrupt(&document.key, serde::de::Error::custom(text));
        let owner = body.owner.parse::<AccountId>().map_err(|error| corrupt(error.to_string()))?;
        let region = body.region.parse::<Region>().map_err(|error| corrupt(error.to_string()))?;
        Ok(Bucket { owner, region, body, document })
    }
    pub fn name(&self) -> &str {
        &self.document.name
    }
    pub fn record(&self) -> BucketRecord {
        BucketRecord {
            name: self.document.name.clone(),
            owner: self.owner.clone(),
            region: Some(self.region.clone()),
            created: self.document.created,
        }
    }
}

pub(crate) fn object_record(document: &Document) -> Result<ObjectRecord, StoreError> {
    let body: ObjectBody = document.decode()?;
    let entry = ObjectEntry {
        key: document.name.clone(),
        digest: body.digest.as_str().to_owned(),
        size: body.size,
        etag: body.etag,
        content_type: body.attributes.content_type.clone(),
        last_modified: document.modified,
        inline: None,
        sealed: body.sealed,
    };
    Ok(ObjectRecord {
        entry,
        attributes: body.attributes,
        checksum: body.checksum,
        parts: body.parts,
        part_sizes: body.part_sizes,
    })
}

pub(crate) fn upload_record(document: &Document) -> Result<UploadRecord, StoreError> {
    let body: UploadBody = document.decode()?;
    Ok(UploadRecord {
        id: body.id,
        bucket: body.bucket,
        key: document.name.clone(),
        initiated: document.created,
        attributes: body.attributes,
        algorithm: body.algorithm,
        composite: body.composite,
        sealed: body.sealed,
    })
}

pub(crate) fn part_record(document: &Document, sealed: Option<&Arc<Sealed>>) -> Result<PartRecord, StoreError> {
    let body: PartBody = document.decode()?;
    Ok(PartRecord {
        number: body.number,
        etag: body.etag,
        size: body.size,
        modified: document.modified,
        checksum: Some(body.checksum),
        sealed: sealed.cloned(),
    })
}
