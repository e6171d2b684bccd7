//! Multipart uploads: a part is a blob and a document; completing makes one blob of them and one object.
//!
//! INVARIANT: a part is held to its upload and an upload to its bucket, so a completed or aborted upload gets no more
//! parts. A crash while completing leaves the upload as it was. Blobs of parts are left to the collector of blobs that
//! nothing names.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;
use stoa_blob::{Digest, Pin};
use stoa_frames::seal;
use stoa_kernel::ports::{
    BodyChecks, BodyStream, Checksum, ChecksumAlgorithm, ClaimedPart, CompleteUpload, ObjectRecord, PartRecord,
    UploadName, UploadRecord, Uploads, WriteObject,
};
use stoa_kernel::{ApiError, Cx, Permit};
use stoa_store::{Document, Expect, Key, Position, Query, SortValue, Transaction};
use stoa_types::AccountId;

use crate::body::{blob_failed, crc_of, crc_text};
use crate::documents::{
    Bucket, COMPLETING, DELETING, ObjectBody, PART, PartBody, UPLOAD, UploadBody, VersionBody, object_key, part_key,
    part_record, record_in, upload_key, upload_record,
};
use crate::encryption::{Asked, Sealing, sealer};
use crate::events::Act;
use crate::held::{Held, held};
use crate::names::check_key;
use crate::service::{ATTEMPTS, S3Objects, aborted, store_failed};
use crate::settings::check_object_tags;
use crate::source::LAST;

const MOST_PARTS: u32 = 10_000;
const SMALLEST_PART: u64 = 5 << 20;

fn no_such_upload() -> ApiError {
    let text = "The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been \
                aborted or completed.";
    ApiError::new("NoSuchUpload", 404, text)
}

fn invalid_part() -> ApiError {
    let text = "One or more of the specified parts could not be found. The part may not have been uploaded, or the \
                specified entity tag may not match the part's entity tag.";
    ApiError::new("InvalidPart", 400, text)
}

struct Upload {
    document: Arc<Document>,
    record: UploadRecord,
    owner: AccountId,
}

impl S3Objects {
    /// The upload, unless it is being removed.
    async fn upload(&self, bucket: &Bucket, name: &UploadName) -> Result<Option<Upload>, ApiError> {
        let found = self.any_upload(bucket, name).await?;
        Ok(found.filter(|upload| upload.document.status != DELETING))
    }

    async fn any_upload(&self, bucket: &Bucket, name: &UploadName) -> Result<Option<Upload>, ApiError> {
        let key = upload_key(&bucket.owner, bucket.name(), &name.id);
        let Some(document) = self.store.get(&key).await.map_err(store_failed)? else { return Ok(None) };
        let record = upload_record(&document).map_err(store_failed)?;
        let owner = bucket.owner.clone();
        Ok((record.key == name.key).then_some(Upload { document, record, owner }))
    }

    async fn parts(
        &self,
        owner: &AccountId,
        id: &str,
        after: u32,
        limit: usize,
    ) -> Result<Vec<Arc<Document>>, ApiError> {
        let mut query = Query::of(PART).owned_by(owner, None).children_of(id).limit(limit);
        if after > 0 {
            let name = SortValue::Text(format!("{after:05}"));
            let position = Position(name, LAST.to_owned(), String::new(), String::new());
            query.after = Some(position.encode().map_err(store_failed)?);
        }
        Ok(self.store.query(&query).await.map_err(store_failed)?.documents)
    }

    /// Removes an upload: marked, so that it gets no more parts, then its parts, then itself. After a crash in between
    /// it is still there to be removed again.
    pub(crate) async fn remove_upload(&self, owner: &AccountId, upload: &Document, id: &str) -> Result<(), ApiError> {
        if upload.status != DELETING {
            let marked = upload.clone().with_status(DELETING);
            self.store.commit(Transaction::new().update(marked)).await.map_err(store_failed)?;
        }
        loop {
            let parts = self.parts(owner, id, 0, 500).await?;
            let removal = parts.iter().fold(Transaction::new(), |all, part| all.delete(part.key.clone(), Expect::Any));
            if parts.is_empty() {
                let removal = removal.delete(upload.key.clone(), Expect::Any);
                return self.store.commit(removal).await.map_err(store_failed);
            }
            self.store.commit(removal).await.map_err(store_failed)?;
        }
    }

    /// The parts the caller lists, each checked against what was uploaded.
    async fn claimed(&self, upload: &Upload, claims: &[ClaimedPart]) -> Result<Vec<PartBody>, ApiError> {
        if claims.is_empty() {
            let text = "You must specify at least one part";
            return Err(ApiError::new("InvalidRequest", 400, text));
        }
        if !claims.is_sorted_by(|left, right| left.number < right.number) {
            let text = "The list of parts was not in ascending order. Parts must be ordered by part number.";
            return Err(ApiError::new("InvalidPartOrder", 400, text));
        }
        let there = self.parts(&upload.owner, &upload.record.id, 0, MOST_PARTS as usize).await?;
        let mut by_number = BTreeMap::new();
        for document in &there {
            let part: PartBody = document.decode().map_err(store_failed)?;
            by_number.insert(part.number, part);
        }
        let mut parts = Vec::with_capacity(claims.len());
        for (index, claim) in claims.iter().enumerate() {
            let part = by_number.remove(&claim.number).ok_or_else(invalid_part)?;
            let same_checksum = claim.checksum.as_ref().is_none_or(|given| *given == part.checksum.value);
            if claim.etag != part.etag || !same_checksum {
                return Err(invalid_part());
            }
            if index + 1 < claims.len() && part.size < SMALLEST_PART {
                let text = "Your proposed upload is smaller than the minimum allowed size";
                return Err(ApiError::new("EntityTooSmall", 400, text));
            }
            parts.push(part);
        }
        Ok(parts)
    }

    /// One blob of all parts, each of which is still what was put.
    async fn join(&self, cx: &Cx, parts: &[PartBody], sealing: Option<&Sealing>) -> Result<(Digest, Pin), ApiError> {
        if let [only] = parts {
            // Its part may be uploaded anew meanwhile.
            let pin = self.blobs.hold(&only.digest).await.map_err(blob_failed)?.ok_or_else(invalid_part)?;
            return Ok((only.digest.clone(), pin));
        }
        if let Some(sealing) = sealing {
            return self.join_sealed(cx, parts, sealing).await;
        }
        let blobs = Arc::clone(&self.blobs);
        let pieces = stream::iter(parts.to_vec()).then(move |part| {
            let blobs = Arc::clone(&blobs);
            async move {
                let bytes = blobs.get(&part.digest, 0, None).await.map_err(ApiError::internal)?;
                Ok(held(bytes, &part.digest, Held::to_checksum(&part)))
            }
        });
        let pieces = pieces.map(|part: Result<_, Box<dyn std::error::Error + Send + Sync>>| part).try_flatten().boxed();
        let written = self.blobs.put(pieces).await.map_err(blob_failed)?;
        Ok((written.digest, written.pin))
    }

    /// The parts opened one after the other, each held to the digest that it was given, and sealed as one under the same
    /// data key.
    async fn join_sealed(&self, cx: &Cx, parts: &[PartBody], sealing: &Sealing) -> Result<(Digest, Pin), ApiError> {
        let (sender, receiver) = tokio::sync::mpsc::channel::<Piece>(JOINED_AHEAD);
        let receiving =
            stream::unfold(
                receiver,
                |mut receiver| async move { receiver.recv().await.map(|piece| (piece, receiver)) },
            );
        let frames = seal(receiving.boxed(), sealer(&sealing.key, &*cx.platform.ids)?);
        let opening = async {
            for part in parts {
                let opened = self.opened_whole(&part.digest, &sealing.key, part.size).await;
                let mut opened = match opened {
                    Ok(opened) => opened,
                    Err(error) => return drop(sender.send(Err(error.into())).await),
                };
                while let Some(piece) = opened.next().await {
                    // A writer that is gone has an error of its own.
                    if sender.send(piece).await.is_err() {
                        return;
                    }
                }
            }
            drop(sender);
        };
        let (written, ()) = futures_util::future::join(self.blobs.put(frames), opening).await;
        let written = written.map_err(blob_failed)?;
        Ok((written.digest, written.pin))
    }
}

type Piece = Result<bytes::Bytes, Box<dyn std::error::Error + Send + Sync>>;
/// Pieces of parts that wait to be sealed anew.
const JOINED_AHEAD: usize = 4;

/// The object's checksum from those of its parts; none where they are of several algorithms (a part that was copied has
/// the default's, whatever its neighbours were sent with).
fn combined(upload: &UploadRecord, parts: &[PartBody]) -> Option<Checksum> {
    let algorithm = parts.first()?.checksum.algorithm;
    let mut raw = Vec::with_capacity(parts.len());
    for part in parts {
        if part.checksum.algorithm != algorithm {
            return None;
        }
        raw.push((STANDARD.decode(&part.checksum.value).ok()?, part.size));
    }
    if !upload.composite {
        let crc = crc_of(algorithm)?;
        let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        let mut whole = number(&raw.first()?.0);
        for (bytes, size) in raw.iter().skip(1) {
            whole = crc_fast::checksum_combine(crc, whole, number(bytes), *size);
        }
        return Some(Checksum { algorithm, value: crc_text(algorithm, whole), composite: false });
    }
    let joined: Vec<u8> = raw.into_iter().flat_map(|(bytes, _)| bytes).collect();
    let value = match (crc_of(algorithm), algorithm) {
        (Some(crc), _) => crc_text(algorithm, crc_fast::checksum(crc, &joined)),
        (None, ChecksumAlgorithm::Sha1) => STANDARD.encode(Sha1::digest(&joined)),
        (None, _) => STANDARD.encode(Sha256::digest(&joined)),
    };
    Some(Checksum { algorithm, value: format!("{value}-{}", parts.len()), composite: true })
}

fn etag_of(parts: &[PartBody]) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(hex::decode(&part.etag).unwrap_or_default());
    }
    format!("{}-{}", hex::encode(md5.finalize()), parts.len())
}

fn check_complete(complete: &CompleteUpload, size: u64, checksum: Option<&Checksum>) -> Result<(), ApiError> {
    if complete.size.is_some_and(|wanted| wanted != size) {
        let text = "The provided 'x-amz-mp-object-size' header does not match what was computed.";
        return Err(ApiError::new("InvalidRequest", 400, text));
    }
    match (&complete.checksum, checksum) {
        (Some(wanted), Some(made)) if *wanted != made.value => {
            let name = made.algorithm.name();
            let text = format!("The {name} you specified did not match the calculated checksum.");
            Err(ApiError::new("BadDigest", 400, text))
        }
        _ => Ok(()),
    }
}

#[async_trait]
impl Uploads for S3Objects {
    async fn create_upload(
        &self,
        cx: &Cx,
        _permit: &Permit,
        write: WriteObject,
        composite: bool,
    ) -> Result<UploadRecord, ApiError> {
        let WriteObject { bucket, key, mut attributes, checks, .. } = write;
        check_key(&key)?;
        check_object_tags(&attributes.tags)?;
        let algorithm = checks.algorithm;
        if !composite && algorithm.is_some_and(|algorithm| crc_of(algorithm).is_none()) {
            let name = algorithm.map_or("", ChecksumAlgorithm::name);
            let text = format!("The FULL_OBJECT checksum type cannot be used with the {name} checksum algorithm.");
            return Err(ApiError::new("InvalidRequest", 400, text));
        }
        if composite && algorithm == Some(ChecksumAlgorithm::Crc64Nvme) {
            let text = "The COMPOSITE checksum type cannot be used with the CRC64NVME checksum algorithm.";
            return Err(ApiError::new("InvalidRequest", 400, text));
        }
        let bucket = self.writable(&bucket, cx.now).await?;
        let asked = Asked::take(&mut attributes);
        let sealed = self.new_sealing(cx, &bucket, &key, asked).await?.map(|sealing| sealing.sealed);
        let mut random = [0_u8; 32];
        cx.platform.ids.fill(&mut random);
        let id = hex::encode(random);
        let place = upload_key(&bucket.owner, bucket.name(), &id);
        let body = UploadBody { bucket: bucket.name().to_owned(), id, attributes, algorithm, composite, sealed };
        let document = Document::new(place, &key, cx.now, &body).map_err(store_failed)?.with_parent(bucket.name());
        let record = upload_record(&document).map_err(store_failed)?;
        let stands = Expect::Generation(bucket.document.generation);
        let creation = Transaction::new().require(bucket.document.key.clone(), stands).create(document);
        self.store.commit(creation).await.map_err(store_failed)?;
        Ok(record)
    }

    async fn put_part(
        &self,
        cx: &Cx,
        _permit: &Permit,
        name: &UploadName,
        number: u32,
        mut checks: BodyChecks,
        body: BodyStream,
    ) -> Result<PartRecord, ApiError> {
        if !(1..=MOST_PARTS).contains(&number) {
            let text = "Part number must be an integer between 1 and 10000, inclusive";
            return Err(ApiError::new("InvalidArgument", 400, text));
        }
        let bucket = self.writable(&name.bucket, cx.now).await?;
        let upload = self.upload(&bucket, name).await?.ok_or_else(no_such_upload)?;
        match (checks.algorithm, upload.record.algorithm) {
            (Some(given), Some(wanted)) if given != wanted => {
                let (given, wanted) = (given.name(), wanted.name());
                let text = format!(
                    "Checksum Type mismatch occurred, expected checksum Type: {wanted}, actual checksum Type: {given}"
                );
                return Err(ApiError::new("InvalidRequest", 400, text));
            }
            (None, wanted) => checks.algorithm = wanted,
            _ => {}
        }
        let sealing = self.sealing_of(cx, &upload.record).await?;
        let stored = self.store_body(cx, checks, body, sealing.as_ref()).await?;
        let _pin = stored.pin;
        let key = part_key(&upload.owner, &upload.record.id, number);
        let body =
            PartBody { number, digest: stored.digest, size: stored.size, etag: stored.etag, checksum: stored.checksum };
        let now = cx.platform.clock.now();
        let document = Document::new(key, &format!("{number:05}"), now, &body).map_err(store_failed)?;
        let document = document.with_parent(&upload.record.id).with_blobs([body.digest.as_str()]);
        let record = part_record(&document, upload.record.sealed.as_ref()).map_err(store_failed)?;
        self.name_part(&bucket, name, upload, document).await.map(|()| record)
    }

    async fn complete_upload(
        &self,
        cx: &Cx,
        _permit: &Permit,
        name: &UploadName,
        complete: CompleteUpload,
    ) -> Result<ObjectRecord, ApiError> {
        let bucket = self.writable(&name.bucket, cx.now).await?;
        let Some(upload) = self.upload(&bucket, name).await? else {
            return self.completed_before(&bucket, name).await?.ok_or_else(no_such_upload);
        };
        let parts = self.claimed(&upload, &complete.parts).await?;
        let size = parts.iter().map(|part| part.size).sum();
        let checksum = combined(&upload.record, &parts);
        check_complete(&complete, size, checksum.as_ref())?;
        let sealing = self.sealing_of(cx, &upload.record).await?;
        let (digest, _pin) = self.join(cx, &parts, sealing.as_ref()).await?;
        let body = ObjectBody {
            digest,
            size,
            etag: etag_of(&parts),
            attributes: upload.record.attributes.clone(),
            checksum,
            parts: Some(u32::try_from(parts.len()).unwrap_or(MOST_PARTS)),
            part_sizes: parts.iter().map(|part| part.size).collect(),
            upload_id: Some(upload.record.id.clone()),
            version: VersionBody::default(),
            sealed: upload.record.sealed.clone(),
        };
        let act = Act::of(cx, cx.platform.clock.now(), "CompleteMultipartUpload");
        for _ in 0..ATTEMPTS {
            let Some((upload, keys)) = self.closed(&bucket, name).await? else { break };
            let (key, stands) = (upload.key.clone(), Expect::Generation(upload.generation));
            let also = |transaction: Transaction| {
                let transaction = transaction.delete(key.clone(), stands);
                keys.iter().fold(transaction, |all, part| all.delete(part.clone(), Expect::Any))
            };
            match self.name_object(&act, (&name.bucket, &name.key), &body, &complete.condition, also).await {
                // A part came, or another call completed or aborted it.
                Err(error) if error.code() == aborted().code() => {}
                other => return other,
            }
        }
        self.completed_before(&bucket, name).await?.ok_or_else(aborted)
    }

    async fn abort_upload(&self, cx: &Cx, _permit: &Permit, name: &UploadName) -> Result<(), ApiError> {
        let bucket = self.writable(&name.bucket, cx.now).await?;
        let upload = self.any_upload(&bucket, name).await?.ok_or_else(no_such_upload)?;
        self.remove_upload(&upload.owner, &upload.document, &upload.record.id).await
    }

    async fn upload_parts(
        &self,
        name: &UploadName,
        after: u32,
        limit: usize,
    ) -> Result<(UploadRecord, Vec<PartRecord>), ApiError> {
        let bucket = self.readable(&name.bucket).await?;
        let upload = self.upload(&bucket, name).await?.ok_or_else(no_such_upload)?;
        let parts = self.parts(&upload.owner, &upload.record.id, after, limit).await?;
        let sealed = upload.record.sealed.as_ref();
        let parts =
            parts.iter().map(|part| part_record(part, sealed)).collect::<Result<_, _>>().map_err(store_failed)?;
        Ok((upload.record, parts))
    }

    async fn uploads(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<Vec<UploadRecord>, ApiError> {
        let bucket = self.readable(bucket).await?;
        let mut query = Query::of(UPLOAD).owned_by(&bucket.owner, None).children_of(bucket.name()).limit(limit);
        if !prefix.is_empty() {
            query.name_prefix = Some(prefix.to_owned());
        }
        if let Some((key, id)) = after {
            let (account, id) = match id {
                "" => (LAST.to_owned(), String::new()),
                id => (bucket.owner.to_string(), format!("{}/{id}", bucket.name())),
            };
            let position = Position(SortValue::Text(key.to_owned()), account, String::new(), id);
            query.after = Some(position.encode().map_err(store_failed)?);
        }
        let page = self.store.query(&query).await.map_err(store_failed)?;
        page.documents.iter().map(|document| upload_record(document).map_err(store_failed)).collect()
    }
}

impl S3Objects {
    /// Gives a part its name, while its upload is there.
    async fn name_part(
        &self,
        bucket: &Bucket,
        name: &UploadName,
        mut upload: Upload,
        part: Document,
    ) -> Result<(), ApiError> {
        for _ in 0..ATTEMPTS {
            let there = &*upload.document;
            let transaction = match there.status == COMPLETING {
                true => Transaction::new().update(there.clone().with_status("")),
                false => Transaction::new().require(there.key.clone(), Expect::Generation(there.generation)),
            };
            match self.store.commit(transaction.put(part.clone())).await {
                Err(error) if error.is_conflict() => {}
                result => return result.map_err(store_failed),
            }
            upload = self.upload(bucket, name).await?.ok_or_else(no_such_upload)?;
        }
        Err(aborted())
    }

    /// Marks an upload as being completed and lists all its parts: whoever adds one from here on changes the upload, so
    /// that none is left behind without one. None: there is no such upload any more.
    async fn closed(&self, bucket: &Bucket, name: &UploadName) -> Result<Option<(Arc<Document>, Vec<Key>)>, ApiError> {
        for _ in 0..ATTEMPTS {
            let Some(Upload { document, owner, record }) = self.upload(bucket, name).await? else { return Ok(None) };
            if document.status != COMPLETING {
                let marked = Document::clone(&document).with_status(COMPLETING);
                match self.store.commit(Transaction::new().update(marked)).await {
                    Err(error) if !error.is_conflict() => return Err(store_failed(error)),
                    _ => continue,
                }
            }
            let parts = self.parts(&owner, &record.id, 0, MOST_PARTS as usize).await?;
            return Ok(Some((document, parts.iter().map(|part| part.key.clone()).collect())));
        }
        Err(aborted())
    }

    /// The data key of an upload, opened in the name of whoever adds to it.
    async fn sealing_of(&self, cx: &Cx, upload: &UploadRecord) -> Result<Option<Sealing>, ApiError> {
        match &upload.sealed {
            Some(sealed) => self.reopened(cx, sealed).await.map(Some),
            None => Ok(None),
        }
    }

    /// The object that this very upload became: a client that lost the answer asks again.
    async fn completed_before(&self, bucket: &Bucket, name: &UploadName) -> Result<Option<ObjectRecord>, ApiError> {
        let key = object_key(&bucket.owner, bucket.name(), &name.key);
        let Some(document) = self.store.get(&key).await.map_err(store_failed)? else { return Ok(None) };
        let body: ObjectBody = document.decode().map_err(store_failed)?;
        if body.upload_id.as_deref() != Some(&name.id) {
            return Ok(None);
        }
        record_in(bucket, &document).map(Some).map_err(store_failed)
    }
}
