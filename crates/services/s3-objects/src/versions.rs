//! Versions: how a write or a deletion moves what is under a key, and how a version is found by its id.
//!
//! INVARIANT: a key has at most one newest document, an object or a delete marker, and no older version without one.
//! In a bucket that keeps versions every change of a key is held to its newest document at its generation (and to there
//! being none of the other kind), so changes of a key happen one after the other. A version that is moved keeps
//! its id, its order and its date. All of a change is one transaction: a crash leaves the key as it was or as it is to be.
//!
//! A version id holds the version's order, so that it is found by one read; the `null` version is looked for among the
//! older ones of its key.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stoa_kernel::ports::{
    Deletion, FoundVersion, ListVersions, ObjectVersions, VersionListing, Versioning, WriteCondition,
};
use stoa_kernel::{ApiError, Cx, Permit};
use stoa_store::{Change, Document, Expect, Key, Query, StoreError, Transaction};
use stoa_types::{IdSource, Timestamp};

use crate::documents::{
    Bucket, MARKER, MarkerBody, NULL, OLD_MARKER, OLD_NULL, OLD_NULL_MARKER, OLD_OBJECT, ObjectBody, VERSION,
    VersionBody, marker_key, marker_record, object_key, record_in, version_key,
};
use crate::events::{About, Act, What, emit};
use crate::service::{S3Objects, aborted, no_such_bucket, no_such_key, precondition_failed, store_failed};

/// How often a change of a key is tried again. Each failure means that somebody else's went through.
pub(crate) const CHANGES: usize = 64;

const ORDER_BYTES: usize = 8;
const ID_BYTES: usize = 24;

/// A version id: its order, then chance, as AWS's thirty-two letters.
fn new_id(ids: &dyn IdSource, order: u64) -> String {
    let mut bytes = [0_u8; ID_BYTES];
    ids.fill(&mut bytes);
    for (place, byte) in bytes.iter_mut().zip(order.to_be_bytes()) {
        *place = byte;
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The order that a version id holds; none of what is no version id.
pub(crate) fn order_in(id: &str) -> Option<u64> {
    let bytes = URL_SAFE_NO_PAD.decode(id).ok().filter(|bytes| bytes.len() == ID_BYTES)?;
    Some(u64::from_be_bytes(bytes.get(..ORDER_BYTES)?.try_into().ok()?))
}

fn invalid_id() -> ApiError {
    ApiError::new("InvalidArgument", 400, "Invalid version id specified")
}

/// What is newest under a key: one of the two, or nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    pub object: Option<Arc<Document>>,
    pub marker: Option<Arc<Document>>,
}

/// A document as a version.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub document: Arc<Document>,
    pub marker: bool,
    pub version: VersionBody,
}

impl Found {
    pub fn of(document: Arc<Document>) -> Result<Found, StoreError> {
        let marker = match document.key.kind {
            VERSION => matches!(&*document.status, OLD_MARKER | OLD_NULL_MARKER),
            kind => kind == MARKER,
        };
        let version = match marker {
            true => document.decode::<MarkerBody>()?.version,
            false => document.decode::<ObjectBody>()?.version,
        };
        Ok(Found { document, marker, version })
    }
    fn is_old(&self) -> bool {
        self.document.key.kind == VERSION
    }
    fn stands(&self) -> Expect {
        Expect::Generation(self.document.generation)
    }
    /// The same version under another key of the store: same dates, other standing.
    fn moved(&self, key: Key, noncurrent_since: Option<Timestamp>) -> Result<Document, StoreError> {
        let (old, null) = (key.kind == VERSION, self.version.id.is_none());
        let status = match (old, self.marker, null) {
            (false, ..) => "",
            (true, false, false) => OLD_OBJECT,
            (true, false, true) => OLD_NULL,
            (true, true, false) => OLD_MARKER,
            (true, true, true) => OLD_NULL_MARKER,
        };
        let modified = self.document.modified;
        let version = VersionBody { noncurrent_since, ..self.version.clone() };
        let document = match self.marker {
            true => self.document.with_body(modified, &MarkerBody { version })?,
            false => self.document.with_body(modified, &ObjectBody { version, ..self.document.decode()? })?,
        };
        Ok(Document { key, generation: 0, ..document }.with_status(status))
    }
}

/// Whether the condition of a write or deletion holds for the object that is there.
pub(crate) fn check(condition: &WriteCondition, object: Option<&Document>) -> Result<(), ApiError> {
    if condition.absent && object.is_some() {
        return Err(precondition_failed());
    }
    let Some(wanted) = &condition.etag else { return Ok(()) };
    let body: ObjectBody = object.ok_or_else(no_such_key)?.decode().map_err(store_failed)?;
    if wanted != "*" && *wanted != body.etag { Err(precondition_failed()) } else { Ok(()) }
}

pub(crate) fn put(mut transaction: Transaction, document: Document, expect: Expect) -> Transaction {
    transaction.changes.push(Change::Put { document, expect });
    transaction
}

/// Held to the bucket as it was read.
pub(crate) fn within(bucket: &Bucket) -> Transaction {
    let stands = Expect::Generation(bucket.document.generation);
    Transaction::new().require(bucket.document.key.clone(), stands)
}

impl S3Objects {
    pub(crate) async fn head(&self, bucket: &Bucket, key: &str) -> Result<Head, ApiError> {
        let object = self.store.get(&object_key(&bucket.owner, bucket.name(), key)).await.map_err(store_failed)?;
        if object.is_some() || !bucket.versioned() {
            return Ok(Head { object, marker: None });
        }
        let marker = self.store.get(&marker_key(&bucket.owner, bucket.name(), key)).await.map_err(store_failed)?;
        Ok(Head { object, marker })
    }

    fn old_versions(bucket: &Bucket, key: &str) -> Query {
        let mut query = Query::of(VERSION).owned_by(&bucket.owner, None).children_of(bucket.name()).limit(1);
        query.name = Some(key.to_owned());
        query
    }

    async fn first(&self, query: &Query) -> Result<Option<Found>, ApiError> {
        let page = self.store.query(query).await.map_err(store_failed)?;
        page.documents.into_iter().next().map(Found::of).transpose().map_err(store_failed)
    }

    pub(crate) async fn has_old_versions(&self, bucket: &Bucket, key: &str) -> Result<bool, ApiError> {
        Ok(self.first(&S3Objects::old_versions(bucket, key)).await?.is_some())
    }

    /// The `null` version, where it is not the newest.
    async fn old_null(&self, bucket: &Bucket, key: &str) -> Result<Option<Found>, ApiError> {
        let mut query = S3Objects::old_versions(bucket, key);
        query.statuses = vec![OLD_NULL.to_owned(), OLD_NULL_MARKER.to_owned()];
        self.first(&query).await
    }

    /// The version of this id.
    pub(crate) async fn version(&self, bucket: &Bucket, key: &str, id: &str) -> Result<Option<Found>, ApiError> {
        let order = order_in(id);
        if order.is_none() && id != NULL {
            return Err(invalid_id());
        }
        // Twice, since an older version may become the newest between the two looks.
        for _ in 0..2 {
            let head = self.head(bucket, key).await?;
            if let Some(newest) = head.object.or(head.marker) {
                let newest = Found::of(newest).map_err(store_failed)?;
                if newest.version.is(id) {
                    return Ok(Some(newest));
                }
            }
            if !bucket.versioned() {
                return Ok(None);
            }
            let found = match order {
                None => self.old_null(bucket, key).await?,
                Some(order) => {
                    let key = version_key(&bucket.owner, bucket.name(), key, order);
                    self.store
                        .get(&key)
                        .await
                        .and_then(|found| found.map(Found::of).transpose())
                        .map_err(store_failed)?
                }
            };
            if let Some(found) = found.filter(|found| found.version.is(id)) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Makes room for a new newest version: what was newest becomes an older one, and where versioning is suspended
    /// the `null` version goes. With the version that the new one is.
    pub(crate) async fn superseding(
        &self,
        transaction: Transaction,
        bucket: &Bucket,
        key: &str,
        head: &Head,
        act: &Act<'_>,
    ) -> Result<(Transaction, VersionBody), ApiError> {
        let newest = head.object.clone().or_else(|| head.marker.clone());
        let newest = newest.map(Found::of).transpose().map_err(store_failed)?;
        let now = u64::try_from(act.now.millis()).unwrap_or(0);
        let order = newest.as_ref().map_or(now, |newest| now.max(newest.version.order + 1));
        let suspended = bucket.body.versioning == Some(Versioning::Suspended);
        let over_null = suspended && newest.as_ref().is_some_and(|newest| newest.version.id.is_none());
        let mut transaction = transaction;
        if let Some(newest) = newest.filter(|_| !over_null) {
            let to = version_key(&bucket.owner, bucket.name(), key, newest.version.order);
            transaction = transaction.create(newest.moved(to, Some(act.now)).map_err(store_failed)?);
            if suspended && let Some(null) = self.old_null(bucket, key).await? {
                transaction = transaction.delete(null.document.key.clone(), Expect::Any);
            }
        }
        let id = (!suspended).then(|| new_id(act.ids, order));
        Ok((transaction, VersionBody { id, order, noncurrent_since: None }))
    }

    /// Puts a delete marker on top.
    async fn mark(
        &self,
        bucket: &Bucket,
        key: &str,
        head: &Head,
        act: &Act<'_>,
    ) -> Result<(Transaction, Deletion), ApiError> {
        let (transaction, version) = self.superseding(within(bucket), bucket, key, head, act).await?;
        let object = object_key(&bucket.owner, bucket.name(), key);
        let transaction = match &head.object {
            Some(there) => transaction.delete(object, Expect::Generation(there.generation)),
            None => transaction.require(object, Expect::Absent),
        };
        let expect = head.marker.as_ref().map_or(Expect::Absent, |there| Expect::Generation(there.generation));
        let shown = version.shown().to_owned();
        let marker = marker_key(&bucket.owner, bucket.name(), key);
        let document = Document::new(marker, key, act.now, &MarkerBody { version }).map_err(store_failed)?;
        let transaction = put(transaction, document.with_parent(bucket.name()), expect);
        // As AWS tells it: a marker has the ETag of no bytes.
        let about = About { key, size: None, etag: Some("d41d8cd98f00b204e9800998ecf8427e"), version: Some(&shown) };
        let transaction = emit(transaction, bucket, act, What::MarkerCreated, &about);
        Ok((transaction, Deletion { marker: true, version: Some(shown) }))
    }

    /// Removes a version for good. Was it the newest, the next one takes its place.
    async fn removal(&self, bucket: &Bucket, key: &str, found: &Found, act: &Act<'_>) -> Result<Transaction, ApiError> {
        let place = found.document.key.clone();
        let next = match found.is_old() || !bucket.versioned() {
            true => None,
            false => self.first(&S3Objects::old_versions(bucket, key)).await?,
        };
        let transaction = match next {
            None => within(bucket).delete(place, found.stands()),
            Some(next) => {
                let transaction = within(bucket).delete(next.document.key.clone(), next.stands());
                if next.marker == found.marker {
                    put(transaction, next.moved(place, None).map_err(store_failed)?, found.stands())
                } else {
                    let to = if next.marker { marker_key } else { object_key }(&bucket.owner, bucket.name(), key);
                    transaction.delete(place, found.stands()).create(next.moved(to, None).map_err(store_failed)?)
                }
            }
        };
        let body: Option<ObjectBody> =
            if found.marker { None } else { Some(found.document.decode().map_err(store_failed)?) };
        let about = About {
            key,
            size: body.as_ref().map(|body| body.size),
            etag: body.as_ref().map(|body| body.etag.as_str()),
            version: bucket.versioned().then(|| found.version.shown()),
        };
        Ok(emit(transaction, bucket, act, What::Deleted, &about))
    }

    /// Removes an object, or puts a marker over it. `expected`: only this very document.
    pub(crate) async fn remove(
        &self,
        act: &Act<'_>,
        (bucket, key): (&str, &str),
        condition: &WriteCondition,
        expected: Option<&Document>,
    ) -> Result<Option<Deletion>, ApiError> {
        let condition = WriteCondition { absent: false, ..condition.clone() };
        for _ in 0..CHANGES {
            let bucket = self.writable(bucket, act.now).await?;
            let head = self.head(&bucket, key).await?;
            check(&condition, head.object.as_deref())?;
            let there = head.object.as_deref();
            if expected.is_some_and(|wanted| there.is_none_or(|there| there.generation != wanted.generation)) {
                return Ok(None);
            }
            let (transaction, deletion) = match (bucket.versioned(), &head.object) {
                (true, _) => self.mark(&bucket, key, &head, act).await?,
                (false, None) => return Ok(Some(Deletion::default())),
                (false, Some(object)) => {
                    let found = Found::of(Arc::clone(object)).map_err(store_failed)?;
                    (self.removal(&bucket, key, &found, act).await?, Deletion::default())
                }
            };
            match self.store.commit(transaction).await {
                Err(StoreError::Conflict { .. }) => {}
                result => return result.map(|()| Some(deletion)).map_err(store_failed),
            }
        }
        Err(aborted())
    }

    /// Removes a version for good. `expected`: only this very document.
    pub(crate) async fn remove_version(
        &self,
        act: &Act<'_>,
        (bucket, key): (&str, &str),
        id: &str,
        condition: &WriteCondition,
        expected: Option<&Document>,
    ) -> Result<Option<Deletion>, ApiError> {
        for _ in 0..CHANGES {
            let bucket = self.writable(bucket, act.now).await?;
            let shown = bucket.versioned().then(|| id.to_owned());
            let found = self.version(&bucket, key, id).await?;
            let there = found.as_ref().map(|found| &*found.document);
            if expected.is_some_and(|wanted| {
                there.is_none_or(|there| there.generation != wanted.generation || there.key != wanted.key)
            }) {
                return Ok(None);
            }
            let object = found.as_ref().filter(|found| !found.marker).map(|found| &*found.document);
            check(&WriteCondition { absent: false, ..condition.clone() }, object)?;
            let Some(found) = found else { return Ok(Some(Deletion { marker: false, version: shown })) };
            let transaction = self.removal(&bucket, key, &found, act).await?;
            match self.store.commit(transaction).await {
                Err(StoreError::Conflict { .. }) => {}
                result => {
                    let deletion = Deletion { marker: found.marker, version: shown };
                    return result.map(|()| Some(deletion)).map_err(store_failed);
                }
            }
        }
        Err(aborted())
    }
}

#[async_trait]
impl ObjectVersions for S3Objects {
    async fn version_for_read(
        &self,
        cx: &Cx,
        (name, key): (&str, &str),
        version: Option<&str>,
    ) -> Result<Option<FoundVersion>, ApiError> {
        let Some(bucket) = self.stored(name).await? else {
            // Derived buckets keep no versions: the edge reads their newest as it does everybody's.
            self.derived(name).await?.ok_or_else(no_such_bucket)?;
            return Ok(None);
        };
        let found = match version {
            Some(id) => self.version(&bucket, key, id).await?,
            None => {
                let head = self.head(&bucket, key).await?;
                head.object.or(head.marker).map(Found::of).transpose().map_err(store_failed)?
            }
        };
        // After what it is about, as in `object_for_read`.
        self.check_grants(cx, name, key).await?;
        let shown = |found: Found| match found.marker {
            true => marker_record(&found.document).map(FoundVersion::Marker),
            false => record_in(&bucket, &found.document).map(|record| FoundVersion::Object(Box::new(record))),
        };
        found.map(shown).transpose().map_err(store_failed)
    }

    async fn delete_version(
        &self,
        cx: &Cx,
        _permit: &Permit,
        name: (&str, &str),
        version: &str,
        condition: &WriteCondition,
    ) -> Result<Deletion, ApiError> {
        let act = Act::of(cx, cx.now, "DeleteObject");
        let removed = self.remove_version(&act, name, version, condition, None).await?;
        Ok(removed.unwrap_or_default())
    }

    async fn list_versions(&self, list: &ListVersions) -> Result<VersionListing, ApiError> {
        match self.stored(&list.bucket).await? {
            Some(bucket) => crate::version_listing::list(self, &bucket, list).await,
            None => crate::version_listing::of_derived(self, list).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use stoa_types::SequentialIds;

    use super::*;

    #[test]
    fn ids_hold_their_order() {
        let ids = SequentialIds::default();
        for order in [0, 1, 1_790_000_000_000, u64::MAX] {
            let id = new_id(&ids, order);
            assert_eq!((id.len(), order_in(&id)), (32, Some(order)));
        }
        for other in ["", "null", "x", "a+b/", &"A".repeat(31), &"A".repeat(36)] {
            assert_eq!(order_in(other), None, "{other}");
        }
    }
}
