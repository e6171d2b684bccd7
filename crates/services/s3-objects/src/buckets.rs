//! Buckets: made, listed, removed when empty.
//!
//! Removing marks the bucket first, then looks whether it is empty: a write that did not see the mark is held to the
//! generation before it and fails. A crash in between leaves the mark, which a later writer or deletion takes over.

use async_trait::async_trait;
use stoa_kernel::ports::{BucketRecord, Buckets};
use stoa_kernel::{ApiError, Cx, Permit};
use stoa_store::{Document, Expect, Position, Query, SortValue, Transaction};
use stoa_types::{AccountId, Region, Timestamp};

use crate::documents::{ACTIVE, BUCKET, Bucket, BucketBody, DELETING, OBJECT, UPLOAD, bucket_key, upload_record};
use crate::names::check_bucket_name;
use crate::service::{S3Objects, aborted, store_failed};
use crate::source::LAST;

/// Accounts may have ten thousand buckets, as AWS has it.
const QUOTA: u64 = 10_000;

fn taken() -> ApiError {
    let text = "The requested bucket name is not available. The bucket namespace is shared by all users of the system. \
                Please select a different name and try again.";
    ApiError::new("BucketAlreadyExists", 409, text)
}

fn owned_by_you() -> ApiError {
    let text = "Your previous request to create the named bucket succeeded and you already own it.";
    ApiError::new("BucketAlreadyOwnedByYou", 409, text)
}

impl S3Objects {
    async fn name_is_taken(&self, cx: &Cx, name: &str, region: &Region) -> Result<(), ApiError> {
        let Some(bucket) = self.stored(name).await? else { return Err(aborted()) };
        if bucket.owner != cx.principal.account {
            return Err(taken());
        }
        // AWS answers so in its oldest region only.
        if region.as_str() == "us-east-1" && bucket.region == *region { Ok(()) } else { Err(owned_by_you()) }
    }

    async fn is_empty(&self, bucket: &Bucket) -> Result<bool, ApiError> {
        let query = Query::of(OBJECT).owned_by(&bucket.owner, None).children_of(bucket.name()).limit(1);
        Ok(self.store.query(&query).await.map_err(store_failed)?.documents.is_empty())
    }

    /// Unfinished uploads do not keep a bucket.
    pub(crate) async fn forget_uploads(&self, bucket: &Bucket) -> Result<(), ApiError> {
        loop {
            let query = Query::of(UPLOAD).owned_by(&bucket.owner, None).children_of(bucket.name());
            let page = self.store.query(&query).await.map_err(store_failed)?;
            if page.documents.is_empty() {
                return Ok(());
            }
            for document in page.documents {
                let upload = upload_record(&document).map_err(store_failed)?;
                self.remove_upload(&bucket.owner, &document, &upload.id).await?;
            }
        }
    }

    async fn set_status(&self, bucket: &Bucket, status: &str, now: Timestamp) -> Result<Bucket, ApiError> {
        let marked = Document { modified: now, ..bucket.document.as_ref().clone() }.with_status(status);
        self.store.commit(Transaction::new().update(marked)).await.map_err(store_failed)?;
        self.readable(bucket.name()).await
    }
}

#[async_trait]
impl Buckets for S3Objects {
    async fn create_bucket(&self, cx: &Cx, _permit: &Permit, name: &str, region: &Region) -> Result<(), ApiError> {
        check_bucket_name(name)?;
        if self.derived(name).await?.is_some() {
            return Err(taken());
        }
        let account = &cx.principal.account;
        let count = self.store.count(&Query::of(BUCKET).children_of(account.as_str())).await.map_err(store_failed)?;
        if count >= QUOTA {
            let text = "You have attempted to create more buckets than allowed";
            return Err(ApiError::new("TooManyBuckets", 400, text));
        }
        let body = BucketBody {
            owner: account.to_string(),
            region: region.to_string(),
            policy: None,
            public_access: None,
            encryption: None,
        };
        let document = Document::new(bucket_key(name), name, cx.now, &body).map_err(store_failed)?;
        let document = document.with_parent(account.as_str()).with_status(ACTIVE);
        match self.store.commit(Transaction::new().create(document)).await {
            Err(error) if error.is_conflict() => self.name_is_taken(cx, name, region).await,
            result => result.map_err(store_failed),
        }
    }

    async fn delete_bucket(&self, cx: &Cx, _permit: &Permit, name: &str) -> Result<(), ApiError> {
        if self.stored(name).await?.is_none() && self.derived(name).await?.is_some() {
            return Err(ApiError::access_denied("Access Denied: this bucket can only be read"));
        }
        let bucket = self.set_status(&self.readable(name).await?, DELETING, cx.now).await?;
        if !self.is_empty(&bucket).await? {
            self.set_status(&bucket, ACTIVE, cx.now).await?;
            return Err(ApiError::new("BucketNotEmpty", 409, "The bucket you tried to delete is not empty"));
        }
        self.forget_uploads(&bucket).await?;
        let expect = Expect::Generation(bucket.document.generation);
        let arn = format!("arn:{}:s3:::{name}", cx.partition);
        let removal = Transaction::new().delete(bucket.document.key.clone(), expect).set_tags(&arn, Vec::new());
        self.store.commit(removal).await.map_err(store_failed)
    }

    async fn bucket(&self, name: &str) -> Result<Option<BucketRecord>, ApiError> {
        if let Some(bucket) = self.stored(name).await? {
            return Ok(Some(bucket.record()));
        }
        let derived = self.derived(name).await?;
        Ok(derived.map(|(_, owner)| BucketRecord {
            name: name.to_owned(),
            owner,
            region: None,
            created: Timestamp::from_millis(0),
        }))
    }

    async fn buckets(
        &self,
        account: &AccountId,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BucketRecord>, ApiError> {
        let mut query = Query::of(BUCKET).children_of(account.as_str()).limit(limit);
        if !prefix.is_empty() {
            query.name_prefix = Some(prefix.to_owned());
        }
        if let Some(after) = after {
            let position = Position(SortValue::Text(after.to_owned()), LAST.to_owned(), String::new(), String::new());
            query.after = Some(position.encode().map_err(store_failed)?);
        }
        let page = self.store.query(&query).await.map_err(store_failed)?;
        page.documents.into_iter().map(|document| Ok(Bucket::of(document).map_err(store_failed)?.record())).collect()
    }
}
