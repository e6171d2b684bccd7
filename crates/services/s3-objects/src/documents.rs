//! The documents of this service: their keys and bodies.
//!
//! A key's newest version is a document of its own kind, an object or a delete marker, found by bucket and key alone;
//! older versions are of a third kind, whose ids end with the order they were made in, newest first.
//!
//! INVARIANT: a bucket's key has the pseudo-account `aws` instead of its owner's, so that names are unique over all
//! accounts by the store's own check; the owner is its parent. Everything inside a bucket has the owner's account.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stoa_blob::Digest;
use stoa_kernel::ports::{
    BucketEncryption, BucketRecord, Checksum, ChecksumAlgorithm, CorsRule, LifecycleRule, MarkerRecord,
    ObjectAttributes, ObjectEntry, ObjectRecord, PartRecord, PublicAccessBlock, Sealed, UploadRecord, Versioning,
};
use stoa_store::{Document, Key, StoreError};
use stoa_types::{AccountId, Region, Timestamp};

pub(crate) const BUCKET: &str = "s3:bucket";
pub(crate) const OBJECT: &str = "s3:object";
/// Delete markers that are the newest of their key.
pub(crate) const MARKER: &str = "s3:marker";
/// Objects and delete markers that are not the newest of their key.
pub(crate) const VERSION: &str = "s3:version";
pub(crate) const UPLOAD: &str = "s3:upload";
pub(crate) const PART: &str = "s3:part";

pub(crate) const ACTIVE: &str = "Active";
/// A deletion has begun: nothing may be written until it ends or is given up.
pub(crate) const DELETING: &str = "Deleting";
/// Of an upload: it is being completed with the parts that are there. A part that comes takes the status back.
pub(crate) const COMPLETING: &str = "Completing";

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versioning: Option<Versioning>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lifecycle: Vec<LifecycleRule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cors: Vec<CorsRule>,
    /// Whether mutations are events.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub event_bridge: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ownership_deleted: bool,
    /// Default encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<BucketEncryption>,
}

impl BucketBody {
    /// Of a new bucket.
    pub fn new(owner: &AccountId, region: &Region) -> BucketBody {
        BucketBody {
            owner: owner.to_string(),
            region: region.to_string(),
            policy: None,
            public_access: None,
            versioning: None,
            lifecycle: Vec::new(),
            cors: Vec::new(),
            event_bridge: false,
            ownership_deleted: false,
            encryption: None,
        }
    }
}

/// Statuses of older versions: of objects and of markers, with an id or without.
pub(crate) const OLD_OBJECT: &str = "Object";
pub(crate) const OLD_NULL: &str = "NullObject";
pub(crate) const OLD_MARKER: &str = "Marker";
pub(crate) const OLD_NULL_MARKER: &str = "NullMarker";

/// The version id of what has none.
pub(crate) const NULL: &str = "null";

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
    /// What it is as a version.
    #[serde(default, skip_serializing_if = "VersionBody::is_default")]
    pub version: VersionBody,
    /// How the blob is sealed. `digest` is that of the blob; size, checksum and parts are those of the bytes in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Arc<Sealed>>,
}

impl ObjectBody {
    /// An object of these bytes, in one piece.
    pub fn of(stored: crate::body::StoredBody, attributes: ObjectAttributes) -> ObjectBody {
        ObjectBody {
            digest: stored.digest,
            size: stored.size,
            etag: stored.etag,
            attributes,
            checksum: Some(stored.checksum),
            parts: None,
            part_sizes: Vec::new(),
            upload_id: None,
            version: VersionBody::default(),
            sealed: stored.sealed,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MarkerBody {
    pub version: VersionBody,
}

/// What objects and delete markers are as versions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct VersionBody {
    /// None: the `null` version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Grows with each version of a key; nothing else is told by it. Zero: from before the bucket kept versions.
    #[serde(skip_serializing_if = "is_zero")]
    pub order: u64,
    /// When it ceased to be the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noncurrent_since: Option<Timestamp>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl VersionBody {
    fn is_default(&self) -> bool {
        *self == VersionBody::default()
    }
    /// As clients see it.
    pub fn shown(&self) -> &str {
        self.id.as_deref().unwrap_or(NULL)
    }
    /// Whether a client means this one.
    pub fn is(&self, id: &str) -> bool {
        self.shown() == id
    }
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

pub(crate) fn marker_key(owner: &AccountId, bucket: &str, key: &str) -> Key {
    inner_key(MARKER, owner, format!("{bucket}/{key}"))
}

/// The end of the id has always the same length, so no two keys share one.
pub(crate) fn version_key(owner: &AccountId, bucket: &str, key: &str, order: u64) -> Key {
    inner_key(VERSION, owner, format!("{bucket}/{key}/{:016x}", u64::MAX - order))
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
    pub body: Arc<BucketBody>,
}

impl Bucket {
    pub fn of(document: std::sync::Arc<Document>) -> Result<Bucket, StoreError> {
        let body = document.decoded::<BucketBody>()?;
        let corrupt = |text: String| StoreError::corrupt(&document.key, serde::de::Error::custom(text));
        let owner = body.owner.parse::<AccountId>().map_err(|error| corrupt(error.to_string()))?;
        let region = body.region.parse::<Region>().map_err(|error| corrupt(error.to_string()))?;
        Ok(Bucket { owner, region, body, document })
    }
    pub fn name(&self) -> &str {
        &self.document.name
    }
    /// Whether it keeps versions, or did.
    pub fn versioned(&self) -> bool {
        self.body.versioning.is_some()
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
    let body = document.decoded::<ObjectBody>()?;
    let entry = ObjectEntry {
        key: document.name.clone(),
        digest: body.digest.as_str().to_owned(),
        size: body.size,
        etag: body.etag.clone(),
        content_type: body.attributes.content_type.clone(),
        last_modified: document.modified,
        inline: None,
        sealed: body.sealed.clone(),
    };
    Ok(ObjectRecord {
        entry,
        attributes: body.attributes.clone(),
        checksum: body.checksum.clone(),
        parts: body.parts,
        part_sizes: body.part_sizes.clone(),
        version: body.version.id.clone(),
        expires: None,
    })
}

/// The record of an object in its bucket: with the version where the bucket keeps any, and with the end it will have.
pub(crate) fn record_in(bucket: &Bucket, document: &Document) -> Result<ObjectRecord, StoreError> {
    let mut record = object_record(document)?;
    if bucket.versioned() {
        record.version.get_or_insert_with(|| NULL.to_owned());
    }
    if document.key.kind == OBJECT && !bucket.body.lifecycle.is_empty() {
        record.expires = crate::lifecycle::expiry(&bucket.body.lifecycle, &record);
    }
    Ok(record)
}

pub(crate) fn marker_record(document: &Document) -> Result<MarkerRecord, StoreError> {
    let body: MarkerBody = document.decode()?;
    Ok(MarkerRecord { version: body.version.shown().to_owned(), modified: document.modified })
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
        sealed: body.sealed.clone(),
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
