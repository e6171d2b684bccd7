//! Reading an object: who may learn that it is missing, conditions, ranges, and its bytes as a stream.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::StreamBody;
use s3s::dto::*;
use s3s::{S3Response, S3Result};
use stoa_blob::{Digest, FileSlice};
use stoa_kernel::ports::{FoundVersion, ObjectRecord};
use stoa_kernel::{ApiError, Target};
use stoa_policy::Effect;

use super::convert::{checksum_headers, checksum_type, etag, expiration, from_time, long, put_checksum, time};
use super::encryption::show_encryption;
use super::{Answer, Api, Request};
use crate::call::{Call, call_of};
use crate::operations::bucket_arn;

/// The object, or this version of it. Without the right to list the bucket, one that is missing cannot be told from one
/// that is forbidden. A delete marker is told as such.
pub(super) async fn find(
    api: &Api,
    call: &Call,
    (bucket, key): (&str, &str),
    version: Option<&str>,
) -> Result<ObjectRecord, ApiError> {
    let backend = &api.0.backend;
    if version.is_none_or(|version| version == "null")
        && let Some(record) = backend.object_for_read(&call.cx, bucket, key).await?
        // Of a bucket that keeps versions the newest may be another than the `null` version.
        && (version.is_none() || record.version.as_deref().is_none_or(|found| found == "null"))
    {
        return Ok(record);
    }
    let found = backend.version_for_read(&call.cx, (bucket, key), version).await?;
    if let Some(FoundVersion::Object(record)) = found {
        return Ok(*record);
    }
    let action = if version.is_some() { "s3:ListBucketVersions" } else { "s3:ListBucket" };
    let target = Target::new(action, bucket_arn(&call.cx, bucket));
    let owner = backend.bucket(bucket).await?.map(|record| record.owner);
    let target = call.keyed(target, owner.as_ref());
    let verdict = call.cx.decide_as(&call.cx.principal, &target).await?;
    if verdict.effect != Effect::Allow && !(version.is_some() && matches!(found, Some(FoundVersion::Marker(_)))) {
        let arn = &call.cx.principal.arn;
        let text = format!("User: {arn} is not authorized to perform: {action} on resource: {}", target.resource);
        return Err(ApiError::access_denied(text));
    }
    if let Some(FoundVersion::Marker(marker)) = &found {
        call.tell("x-amz-delete-marker", "true");
        call.tell("x-amz-version-id", &marker.version);
        if version.is_some() {
            call.tell("last-modified", &marker.modified.http_date());
            call.tell("allow", "DELETE");
            let text = "The specified method is not allowed against this resource.";
            return Err(ApiError::new("MethodNotAllowed", 405, text));
        }
    }
    Err(match version {
        Some(_) => ApiError::new("NoSuchVersion", 404, "The specified version does not exist."),
        None => ApiError::new("NoSuchKey", 404, "The specified key does not exist."),
    })
}

/// The conditions of a read.
pub(super) struct Conditions {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
}

/// Whether a read is to happen, by RFC 9110's order of precedence.
pub(super) enum Met {
    Yes,
    NotModified,
    Failed,
}

pub(super) fn met(conditions: Conditions, record: &ObjectRecord) -> Met {
    let same = |condition: &ETagCondition| match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == record.entry.etag,
    };
    // HTTP dates have whole seconds.
    let modified = record.entry.last_modified.seconds();
    let since = |time: &Timestamp| modified > from_time(time.clone()).seconds();
    match (&conditions.if_match, &conditions.if_unmodified_since) {
        (Some(condition), _) if !same(condition) => return Met::Failed,
        (None, Some(time)) if since(time) => return Met::Failed,
        _ => {}
    }
    match (&conditions.if_none_match, &conditions.if_modified_since) {
        (Some(condition), _) if same(condition) => Met::NotModified,
        (None, Some(time)) if !since(time) => Met::NotModified,
        _ => Met::Yes,
    }
}

fn check_conditions(conditions: Conditions, record: &ObjectRecord, call: &Call) -> S3Result<()> {
    match met(conditions, record) {
        Met::Yes => Ok(()),
        Met::Failed => {
            let text = "At least one of the pre-conditions you specified did not hold";
            Err(call.fail(ApiError::new("PreconditionFailed", 412, text)))
        }
        Met::NotModified => {
            let mut error = call.fail(ApiError::new("NotModified", 304, "Not Modified"));
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_str(&format!("\"{}\"", record.entry.etag)) {
                headers.insert("etag", value);
            }
            if let Ok(value) = HeaderValue::from_str(&record.entry.last_modified.http_date()) {
                headers.insert("last-modified", value);
            }
            error.set_headers(headers);
            Err(error)
        }
    }
}

/// What of the object is asked for.
struct Slice {
    start: u64,
    length: u64,
    /// `Content-Range`, for a part of it.
    content_range: Option<String>,
}

fn slice(record: &ObjectRecord, range: Option<Range>, part_number: Option<i32>) -> Result<Slice, ApiError> {
    let size = record.entry.size;
    let parts = i32::try_from(record.parts.unwrap_or(1)).unwrap_or(i32::MAX);
    match (part_number, range) {
        (Some(_), Some(_)) => {
            return Err(ApiError::new(
                "InvalidRequest",
                400,
                "Cannot specify both Range header and partNumber query parameter",
            ));
        }
        (Some(1), None) if parts == 1 => {}
        (Some(number), None) if (1..=parts).contains(&number) => {
            let before = usize::try_from(number - 1).unwrap_or_default();
            let Some(length) = record.part_sizes.get(before).copied() else {
                let text =
                    "the parts of this object were not recorded when it was written, so they cannot be read by number";
                return Err(ApiError::new("NotImplemented", 501, text));
            };
            let start: u64 = record.part_sizes.iter().take(before).sum();
            // An empty part is at no place that a Content-Range could name.
            let content_range = (length > 0).then(|| format!("bytes {start}-{}/{size}", start + length - 1));
            return Ok(Slice { start, length, content_range });
        }
        (Some(_), None) => {
            return Err(ApiError::new("InvalidPartNumber", 416, "The requested partnumber is not satisfiable"));
        }
        (None, Some(range)) => {
            let unsatisfiable = |_| ApiError::new("InvalidRange", 416, "The requested range is not satisfiable");
            let found = range.check(size).map_err(unsatisfiable)?;
            let content_range = Some(format!("bytes {}-{}/{size}", found.start, found.end.saturating_sub(1)));
            return Ok(Slice { start: found.start, length: found.end - found.start, content_range });
        }
        (None, None) => {}
    }
    Ok(Slice { start: 0, length: size, content_range: None })
}

/// The bytes of a slice.
pub(super) async fn bytes(
    api: &Api,
    call: &Call,
    record: &ObjectRecord,
    start: u64,
    length: u64,
) -> Result<stoa_blob::ByteStream, ApiError> {
    api.0.backend.read(&call.cx, &record.entry.bytes(), start, length).await
}

/// Below this, bytes are read and leave with the head in one write; above it, a file is cheaper.
const SMALLEST_FILE: u64 = 64 << 10;

/// The slice as a range of a local file, where there is one and the connection sends files by itself. The file is open
/// from here on, so that an object overwritten or removed meanwhile is sent as it was.
async fn file(api: &Api, call: &Call, record: &ObjectRecord, slice: &Slice) -> Result<Option<FileSlice>, ApiError> {
    let plain = record.entry.inline.is_none() && record.entry.sealed.is_none() && api.0.blobs.local_files();
    if !call.takes_files || slice.length <= SMALLEST_FILE || !plain {
        return Ok(None);
    }
    let Some(digest) = Digest::parse(&record.entry.digest) else { return Ok(None) };
    let Some(path) = api.0.blobs.local_path(&digest).await.map_err(ApiError::internal)? else { return Ok(None) };
    let file = Arc::new(File::open(path).map_err(ApiError::internal)?);
    Ok(Some(FileSlice { file, start: slice.start, length: slice.length }))
}

/// A stream of ours as s3s takes it.
fn streaming(pieces: stoa_blob::ByteStream) -> StreamingBlob {
    let frames = pieces.map_ok(Frame::<Bytes>::data);
    StreamingBlob::from(s3s::Body::http_body_unsync(StreamBody::new(frames)))
}

/// `x-amz-checksum-*` are told to those who ask, of the whole object only.
fn shown_checksum(record: &ObjectRecord, mode: Option<&ChecksumMode>, part: bool) -> HeaderMap {
    let asked = mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED);
    checksum_headers(record.checksum.as_ref().filter(|_| asked && !part))
}

/// The members that a GET's and a HEAD's answer have in common.
macro_rules! object_output {
    ($shape:ident, $record:expr, $slice:expr, $parts:expr, $expiration:expr) => {{
        let attributes = $record.attributes;
        $shape {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: attributes.cache_control,
            content_disposition: attributes.content_disposition,
            content_encoding: attributes.content_encoding,
            content_language: attributes.content_language,
            content_length: Some(long($slice.length)),
            content_range: $slice.content_range,
            content_type: Some(attributes.content_type.unwrap_or_else(|| "binary/octet-stream".to_owned())),
            e_tag: Some(etag(&$record.entry.etag)),
            expiration: $expiration,
            expires: attributes.expires.map(time),
            last_modified: Some(time($record.entry.last_modified)),
            metadata: Some(attributes.metadata.into_iter().collect()),
            parts_count: $parts,
            storage_class: attributes.storage_class.filter(|class| class != "STANDARD").map(StorageClass::from),
            version_id: $record.version,
            ..Default::default()
        }
    }};
}

/// How many parts there are, told to those who ask for one of them.
fn shown_parts(record: &ObjectRecord, part_number: Option<i32>) -> Option<i32> {
    part_number.and(record.parts).and_then(|parts| i32::try_from(parts).ok())
}

pub(super) async fn get(api: &Api, request: Request<GetObjectInput>) -> Answer<GetObjectOutput> {
    let call = call_of(&request.extensions)?;
    let input = request.input;
    let fail = |error| call.fail(error);
    let version = input.version_id.as_deref();
    let record = find(api, &call, (&input.bucket, &input.key), version).await.map_err(fail)?;
    let conditions = Conditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    check_conditions(conditions, &record, &call)?;
    let parts = shown_parts(&record, input.part_number);
    let slice = slice(&record, input.range, input.part_number).map_err(fail)?;
    let file = file(api, &call, &record, &slice).await.map_err(fail)?;
    let body = match file {
        Some(_) => None,
        None => Some(streaming(bytes(api, &call, &record, slice.start, slice.length).await.map_err(fail)?)),
    };
    let headers = shown_checksum(&record, input.checksum_mode.as_ref(), slice.content_range.is_some());
    let tags = i32::try_from(record.attributes.tags.len()).ok().filter(|count| *count > 0);
    let expires = expiration(&record);
    let sealed = record.entry.sealed.clone();
    let mut output = object_output!(GetObjectOutput, record, slice, parts, expires);
    show_encryption!(output, &sealed);
    output.tag_count = tags;
    output.body = body;
    let mut answer = S3Response::with_headers(output, headers);
    if let Some(file) = file {
        answer.extensions.insert(file);
    }
    Ok(answer)
}

pub(super) async fn head(api: &Api, request: Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
    let call = call_of(&request.extensions)?;
    let input = request.input;
    let fail = |error| call.fail(error);
    let version = input.version_id.as_deref();
    let record = find(api, &call, (&input.bucket, &input.key), version).await.map_err(fail)?;
    let conditions = Conditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    check_conditions(conditions, &record, &call)?;
    let parts = shown_parts(&record, input.part_number);
    let slice = slice(&record, input.range, input.part_number).map_err(fail)?;
    let headers = shown_checksum(&record, input.checksum_mode.as_ref(), slice.content_range.is_some());
    let expires = expiration(&record);
    let sealed = record.entry.sealed.clone();
    if let Some(sealed) = sealed.as_deref().filter(|_| !headers.is_empty()) {
        api.0.backend.may_open(&call.cx, sealed).await.map_err(fail)?;
    }
    let mut output = object_output!(HeadObjectOutput, record, slice, parts, expires);
    show_encryption!(output, &sealed);
    Ok(S3Response::with_headers(output, headers))
}

/// Facts of an object without its bytes, each only where it was asked for.
pub(super) async fn attributes(
    api: &Api,
    request: Request<GetObjectAttributesInput>,
) -> Answer<GetObjectAttributesOutput> {
    let call = call_of(&request.extensions)?;
    let input = request.input;
    let fail = |error| call.fail(error);
    let version = input.version_id.as_deref();
    let record = find(api, &call, (&input.bucket, &input.key), version).await.map_err(fail)?;
    // s3s gives each header line as one attribute; clients write the list on one line.
    let names =
        |asked: &ObjectAttributes| asked.as_str().split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>();
    let wanted: Vec<String> = input.object_attributes.iter().flat_map(names).collect();
    let asked = |name: &str| wanted.iter().any(|wanted| wanted == name);
    let mut output = GetObjectAttributesOutput {
        last_modified: Some(time(record.entry.last_modified)),
        version_id: record.version.clone(),
        e_tag: asked("ETag").then(|| etag(&record.entry.etag)),
        object_size: asked("ObjectSize").then(|| long(record.entry.size)),
        storage_class: asked("StorageClass").then(|| {
            StorageClass::from(record.attributes.storage_class.clone().unwrap_or_else(|| "STANDARD".to_owned()))
        }),
        ..Default::default()
    };
    if asked("Checksum") && record.checksum.is_some() {
        // A checksum tells of the bytes.
        if let Some(sealed) = record.entry.sealed.as_deref() {
            api.0.backend.may_open(&call.cx, sealed).await.map_err(fail)?;
        }
        let mut shown = Checksum::default();
        put_checksum!(shown, &record.checksum);
        shown.checksum_type = record.checksum.as_ref().map(|one| ChecksumType::from_static(checksum_type(one)));
        output.checksum = Some(shown);
    }
    if asked("ObjectParts") && !record.part_sizes.is_empty() {
        output.object_parts = Some(page_of_parts(&record, input.part_number_marker, input.max_parts));
    }
    Ok(S3Response::new(output))
}

fn page_of_parts(record: &ObjectRecord, marker: Option<i32>, most: Option<i32>) -> GetObjectAttributesParts {
    let after = marker.and_then(|marker| usize::try_from(marker).ok()).unwrap_or(0);
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(1000).min(1000);
    let number = |at: usize| i32::try_from(at).unwrap_or(i32::MAX);
    let all = record.part_sizes.iter().enumerate().skip(after).take(most);
    let parts: Vec<ObjectPart> = all
        .map(|(at, size)| ObjectPart {
            part_number: Some(number(at + 1)),
            size: Some(long(*size)),
            ..Default::default()
        })
        .collect();
    let last = after + parts.len();
    GetObjectAttributesParts {
        is_truncated: Some(last < record.part_sizes.len()),
        max_parts: Some(number(most)),
        next_part_number_marker: Some(number(last)),
        part_number_marker: Some(number(after)),
        total_parts_count: Some(number(record.part_sizes.len())),
        // S3 tells the parts one by one only where each has a checksum of its own.
        parts: record.checksum.as_ref().is_some_and(|checksum| checksum.composite).then_some(parts),
    }
}
