//! What an owner sets on a bucket beside its objects: its policy, its public access block, tags; and tags of objects.
//! Implemented by the S3 service.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{CorsRule, LifecycleRule, Versioning};
use crate::{ApiError, Cx, Permit};

/// S3 Block Public Access. A new bucket has all four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicAccessBlock {
    /// Public ACLs are refused; there are no ACLs here, so this is only kept.
    pub block_public_acls: bool,
    /// As above.
    pub ignore_public_acls: bool,
    /// A policy that makes the bucket public is refused.
    pub block_public_policy: bool,
    /// While the policy makes the bucket public, only its own account and services get in.
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// What a bucket has that nobody changed.
    pub const ALL: PublicAccessBlock = PublicAccessBlock {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };
}

/// What is done to objects that are written without a word about encryption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BucketEncryption {
    /// SSE-S3.
    Aes256,
    /// SSE-KMS.
    Kms {
        /// As it was put: id, ARN, alias or alias ARN; none for the account's `aws/s3`.
        key: Option<String>,
        /// S3 Bucket Keys: the encryption context names the bucket instead of the object.
        bucket_key: bool,
    },
}

/// The settings of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BucketSettings {
    /// The bucket policy, as it was put.
    pub policy: Option<String>,
    /// Whether that policy makes the bucket public, by S3's meaning of the word.
    pub public: bool,
    /// The public access block; none where it was deleted.
    pub public_access_block: Option<PublicAccessBlock>,
    /// Whether it keeps versions; none where it never did.
    pub versioning: Option<Versioning>,
    /// Its lifecycle rules; empty where it has none.
    pub lifecycle: Vec<LifecycleRule>,
    /// Its rules for other origins; empty where it has none.
    pub cors: Vec<CorsRule>,
    /// Whether its mutations are events.
    pub event_bridge: bool,
    /// Whether its ownership controls were deleted; there are no ACLs either way.
    pub ownership_deleted: bool,
    /// Default encryption: the bucket's own, or the server's.
    pub encryption: Option<BucketEncryption>,
}

/// A change of one setting; `None` deletes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingChange {
    /// The bucket policy.
    Policy(Option<String>),
    /// The public access block.
    PublicAccessBlock(Option<PublicAccessBlock>),
    /// Whether it keeps versions. There is no way back to a bucket that never did.
    Versioning(Versioning),
    /// The lifecycle rules.
    Lifecycle(Option<Vec<LifecycleRule>>),
    /// The rules for other origins.
    Cors(Option<Vec<CorsRule>>),
    /// Whether mutations are events.
    EventBridge(bool),
    /// Whether there are ownership controls.
    Ownership(bool),
    /// Default encryption.
    Encryption(Option<BucketEncryption>),
}

/// Tags in order of their keys.
pub type ObjectTags = BTreeMap<String, String>;

/// Settings and tags of buckets and objects.
#[async_trait]
pub trait BucketConfiguration: Send + Sync {
    /// The settings of a bucket; those of a derived bucket say that it has none.
    async fn bucket_settings(&self, bucket: &str) -> Result<BucketSettings, ApiError>;
    /// Changes a setting. `MalformedPolicy` for a policy that S3 would not take, `AccessDenied` for a public one where
    /// those are blocked.
    async fn change_setting(
        &self,
        cx: &Cx,
        permit: &Permit,
        bucket: &str,
        change: SettingChange,
    ) -> Result<(), ApiError>;
    /// Replaces the tags of a bucket.
    async fn set_bucket_tags(&self, cx: &Cx, permit: &Permit, bucket: &str, tags: ObjectTags) -> Result<(), ApiError>;
    /// The tags of an object, or of a version of it; none where it has none, or is not there.
    async fn object_tags(&self, name: (&str, &str), version: Option<&str>) -> Result<Option<ObjectTags>, ApiError>;
    /// Replaces the tags of an object, or of a version of it, which must be there. The version comes back, where the
    /// bucket keeps any.
    async fn set_object_tags(
        &self,
        cx: &Cx,
        permit: &Permit,
        name: (&str, &str),
        version: Option<&str>,
        tags: ObjectTags,
    ) -> Result<Option<String>, ApiError>;
}
