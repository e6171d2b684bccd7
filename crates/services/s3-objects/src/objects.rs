//! Objects: written whole or not at all, read, copied, removed.
//!
//! INVARIANT: the blob is on stable storage before the document that names it is committed, and the document is held
//! to the bucket's generation, so no object outlives its bucket.

use async_trait::async_trait;
use stoa_kernel::ports::{
    BodyChecks, BodyStream, ListObjects, Listing, ObjectAttributes, ObjectRecord, Objects, ReadObject, WriteCondition,
    WriteObject,
};
use stoa_kernel::{ApiError, Cx, Permit};
use stoa_store::{Change, Document, Expect, StoreError, Transaction};
use stoa_types::Timestamp;

use crate::documents::{Bucket, ObjectBody, object_key, object_record};
use crate::encryption::Asked;
use crate::listing;
use crate::names::check_key;
use crate::read::parsed;
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
        let WriteObject { bucket, key, mut attributes, checks, condition, .. } = write;
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
        let asked = Asked::take(&mut attributes);
        let sealing = self.new_sealing(cx, &target, &key, asked).await?;
        let body = self.store_body(cx, checks, body, sealing.as_ref()).await?.object(attributes);
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
        let WriteObject { bucket, key, mut attributes, checks, condition, keep_tags } = write;
        check_key(&key)?;
        check_object_tags(&attributes.tags)?;
        let target = self.writable(&bucket, cx.now).await?;
        let asked = Asked::take(&mut attributes);
        let sealing = self.new_sealing(cx, &target, &key, asked).await?;
        let tags = if keep_tags { source.attributes.tags.clone() } else { attributes.tags.clone() };
        let mut attributes = ObjectAttributes { tags, ..if replace { attributes } else { source.attributes.clone() } };
        // What the source's writer asked for is not what this copy's did.
        Asked::take(&mut attributes);
        let kept = source.checksum.as_ref().map(|checksum| checksum.algorithm);
        let same_checksum = kept.is_some() && checks.algorithm.is_none_or(|wanted| Some(wanted) == kept);
        let as_it_is = sealing.is_none() && source.entry.sealed.is_none() && source.entry.inline.is_none();
        let body = if same_checksum && source.parts.is_none() && as_it_is {
            ObjectBody {
                digest: parsed(&source.entry.digest)?,
                size: source.entry.size,
                etag: source.entry.etag.clone(),
                attributes,
                checksum: source.checksum.clone(),
                parts: None,
                part_sizes: Vec::new(),
                upload_id: None,
                sealed: None,
            }
        } else {
            // ETag or checksum are of parts, or of another algorithm, or one of both is sealed: made anew from the bytes.
            let checks = BodyChecks { algorithm: checks.algorithm.or(kept), ..BodyChecks::default() };
            let bytes = self.read(cx, &source.entry.bytes(), 0, source.entry.size).await?;
            self.store_body(cx, checks, bytes, sealing.as_ref()).await?.object(attributes)
        };
        let now = cx.platform.clock.now();
        self.name_object(now, (&bucket, &key), &body, &condition, |transaction| transaction).await
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
