//! Settings and tags of buckets and objects.
//!
//! INVARIANT: a change is held to the generation it was read at, and done again when another came between. A bucket's
//! tags are the store's, so that decisions see them; an object's are part of its document.

use std::sync::Arc;

use async_trait::async_trait;
use stoa_kernel::ports::{
    BucketConfiguration, BucketEncryption, BucketSettings, ObjectTags, PublicAccessBlock, SettingChange,
};
use stoa_kernel::{ApiError, Cx, Permit};
use stoa_models_authz::lint_catalog;
use stoa_policy::Slot;
use stoa_policy::lint::{Holder, Subject, lint};
use stoa_store::{Document, Expect, StoreError, Transaction};

use crate::documents::{Bucket, BucketBody, ObjectBody, PublicAccess, object_key};
use crate::events::{About, Act, What, emit};
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
    let mut body = BucketBody::clone(&bucket.body);
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
        SettingChange::Versioning(wanted) => body.versioning = Some(*wanted),
        SettingChange::Lifecycle(rules) => {
            let rules = rules.clone().unwrap_or_default();
            crate::lifecycle::check(&rules)?;
            body.lifecycle = rules;
        }
        SettingChange::Cors(rules) => body.cors = rules.clone().unwrap_or_default(),
        SettingChange::EventBridge(wanted) => body.event_bridge = *wanted,
        SettingChange::Ownership(there) => body.ownership_deleted = !there,
        SettingChange::Encryption(encryption) => body.encryption.clone_from(encryption),
    }
    Ok(body)
}

/// What is likely wrong with a policy that was saved, as warnings of the call. Never changes the answer.
fn warn(cx: &Cx, text: &str) {
    let subject = Subject { slot: Slot::Resource, holder: Holder::Unknown };
    let mut found = lint(text, subject, lint_catalog());
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for finding in found {
        cx.note_warning(format!("Policy: {} at {}: {}", finding.code.name(), finding.path, finding.message));
    }
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
            policy: found.body.policy.clone(),
            versioning: found.body.versioning,
            lifecycle: found.body.lifecycle.clone(),
            cors: found.body.cors.clone(),
            event_bridge: found.body.event_bridge,
            ownership_deleted: found.body.ownership_deleted,
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
                Err(error) => return Err(store_failed(error)),
                Ok(()) => {
                    if let SettingChange::Policy(Some(text)) = &change {
                        warn(cx, text);
                    }
                    return Ok(());
                }
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

    async fn object_tags(
        &self,
        (bucket, key): (&str, &str),
        version: Option<&str>,
    ) -> Result<Option<ObjectTags>, ApiError> {
        let Some(bucket) = self.stored(bucket).await? else { return Ok(None) };
        // Looked at for a decision: what is wrong with the id is told after it.
        let Ok(found) = self.of_version(&bucket, key, version).await else { return Ok(None) };
        let Some(document) = found else { return Ok(None) };
        let body = document.decoded::<ObjectBody>().map_err(store_failed)?;
        Ok(Some(body.attributes.tags.clone()))
    }

    async fn set_object_tags(
        &self,
        cx: &Cx,
        _permit: &Permit,
        (bucket, key): (&str, &str),
        version: Option<&str>,
        tags: ObjectTags,
    ) -> Result<Option<String>, ApiError> {
        check_tags(&tags, MOST_OBJECT_TAGS)?;
        let act = Act::of(cx, cx.now, "");
        for _ in 0..ATTEMPTS {
            let bucket = self.writable(bucket, cx.now).await?;
            let document = self.of_version(&bucket, key, version).await?.ok_or_else(no_such_key)?;
            let mut body: ObjectBody = document.decode().map_err(store_failed)?;
            body.attributes.tags.clone_from(&tags);
            let shown = bucket.versioned().then(|| body.version.shown().to_owned());
            // Tags are no part of the object's bytes: its date stays.
            let document = document.with_body(document.modified, &body).map_err(store_failed)?;
            let what = if tags.is_empty() { What::TagsDeleted } else { What::TagsAdded };
            let (size, etag) = (Some(body.size), Some(body.etag.as_str()));
            let about = About { key, size, etag, version: shown.as_deref() };
            match self.store.commit(emit(Transaction::new().update(document), &bucket, &act, what, &about)).await {
                Err(StoreError::Conflict { .. }) => {}
                result => return result.map(|()| shown).map_err(store_failed),
            }
        }
        Err(aborted())
    }
}

impl S3Objects {
    /// The document of an object, or of this version of it.
    async fn of_version(
        &self,
        bucket: &Bucket,
        key: &str,
        version: Option<&str>,
    ) -> Result<Option<Arc<Document>>, ApiError> {
        match version {
            None => self.store.get(&object_key(&bucket.owner, bucket.name(), key)).await.map_err(store_failed),
            Some(id) => {
                let found = self.version(bucket, key, id).await?;
                Ok(found.filter(|found| !found.marker).map(|found| found.document))
            }
        }
    }
}

/// Checks tags that come with a new object.
pub(crate) fn check_object_tags(tags: &ObjectTags) -> Result<(), ApiError> {
    check_tags(tags, MOST_OBJECT_TAGS)
}
