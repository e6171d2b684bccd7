//! Objects: written whole or not at all, read, copied, removed.
//!
//! INVARIANT: the blob is on stable storage before the document that names it is committed, and the document is held
//! to the bucket's generation, so no object outlives its bucket.

use async_trait::async_trait;
use stoa_blob::{Digest, once};
use stoa_kernel::ports::{
    BodyChecks, BodyStream, ListObjects, Listing, ObjectAttributes, ObjectRecord, Objects, WriteCondition, WriteObject,
};
use stoa_kernel::{ApiError, Cx, Permit};
use stoa_store::{Change, Document, Expect, StoreError, Transaction};
use stoa_types::Timestamp;

use crate::body::blob_failed;
use crate::documents::{Bucket, ObjectBody, object_key, object_record};
use crate::listing;
use crate::names::check_key;
use crate::service::{ATTEMPTS, S3Objects, aborted, no_such_bucket, no_such_key, precondition_failed, store_failed};
use crate::settings::check_object_tags;

impl S3Objects {
    /// What must be under the key, as the store checks it.
    async fn expect(&self, bucket: &Bucket, key: &str, condition: &WriteCondition) -> Result<Expect, ApiError> {
        if condition.absent {
            return Ok(Expect::Absent);
        }
        let Some(wanted) = &condition.etag else { return Ok(Expect::Any) };
        let key = object_key(&bucket.owner, bucket.name(), key);
        let found = self.store.get(&key).await.map_err(store_failed)?.ok_or_else(no_such_key)?;
        let record = object_record(&found).map_err(store_failed)?;
        if wanted != "*" && *wanted != record.entry.etag {
            return Err(precondition_failed());
        }
        Ok(Expect::Generation(found.generation))
    }

    /// Names a blob. `also` adds what else must happen in the same transaction.
    pub(crate) async fn name_object(
        &self,
        now: Timestamp,
        (bucket, key): (&str, &str),
        body: &ObjectBody,
        condition: &WriteCondition,
        also: impl Fn(Transaction) -> Transaction + Send + Sync,
    ) -> Result<ObjectRecord, ApiError> {
        for _ in 0..ATTEMPTS {
            let bucket = self.writable(bucket, now).await?;
            let expect = self.expect(&bucket, key, condition).await?;
            let object = object_key(&bucket.owner, bucket.name(), key);
            let document = Document::new(object, key, now, body).map_err(store_failed)?.with_parent(bucket.name());
            let document = document.with_blobs([body.digest.as_str()]);
            let record = object_record(&document).map_err(store_failed)?;
            let stands = Expect::Generation(bucket.document.generation);
            let mut transaction = Transaction::new().require(bucket.document.key.clone(), stands);
            transaction.changes.push(Change::Put { document, expect });
            match self.store.commit(also(transaction)).await {
                Ok(()) => return Ok(record),
                Err(StoreError::Conflict { key, found: Some(_) })
                    if condition.absent && key.kind == crate::documents::OBJECT =>
                {
                    return Err(precondition_failed());
                }
                // Retried only where the bucket or a conditional object changed meanwhile.
                Err(StoreError::Conflict { key, .. }) if key.kind != crate::documents::UPLOAD => {}
                Err(error) => return Err(store_failed(error)),
            }
        }
        Err(aborted())
    }

    /// The bytes of a record from its blob (or from itself), as a body.
    pub(crate) async fn bytes_of(&self, record: &ObjectRecord) -> Result<BodyStream, ApiError> {
        if let Some(bytes) = &record.entry.inline {
            return Ok(once(bytes.clone()));
        }
        self.blobs.get(&digest_of(record)?, 0, None).await.map_err(blob_failed)
    }
}

fn digest_of(record: &ObjectRecord) -> Result<Digest, ApiError> {
    let text = &record.entry.digest;
    Digest::parse(text).ok_or_else(|| ApiError::internal(format!("`{text}` is no digest")))
}

#[async_trait]
impl Objects for S3Objects {
    async fn put_object(
        &self,
        cx: &Cx,
        _permit: &Permit,
        write: WriteObject,
        body: BodyStream,
    ) -> Result<ObjectRecord, ApiError> {
        let WriteObject { bucket, key, attributes, checks, condition, .. } = write;
        check_key(&key)?;
        check_object_tags(&attributes.tags)?;
        // Before the bytes come: what cannot be written need not be read.
        let target = self.writable(&bucket, cx.now).await?;
        if condition != WriteCondition::default() {
            let there = self.store.get(&object_key(&target.owner, &bucket, &key)).await.map_err(store_failed)?;
            if condition.absent && there.is_some() {
                return Err(precondition_failed());
            }
            self.expect(&target, &key, &condition).await?;
        }
        let stored = self.store_body(checks, body).await?;
        let _pin = stored.pin;
        let body = ObjectBody {
            digest: stored.digest,
            size: stored.size,
            etag: hex::encode(stored.md5),
            attributes,
            checksum: Some(stored.checksum),
            parts: None,
            part_sizes: Vec::new(),
            upload_id: None,
        };
        // The time of the end: uploads that overlap are ordered by it.
        let now = cx.platform.clock.now();
        self.name_object(now, (&bucket, &key), &body, &condition, |transaction| transaction).await
    }

    async fn copy_object(
        &self,
        cx: &Cx,
        _permit: &Permit,
        source: &ObjectRecord,
        write: WriteObject,
        replace: bool,
    ) -> Result<ObjectRecord, ApiError> {
        let WriteObject { bucket, key, attributes, checks, condition, keep_tags } = write;
        check_key(&key)?;
        check_object_tags(&attributes.tags)?;
        self.writable(&bucket, cx.now).await?;
        let tags = if keep_tags { source.attributes.tags.clone() } else { attributes.tags.clone() };
        let attributes = ObjectAttributes { tags, ..if replace { attributes } else { source.attributes.clone() } };
        let kept = source.checksum.as_ref().map(|checksum| checksum.algorithm);
        let same_checksum = kept.is_some() && checks.algorithm.is_none_or(|wanted| Some(wanted) == kept);
        let pin;
        let body = if same_checksum && source.parts.is_none() && source.entry.inline.is_none() {
            let digest = digest_of(source)?;
            // The source may lose its last name meanwhile.
            pin = self.blobs.hold(&digest).await.map_err(blob_failed)?.ok_or_else(no_such_key)?;
            ObjectBody {
                digest,
                size: source.entry.size,
                etag: source.entry.etag.clone(),
                attributes,
                checksum: source.checksum.clone(),
                parts: None,
                part_sizes: Vec::new(),
                upload_id: None,
            }
        } else {
            // ETag or checksum are of parts, or of another algorithm: both are made anew from the bytes.
            let checks = BodyChecks { algorithm: checks.algorithm.or(kept), ..BodyChecks::default() };
            let stored = self.store_body(checks, self.bytes_of(source).await?).await?;
            pin = stored.pin;
            let (etag, checksum) = (hex::encode(stored.md5), Some(stored.checksum));
            ObjectBody {
                digest: stored.digest,
                size: stored.size,
                etag,
                attributes,
                checksum,
                parts: None,
                part_sizes: Vec::new(),
                upload_id: None,
            }
        };
        let now = cx.platform.clock.now();
        let named = self.name_object(now, (&bucket, &key), &body, &condition, |transaction| transaction).await;
        drop(pin);
        named
    }

    async fn delete_object(
        &self,
        cx: &Cx,
        _permit: &Permit,
        bucket: &str,
        key: &str,
        condition: &WriteCondition,
    ) -> Result<(), ApiError> {
        let bucket = self.writable(bucket, cx.now).await?;
        let expect = match self.expect(&bucket, key, condition).await? {
            Expect::Absent => Expect::Any,
            expect => expect,
        };
        let key = object_key(&bucket.owner, bucket.name(), key);
        let arn = format!("arn:{}:s3:::{}", cx.partition, key.id);
        let removal = Transaction::new().delete(key, expect).set_tags(&arn, Vec::new());
        match self.store.commit(removal).await {
            Err(error) if error.is_conflict() => Err(precondition_failed()),
            result => result.map_err(store_failed),
        }
    }

    async fn object_for_read(&self, cx: &Cx, bucket: &str, key: &str) -> Result<Option<ObjectRecord>, ApiError> {
        if let Some(bucket) = self.stored(bucket).await? {
            let key = object_key(&bucket.owner, bucket.name(), key);
            let found = self.store.get(&key).await.map_err(store_failed)?;
            return found.map(|document| object_record(&document)).transpose().map_err(store_failed);
        }
        let (source, _) = self.derived(bucket).await?.ok_or_else(no_such_bucket)?;
        source.check_read(cx, bucket, key).await?;
        let Some(entry) = source.object(bucket, key).await? else { return Ok(None) };
        let attributes = ObjectAttributes { content_type: entry.content_type.clone(), ..Default::default() };
        Ok(Some(ObjectRecord { entry, attributes, checksum: None, parts: None, part_sizes: Vec::new() }))
    }

    async fn list_objects(&self, list: &ListObjects) -> Result<Listing, ApiError> {
        if self.stored(&list.bucket).await?.is_some() {
            return listing::list(self, list).await;
        }
        let (source, _) = self.derived(&list.bucket).await?.ok_or_else(no_such_bucket)?;
        listing::list(&**source, list).await
    }
}
