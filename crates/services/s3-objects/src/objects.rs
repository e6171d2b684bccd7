//! Objects: written whole or not at all, read, copied, removed.
//!
//! INVARIANT: the blob is on stable storage before the document that names it is committed, and the document is held
//! to the bucket's generation, so no object outlives its bucket.

use async_trait::async_trait;
use stoa_kernel::ports::{
    BodyChecks, BodyStream, Deletion, ListObjects, Listing, ObjectAttributes, ObjectRecord, Objects, ReadObject,
    WriteCondition, WriteObject,
};
use stoa_kernel::{ApiError, Cx, Permit};
use stoa_store::{Document, Expect, StoreError, Transaction};

use crate::body::blob_failed;
use crate::documents::{Bucket, ObjectBody, VersionBody, marker_key, object_key, record_in};
use crate::encryption::Asked;
use crate::events::{About, Act, What, emit};
use crate::listing;
use crate::names::check_key;
use crate::read::parsed;
use crate::service::{S3Objects, aborted, no_such_bucket, no_such_key, precondition_failed, store_failed};
use crate::settings::check_object_tags;
use crate::versions::{CHANGES, check, put, within};

impl S3Objects {
    /// What must be under the key of a bucket without versions, as the store checks it.
    async fn expect(&self, bucket: &Bucket, key: &str, condition: &WriteCondition) -> Result<Expect, ApiError> {
        if condition.absent {
            return Ok(Expect::Absent);
        }
        if condition.etag.is_none() {
            return Ok(Expect::Any);
        }
        let key = object_key(&bucket.owner, bucket.name(), key);
        let found = self.store.get(&key).await.map_err(store_failed)?;
        check(condition, found.as_deref())?;
        Ok(found.map_or(Expect::Absent, |found| Expect::Generation(found.generation)))
    }

    /// A URL may stand on more than IAM's rules wherever it leads: a hub's grant, say.
    pub(crate) async fn check_grants(&self, cx: &Cx, bucket: &str, key: &str) -> Result<(), ApiError> {
        for source in &self.derived {
            source.check_read(cx, bucket, key).await?;
        }
        Ok(())
    }

    /// Names a blob. `also` adds what else must happen in the same transaction.
    pub(crate) async fn name_object(
        &self,
        act: &Act<'_>,
        (bucket, key): (&str, &str),
        body: &ObjectBody,
        condition: &WriteCondition,
        also: impl Fn(Transaction) -> Transaction + Send + Sync,
    ) -> Result<ObjectRecord, ApiError> {
        for _ in 0..CHANGES {
            let bucket = self.writable(bucket, act.now).await?;
            let (transaction, expect, version) = self.room(&bucket, key, condition, act).await?;
            let body = ObjectBody { version, ..body.clone() };
            let object = object_key(&bucket.owner, bucket.name(), key);
            let document = Document::new(object, key, act.now, &body).map_err(store_failed)?.with_parent(bucket.name());
            let document = document.with_blobs([body.digest.as_str()]);
            let record = record_in(&bucket, &document).map_err(store_failed)?;
            let about = About {
                key,
                size: Some(record.entry.size),
                etag: Some(&record.entry.etag),
                version: record.version.as_deref(),
            };
            let transaction = emit(put(transaction, document, expect), &bucket, act, What::Created, &about);
            match self.store.commit(also(transaction)).await {
                Ok(()) => return Ok(record),
                Err(StoreError::Conflict { key, found: Some(_) })
                    if condition.absent && key.kind == crate::documents::OBJECT =>
                {
                    return Err(precondition_failed());
                }
                // Retried only where the bucket or what is under the key changed meanwhile.
                Err(StoreError::Conflict { key, .. }) if key.kind != crate::documents::UPLOAD => {}
                Err(error) => return Err(store_failed(error)),
            }
        }
        Err(aborted())
    }

    /// Makes room under a key for a write: what must happen with it, what must be there, and the version it makes.
    async fn room(
        &self,
        bucket: &Bucket,
        key: &str,
        condition: &WriteCondition,
        act: &Act<'_>,
    ) -> Result<(Transaction, Expect, VersionBody), ApiError> {
        if !bucket.versioned() {
            let expect = self.expect(bucket, key, condition).await?;
            return Ok((within(bucket), expect, VersionBody::default()));
        }
        let head = self.head(bucket, key).await?;
        check(condition, head.object.as_deref())?;
        let (transaction, version) = self.superseding(within(bucket), bucket, key, &head, act).await?;
        let marker = marker_key(&bucket.owner, bucket.name(), key);
        let transaction = match &head.marker {
            Some(there) => transaction.delete(marker, Expect::Generation(there.generation)),
            None => transaction.require(marker, Expect::Absent),
        };
        let expect = head.object.map_or(Expect::Absent, |there| Expect::Generation(there.generation));
        Ok((transaction, expect, version))
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
        let WriteObject { bucket, key, mut attributes, checks, condition, by_form, .. } = write;
        check_key(&key)?;
        check_object_tags(&attributes.tags)?;
        // Before the bytes come: what cannot be written need not be read.
        let target = self.writable(&bucket, cx.now).await?;
        if condition != WriteCondition::default() {
            let there = self.store.get(&object_key(&target.owner, &bucket, &key)).await.map_err(store_failed)?;
            check(&condition, there.as_deref())?;
        }
        let asked = Asked::take(&mut attributes);
        let sealing = self.new_sealing(cx, &target, &key, asked).await?;
        let stored = self.store_body(cx, checks, body, sealing.as_ref()).await?;
        let _pin = stored.pin.clone();
        let body = ObjectBody::of(stored, attributes);
        // The time of the end: uploads that overlap are ordered by it.
        let reason = if by_form { "POST Object" } else { "PutObject" };
        let act = Act::of(cx, cx.platform.clock.now(), reason);
        self.name_object(&act, (&bucket, &key), &body, &condition, |transaction| transaction).await
    }

    async fn copy_object(
        &self,
        cx: &Cx,
        _permit: &Permit,
        source: &ObjectRecord,
        write: WriteObject,
        replace: bool,
    ) -> Result<ObjectRecord, ApiError> {
        let WriteObject { bucket, key, mut attributes, checks, condition, keep_tags, .. } = write;
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
        let pin;
        let body = if same_checksum && source.parts.is_none() && as_it_is {
            let digest = parsed(&source.entry.digest)?;
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
                version: VersionBody::default(),
                sealed: None,
            }
        } else {
            // ETag or checksum are of parts, or of another algorithm, or one of both is sealed: made anew from the bytes.
            let checks = BodyChecks { algorithm: checks.algorithm.or(kept), ..BodyChecks::default() };
            let bytes = self.read(cx, &source.entry.bytes(), 0, source.entry.size).await?;
            let stored = self.store_body(cx, checks, bytes, sealing.as_ref()).await?;
            pin = stored.pin.clone();
            ObjectBody::of(stored, attributes)
        };
        let act = Act::of(cx, cx.platform.clock.now(), "CopyObject");
        let named = self.name_object(&act, (&bucket, &key), &body, &condition, |transaction| transaction).await;
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
    ) -> Result<Deletion, ApiError> {
        let act = Act::of(cx, cx.now, "DeleteObject");
        Ok(self.remove(&act, (bucket, key), condition, None).await?.unwrap_or_default())
    }

    async fn object_for_read(&self, cx: &Cx, bucket: &str, key: &str) -> Result<Option<ObjectRecord>, ApiError> {
        if let Some(stored) = self.stored(bucket).await? {
            let found = self.store.get(&object_key(&stored.owner, stored.name(), key)).await.map_err(store_failed)?;
            // After what it is about: a grant for bytes that are overwritten at this moment does not hold for the new ones.
            self.check_grants(cx, bucket, key).await?;
            return found.map(|document| record_in(&stored, &document)).transpose().map_err(store_failed);
        }
        let (source, _) = self.derived(bucket).await?.ok_or_else(no_such_bucket)?;
        source.check_read(cx, bucket, key).await?;
        let Some(entry) = source.object(bucket, key).await? else { return Ok(None) };
        let attributes = ObjectAttributes { content_type: entry.content_type.clone(), ..Default::default() };
        Ok(Some(ObjectRecord {
            entry,
            attributes,
            checksum: None,
            parts: None,
            part_sizes: Vec::new(),
            version: None,
            expires: None,
        }))
    }

    async fn list_objects(&self, list: &ListObjects) -> Result<Listing, ApiError> {
        if self.stored(&list.bucket).await?.is_some() {
            return listing::list(self, list).await;
        }
        let (source, _) = self.derived(&list.bucket).await?.ok_or_else(no_such_bucket)?;
        listing::list(&**source, list).await
    }
}
