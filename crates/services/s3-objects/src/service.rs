//! The service: its store, its blobs, the derived buckets, and what every operation needs of them.

use std::sync::Arc;

use stoa_blob::BlobStore;
use stoa_kernel::ApiError;
use stoa_kernel::ports::ObjectSource;
use stoa_store::{Outcome, Store, StoreError, Transaction};
use stoa_types::{AccountId, Timestamp};

use crate::documents::{ACTIVE, Bucket, DELETING, bucket_key};
use crate::encryption::Encryption;
use crate::policy::CompiledPolicies;

/// How long a bucket's deletion may look unfinished before a writer concludes that it died and takes the mark off.
const DELETION_MILLIS: i64 = 10_000;

/// How often a write is tried again when others changed what it stands on.
pub(crate) const ATTEMPTS: usize = 4;

/// Buckets, objects and uploads over a document store and a blob store.
pub struct S3Objects {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) derived: Vec<Arc<dyn ObjectSource>>,
    pub(crate) policies: CompiledPolicies,
    pub(crate) encryption: Option<Encryption>,
}

impl std::fmt::Debug for S3Objects {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("S3Objects").field("derived", &self.derived.len()).finish_non_exhaustive()
    }
}

pub(crate) fn no_such_bucket() -> ApiError {
    ApiError::new("NoSuchBucket", 404, "The specified bucket does not exist")
}

pub(crate) fn no_such_key() -> ApiError {
    ApiError::new("NoSuchKey", 404, "The specified key does not exist.")
}

pub(crate) fn precondition_failed() -> ApiError {
    ApiError::new("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold")
}

pub(crate) fn aborted() -> ApiError {
    let text = "A conflicting conditional operation is currently in progress against this resource. Please try again.";
    ApiError::new("OperationAborted", 409, text)
}

/// A failure of the store that the operation has no words of its own for.
pub(crate) fn store_failed(error: StoreError) -> ApiError {
    match error {
        StoreError::Conflict { .. } => aborted(),
        StoreError::Backend { outcome: Outcome::NotApplied, .. } => {
            ApiError::new("ServiceUnavailable", 503, "Please reduce your request rate.").with_cause(error)
        }
        StoreError::Backend { outcome: Outcome::Unknown, .. }
        | StoreError::Corrupt { .. }
        | StoreError::Encoding(_) => ApiError::internal(error),
    }
}

impl S3Objects {
    /// The service. `derived` are the buckets that are not stored here and can only be read.
    pub fn new(store: Arc<dyn Store>, blobs: Arc<dyn BlobStore>, derived: Vec<Arc<dyn ObjectSource>>) -> S3Objects {
        S3Objects { store, blobs, derived, policies: CompiledPolicies::default(), encryption: None }
    }

    /// With encryption; without it, a write that asks for it is refused.
    #[must_use]
    pub fn with_encryption(mut self, encryption: Encryption) -> S3Objects {
        self.encryption = Some(encryption);
        self
    }

    /// The stored bucket of this name.
    pub(crate) async fn stored(&self, name: &str) -> Result<Option<Bucket>, ApiError> {
        let found = self.store.get(&bucket_key(name)).await.map_err(store_failed)?;
        found.map(Bucket::of).transpose().map_err(store_failed)
    }

    /// The derived bucket of this name: its source and owner.
    pub(crate) async fn derived(&self, name: &str) -> Result<Option<(&Arc<dyn ObjectSource>, AccountId)>, ApiError> {
        for source in &self.derived {
            if let Some(owner) = source.bucket_owner(name).await? {
                return Ok(Some((source, owner)));
            }
        }
        Ok(None)
    }

    /// The stored bucket, or the error that there is none.
    pub(crate) async fn readable(&self, name: &str) -> Result<Bucket, ApiError> {
        self.stored(name).await?.ok_or_else(no_such_bucket)
    }

    /// A bucket that may be written to. The write must be held to its generation.
    pub(crate) async fn writable(&self, name: &str, now: Timestamp) -> Result<Bucket, ApiError> {
        let Some(bucket) = self.stored(name).await? else {
            return match self.derived(name).await? {
                Some(_) => Err(ApiError::access_denied("Access Denied: this bucket can only be read")),
                None => Err(no_such_bucket()),
            };
        };
        if bucket.document.status != DELETING {
            return Ok(bucket);
        }
        if now < bucket.document.modified.plus_millis(DELETION_MILLIS) {
            return Err(aborted());
        }
        // The deletion died halfway. Were it alive after all, it would now fail at the new generation.
        let restored = bucket.document.as_ref().clone().with_status(ACTIVE);
        self.store.commit(Transaction::new().update(restored)).await.map_err(store_failed)?;
        self.readable(name).await
    }
}
