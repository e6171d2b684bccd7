//! Whether a principal may read what is in a bucket: one answer for everybody who hands bytes out (the S3 edge for the
//! sources of copies, download URLs and the Hugging Face API of hubs, hosting). Implemented by the S3 service.
//!
//! INVARIANT: what is closed by one of these ways is closed by all of them, since nobody else decides `s3:GetObject` or
//! `s3:ListBucket` for a read that is not the S3 call itself.

use async_trait::async_trait;
use stoa_policy::MapContext;
use stoa_types::AccountId;

use crate::{ApiError, Cx, Principal};

/// An object that is to be read.
#[derive(Debug, Clone, Default)]
pub struct ObjectRead<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The key.
    pub key: &'a str,
    /// The version, where one is named: another action then.
    pub version: Option<&'a str>,
    /// Condition keys of the request itself (how it was signed), where it is one of S3.
    pub keys: MapContext,
}

impl<'a> ObjectRead<'a> {
    /// The newest version of an object, for a reader who sent no request to S3.
    pub fn newest(bucket: &'a str, key: &'a str) -> ObjectRead<'a> {
        ObjectRead { bucket, key, ..ObjectRead::default() }
    }
}

/// Who may read. The principal is the caller, or one that a service acts as (an execution role); `NoSuchBucket` where
/// there is no such bucket.
#[async_trait]
pub trait ObjectAccess: Send + Sync {
    /// Refuses whoever may not get the object: `s3:GetObject` or `s3:GetObjectVersion` with every key that S3 has for it,
    /// the owner and the object's tags among them, and [`ObjectAccess::may_enter`].
    async fn may_get(&self, cx: &Cx, principal: &Principal, read: &ObjectRead<'_>) -> Result<(), ApiError>;
    /// The whole question, for the caller: the above, the bucket's rules beyond IAM
    /// ([`ObjectSource::check_read`](super::ObjectSource::check_read)), and the KMS key that the bytes are under.
    async fn may_read(&self, cx: &Cx, read: &ObjectRead<'_>) -> Result<(), ApiError>;
    /// Refuses whoever may not list these keys: `s3:ListBucket` with the prefix, and [`ObjectAccess::may_enter`].
    async fn may_list(&self, cx: &Cx, principal: &Principal, bucket: &str, prefix: &str) -> Result<(), ApiError>;
    /// `RestrictPublicBuckets`: while a bucket's policy is public, other accounts stay out. Services get in.
    async fn may_enter(&self, principal: &Principal, bucket: &str, owner: &AccountId) -> Result<(), ApiError>;
}
