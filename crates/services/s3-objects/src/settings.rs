//! Settings and tags of buckets and objects.
//!
//! INVARIANT: a change is held to the generation it was read at, and done again when another came between. A bucket's
//! tags are the store's, so that decisions see them; an object's are part of its document.

use async_trait::async_trait;
use stoa_kernel::ports::{
    BucketConfiguration, BucketEncryption, BucketSettings, ObjectTags, PublicAccessBlock, SettingChange,
};
use stoa_kernel::{ApiError, Cx, Permit};
use stoa_store::{Expect, StoreError, Transaction};

use crate::documents::{Bucket, BucketBody, ObjectBody, PublicAccess, object_key};
use crate::policy::{check, is_public};
use crate::service::{ATTEMPTS, S3Objects, aborted, no_such_bucket, no_such_key, store_failed};

const MOST_BUCKET_TAGS: usize = 50;
const MOST_OBJECT_TAGS: usize = 10;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

impl BucketBody {
    fn public_access_block(&self) -> Option<PublicAccessBlock> {
        match self.public_access {
            None => Some(PublicAccessBlock::ALL),
            Some(PublicAccess::Set(block)) => Some(block),
            Some(PublicAccess::Deleted) => None,
        }
    }
}

/// The body after a change, or why it may not happen.
fn changed(bucket: &Bucket, change: &SettingChange) -> Result<BucketBody, ApiError> {
    let mut body = bucket.body.clone();
    match change {
        SettingChange::Policy(None) => body.policy = None,
        SettingChange::Policy(Some(text)) => {
            check(text, bucket.name())?;
            if is_public(text) && body.public_access_block().is_some_and(|block| block.block_public_policy) {
                let text = "Access Denied: the policy would make the bucket public, and the bucket's public access block \
                            setting BlockPublicPolicy prevents that";
                return Err(ApiError::access_denied(text));
            }
            body.policy = Some(text.clone());
        }
        SettingChange::PublicAccessBlock(None) => body.public_access = Some(PublicAccess::Deleted),
        SettingChange::PublicAccessBlock(Some(block)) => body.public_access = Some(PublicAccess::Set(*block)),
        SettingChange::Encryption(encryption) => body.encryption.clone_from(encryption),
    }
    Ok(body)
}

/// Refuses tags that S3 does not take.
fn check_tags(tags: &ObjectTags, most: usize) -> Result<(), ApiError> {
    let invalid = |text: &str| Err(ApiError::new("InvalidTag", 400, text));
    if tags.len() > most {
        let (code, text) = match most {
            MOST_OBJECT_TAGS => ("BadRequest", "Object tags cannot be greater than 10"),
            _ => ("BadRequest", "Bucket tag count cannot be greater than 50"),
        };
        return Err(ApiError::new(code, 400, text));
    }
    let plain = |text: &str| text.chars().all(|letter| letter.is_alphanumeric() || " _.:/=+-@".contains(letter));
    for (key, value) in tags {
        let length = key.chars().count();
        if length == 0 || length > LONGEST_KEY || !plain(key) {
            return invalid("The TagKey you have provided is invalid");
        }
        if value.chars().count() > LONGEST_VALUE || !plain(value) {
            return invalid("The TagValue you have provided is invalid");
        }
        if key.starts_with("aws:") {
            return invalid("System tags cannot be added/updated by requester");
        }
    }
    Ok(())
}

#[async_trait]
impl BucketConfiguration for S3Objects {
    async fn bucket_settings(&self, bucket: &str) -> Result<BucketSettings, ApiError> {
        let Some(found) = self.stored(bucket).await? else {
            return match self.derived(bucket).await? {
                Some(_) => Ok(BucketSettings::default()),
                None => Err(no_such_bucket()),
            };
        };
        Ok(BucketSettings {
            public: found.body.policy.as_deref().is_some_and(is_public),
            public_access_block: found.body.public_access_block(),
            encryption: self.default_encryption(&found),
            policy: found.body.policy,
        })
    }

    async fn change_setting(
        &self,
        cx: &Cx,
        _permit: &Permit,
        bucket: &str,
        change: SettingChange,
    ) -> Result<(), ApiError> {
        if let SettingChange::Encryption(Some(BucketEncryption::Kms { .. })) = &change
            && self.encryption.is_none()
        {
            return Err(ApiError::new("NotImplemented", 501, "this server was put together without encryption"));
        }
        for _ in 0..ATTEMPTS {
            let found = self.writable(bucket, cx.now).await?;
            let body = changed(&found, &change)?;
            let document = found.document.with_body(cx.now, &body).map_err(store_failed)?;
            match self.store.commit(Transaction::new().update(document)).await {
                Err(StoreError::Conflict { .. }) => {}
                result => return result.map_err(store_failed),
            }
        }
        Err(aborted())
    }

    async fn set_bucket_tags(&self, cx: &Cx, _permit: &Permit, bucket: &str, tags: ObjectTags) -> Result<(), ApiError> {
        check_tags(&tags, MOST_BUCKET_TAGS)?;
        let found = self.writable(bucket, cx.now).await?;
        let arn = format!("arn:{}:s3:::{bucket}", cx.partition);
        let stands = Expect::Generation(found.document.generation);
        let change = Transaction::new().require(found.document.key.clone(), stands);
        self.store.commit(change.set_tags(&arn, tags.into_iter().collect())).await.map_err(store_failed)
    }

    async fn object_tags(&self, bucket: &str, key: &str) -> Result<Option<ObjectTags>, ApiError> {
        let Some(bucket) = self.stored(bucket).await? else { return Ok(None) };
        let found = self.store.get(&object_key(&bucket.owner, bucket.name(), key)).await.map_err(store_failed)?;
        let Some(document) = found else { return Ok(None) };
        let body: ObjectBody = document.decode().map_err(store_failed)?;
        Ok(Some(body.attributes.tags))
    }

    async fn set_object_tags(
        &self,
        cx: &Cx,
        _permit: &Permit,
        (bucket, key): (&str, &str),
        tags: ObjectTags,
    ) -> Result<(), ApiError> {
        check_tags(&tags, MOST_OBJECT_TAGS)?;
        for _ in 0..ATTEMPTS {
            let bucket = self.writable(bucket, cx.now).await?;
            let key = object_key(&bucket.owner, bucket.name(), key);
            let document = self.store.get(&key).await.map_err(store_failed)?.ok_or_else(no_such_key)?;
            let mut body: ObjectBody = document.decode().map_err(store_failed)?;
            body.attributes.tags.clone_from(&tags);
            // Tags are no part of the object's bytes: its date stays.
            let document = document.with_body(document.modified, &body).map_err(store_failed)?;
            match self.store.commit(Transaction::new().update(document)).await {
                Err(StoreError::Conflict { .. }) => {}
                result => return result.map_err(store_failed),
            }
        }
        Err(aborted())
    }
}

/// Checks tags that come with a new object.
pub(crate) fn check_object_tags(tags: &ObjectTags) -> Result<(), ApiError> {
    check_tags(tags, MOST_OBJECT_TAGS)
}
