//! Versions of objects and delete markers, where a bucket keeps them. Implemented by the S3 service.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stoa_types::Timestamp;

use super::{ObjectEntry, ObjectRecord, WriteCondition};
use crate::{ApiError, Cx, Permit};

/// Whether a bucket keeps what is written over. A bucket that never had it has none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// Each write makes a version of its own.
    Enabled,
    /// Each write makes the `null` version; older ones stay.
    Suspended,
}

/// A delete marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkerRecord {
    /// Its version id, or `null`.
    pub version: String,
    /// When it was made.
    pub modified: Timestamp,
}

/// What is under a key in some version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundVersion {
    /// An object.
    Object(Box<ObjectRecord>),
    /// A delete marker.
    Marker(MarkerRecord),
}

/// What came of a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deletion {
    /// Whether a delete marker was made, or one was removed.
    pub marker: bool,
    /// The version that was made or removed, or `null`; none where the bucket keeps none.
    pub version: Option<String>,
}

/// Which versions to list.
#[derive(Debug, Clone, Default)]
pub struct ListVersions {
    /// The bucket.
    pub bucket: String,
    /// Keys that begin with this.
    pub prefix: String,
    /// Keys with this after the prefix are rolled up to it; empty for none.
    pub delimiter: String,
    /// After this key, or within it after this version.
    pub after: Option<(String, Option<String>)>,
    /// At most so many, versions, markers and rolled-up prefixes together.
    pub limit: usize,
}

/// A version or a delete marker in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionEntry {
    /// The key.
    pub key: String,
    /// The version id, or `null`.
    pub version: String,
    /// Whether it is the newest of its key.
    pub latest: bool,
    /// When it was made.
    pub modified: Timestamp,
    /// The object with its storage class; none for a delete marker.
    pub object: Option<(ObjectEntry, Option<String>)>,
}

/// A page of versions: in order of their keys, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionListing {
    /// Versions and delete markers.
    pub entries: Vec<VersionEntry>,
    /// The rolled-up prefixes, in byte order.
    pub prefixes: Vec<String>,
    /// After what the next page begins: a key with its version, or a rolled-up prefix; none at the end.
    pub next: Option<(String, Option<String>)>,
}

/// Versions of objects.
#[async_trait]
pub trait ObjectVersions: Send + Sync {
    /// This version, or without one the newest, which may be a delete marker. `InvalidArgument` for what is no version
    /// id at all.
    async fn version_for_read(
        &self,
        cx: &Cx,
        name: (&str, &str),
        version: Option<&str>,
    ) -> Result<Option<FoundVersion>, ApiError>;
    /// Removes a version for good; one that is not there is fine. Was it the newest, the next one takes its place.
    async fn delete_version(
        &self,
        cx: &Cx,
        permit: &Permit,
        name: (&str, &str),
        version: &str,
        condition: &WriteCondition,
    ) -> Result<Deletion, ApiError>;
    /// A page of a bucket's versions.
    async fn list_versions(&self, list: &ListVersions) -> Result<VersionListing, ApiError>;
}
