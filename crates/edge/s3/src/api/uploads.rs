//! Multipart uploads.

use s3s::S3Response;
use s3s::dto::*;
use stoa_kernel::ApiError;
use stoa_kernel::ports::{
    BodyChecks, ClaimedPart, CompleteUpload, PartRecord, UploadName, UploadRecord, WriteObject, rolled_up,
};

use super::convert::{
    asked_algorithm, attributes, body_checks, check_write, checksum_headers, checksum_type, etag, expiration, long,
    malformed_xml, owner, put_checksum, time, write_condition,
};
use super::encryption::show_encryption;
use super::listing::{Encode, prefixes};
use super::objects::{incoming, source};
use super::read::{Conditions, bytes};
use super::{Answer, Api, Request};
use crate::call::call_of;

const MOST: usize = 1000;
const MOST_PARTS: u32 = 10_000;

fn name(bucket: String, key: String, id: String) -> UploadName {
    UploadName { bucket, key, id }
}

fn type_name(upload: &UploadRecord) -> ChecksumType {
    ChecksumType::from_static(if upload.composite { "COMPOSITE" } else { "FULL_OBJECT" })
}

fn limit(asked: Option<i32>) -> usize {
    asked.and_then(|most| usize::try_from(most).ok()).unwrap_or(MOST).min(MOST)
}

pub(super) async fn create(
    api: &Api,
    mut request: Request<CreateMultipartUploadInput>,
) -> Answer<CreateMultipartUploadOutput> {
    let call = call_of(&request.extensions)?;
    let fail = |error| call.fail(error);
    let input = &mut request.input;
    let mut attributes = attributes!(input);
    attributes.tags = crate::operations::header_tags(&request.headers).map_err(fail)?.unwrap_or_default();
    check_write(&request.headers, &attributes).map_err(fail)?;
    let algorithm = asked_algorithm(&request.headers).map_err(fail)?;
    let composite = match input.checksum_type.as_ref().map(ChecksumType::as_str) {
        Some("COMPOSITE") => true,
        Some("FULL_OBJECT") => false,
        Some(_) => return Err(fail(ApiError::new("InvalidRequest", 400, "the checksum type is not valid"))),
        // S3's default: only CRC-64/NVME, the checksum nobody asked for, is of the whole.
        None => algorithm.is_some_and(|algorithm| algorithm != stoa_kernel::ports::ChecksumAlgorithm::Crc64Nvme),
    };
    let mut write = WriteObject {
        bucket: std::mem::take(&mut input.bucket),
        key: std::mem::take(&mut input.key),
        attributes,
        ..Default::default()
    };
    write.checks.algorithm = algorithm;
    let upload = api.0.backend.create_upload(&call.cx, call.permit()?, write, composite).await.map_err(fail)?;
    let sealed = upload.sealed.clone();
    let mut output = CreateMultipartUploadOutput {
        checksum_algorithm: upload.algorithm.map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name())),
        checksum_type: upload.algorithm.map(|_| type_name(&upload)),
        bucket: Some(upload.bucket),
        key: Some(upload.key),
        upload_id: Some(upload.id),
        ..Default::default()
    };
    show_encryption!(output, &sealed);
    Ok(S3Response::new(output))
}

fn part_number(number: i32) -> Result<u32, ApiError> {
    let text = "Part number must be an integer between 1 and 10000, inclusive";
    let number = u32::try_from(number).ok().filter(|number| (1..=MOST_PARTS).contains(number));
    number.ok_or_else(|| ApiError::new("InvalidArgument", 400, text))
}

pub(super) async fn put_part(api: &Api, request: Request<UploadPartInput>) -> Answer<UploadPartOutput> {
    let call = call_of(&request.extensions)?;
    let fail = |error| call.fail(error);
    let checks = body_checks(&request.headers, &call).map_err(fail)?;
    let input = request.input;
    let number = part_number(input.part_number).map_err(fail)?;
    let upload = name(input.bucket, input.key, input.upload_id);
    let body = incoming(input.body);
    let part = api.0.backend.put_part(&call.cx, call.permit()?, &upload, number, checks, body).await.map_err(fail)?;
    let mut headers = checksum_headers(part.checksum.as_ref());
    headers.remove("x-amz-checksum-type");
    let mut output = UploadPartOutput { e_tag: Some(etag(&part.etag)), ..Default::default() };
    show_encryption!(output, &part.sealed);
    Ok(S3Response::with_headers(output, headers))
}

/// `bytes=first-last`, both given, as the API has it for parts.
fn copied_range(text: Option<&str>, size: u64) -> Result<(u64, u64), ApiError> {
    let Some(text) = text else { return Ok((0, size)) };
    let invalid = || {
        let text = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
                    zero-based offsets of the first and last bytes to copy";
        ApiError::new("InvalidArgument", 400, text)
    };
    match Range::parse(text) {
        Ok(Range::Int { first, last: Some(last) }) if first <= last && last < size => Ok((first, last - first + 1)),
        Ok(Range::Int { last: Some(_), .. }) => {
            let text = format!("Range specified is not valid for source object of size: {size}");
            Err(ApiError::new("InvalidArgument", 400, text))
        }
        _ => Err(invalid()),
    }
}

pub(super) async fn copy_part(api: &Api, request: Request<UploadPartCopyInput>) -> Answer<UploadPartCopyOutput> {
    let call = call_of(&request.extensions)?;
    let fail = |error| call.fail(error);
    let input = request.input;
    let conditions = Conditions {
        if_match: input.copy_source_if_match,
        if_none_match: input.copy_source_if_none_match,
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
    };
    let expected = input.expected_source_bucket_owner.as_deref();
    let record = source(api, &call, &input.copy_source, expected, conditions).await.map_err(fail)?;
    let source_version = record.version.clone();
    let (start, length) = copied_range(input.copy_source_range.as_deref(), record.entry.size).map_err(fail)?;
    let body = bytes(api, &call, &record, start, length).await.map_err(fail)?;
    let number = part_number(input.part_number).map_err(fail)?;
    let upload = name(input.bucket, input.key, input.upload_id);
    let checks = BodyChecks::default();
    let part = api.0.backend.put_part(&call.cx, call.permit()?, &upload, number, checks, body).await.map_err(fail)?;
    let mut result = CopyPartResult {
        e_tag: Some(etag(&part.etag)),
        last_modified: Some(time(part.modified)),
        ..Default::default()
    };
    put_checksum!(result, &part.checksum);
    let mut output = UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: source_version,
        ..Default::default()
    };
    show_encryption!(output, &part.sealed);
    Ok(S3Response::new(output))
}

/// A part with its claimed checksum, whichever member that stands in.
fn claimed(part: CompletedPart) -> Result<ClaimedPart, ApiError> {
    let CompletedPart { checksum_crc32, checksum_crc32c, checksum_crc64nvme, checksum_sha1, checksum_sha256, .. } =
        part;
    Ok(ClaimedPart {
        number: part_number(part.part_number.ok_or_else(malformed_xml)?)?,
        etag: part.e_tag.ok_or_else(malformed_xml)?.into_value(),
        checksum: checksum_crc32.or(checksum_crc32c).or(checksum_crc64nvme).or(checksum_sha1).or(checksum_sha256),
    })
}

pub(super) async fn complete(
    api: &Api,
    request: Request<CompleteMultipartUploadInput>,
) -> Answer<CompleteMultipartUploadOutput> {
    let call = call_of(&request.extensions)?;
    let fail = |error| call.fail(error);
    let input = request.input;
    let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    if parts.is_empty() || parts.len() > MOST_PARTS as usize {
        return Err(fail(malformed_xml()));
    }
    let complete = CompleteUpload {
        parts: parts.into_iter().map(claimed).collect::<Result<_, _>>().map_err(fail)?,
        condition: write_condition(input.if_match.as_ref(), input.if_none_match.as_ref()).map_err(fail)?,
        checksum: input
            .checksum_crc32
            .or(input.checksum_crc32c)
            .or(input.checksum_crc64nvme)
            .or(input.checksum_sha1)
            .or(input.checksum_sha256),
        size: input.mpu_object_size.and_then(|size| u64::try_from(size).ok()),
    };
    let upload = name(input.bucket, input.key, input.upload_id);
    let record = api.0.backend.complete_upload(&call.cx, call.permit()?, &upload, complete).await.map_err(fail)?;
    let mut output = CompleteMultipartUploadOutput {
        e_tag: Some(etag(&record.entry.etag)),
        expiration: expiration(&record),
        version_id: record.version,
        location: Some(format!("{}/{}/{}", call.cx.connection.base_url, upload.bucket, upload.key)),
        bucket: Some(upload.bucket),
        key: Some(upload.key),
        checksum_type: record.checksum.as_ref().map(|checksum| ChecksumType::from_static(checksum_type(checksum))),
        ..Default::default()
    };
    put_checksum!(output, &record.checksum);
    show_encryption!(output, &record.entry.sealed);
    Ok(S3Response::new(output))
}

pub(super) async fn abort(
    api: &Api,
    request: Request<AbortMultipartUploadInput>,
) -> Answer<AbortMultipartUploadOutput> {
    let call = call_of(&request.extensions)?;
    let upload = name(request.input.bucket, request.input.key, request.input.upload_id);
    let aborted = api.0.backend.abort_upload(&call.cx, call.permit()?, &upload).await;
    aborted.map_err(|error| call.fail(error))?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

fn part(record: PartRecord) -> Part {
    let mut part = Part {
        e_tag: Some(etag(&record.etag)),
        last_modified: Some(time(record.modified)),
        part_number: i32::try_from(record.number).ok(),
        size: Some(long(record.size)),
        ..Default::default()
    };
    put_checksum!(part, &record.checksum);
    part
}

pub(super) async fn list_parts(api: &Api, request: Request<ListPartsInput>) -> Answer<ListPartsOutput> {
    let call = call_of(&request.extensions)?;
    let input = request.input;
    let most = limit(input.max_parts);
    let after = input.part_number_marker.and_then(|marker| u32::try_from(marker).ok()).unwrap_or(0);
    let wanted = name(input.bucket, input.key, input.upload_id);
    let found = api.0.backend.upload_parts(&wanted, after, most + 1).await;
    let (upload, mut parts) = found.map_err(|error| call.fail(error))?;
    let more = parts.len() > most;
    parts.truncate(most);
    let next = parts.last().map(|last| last.number).and_then(|number| i32::try_from(number).ok());
    let account = call.owner.get().map(owner);
    Ok(S3Response::new(ListPartsOutput {
        checksum_algorithm: upload.algorithm.map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name())),
        checksum_type: upload.algorithm.map(|_| type_name(&upload)),
        is_truncated: Some(more),
        max_parts: i32::try_from(most).ok(),
        next_part_number_marker: next,
        part_number_marker: i32::try_from(after).ok(),
        parts: Some(parts.into_iter().map(part).collect()),
        owner: account,
        bucket: Some(upload.bucket),
        key: Some(upload.key),
        upload_id: Some(upload.id),
        ..Default::default()
    }))
}

/// A page of uploads.
#[derive(Default)]
struct Page {
    uploads: Vec<UploadRecord>,
    prefixes: Vec<String>,
    /// Key and upload, or rolled-up prefix, after which the next page begins.
    next: Option<(String, Option<String>)>,
}

/// Greater than whatever begins with the text before it.
const LAST: &str = "\u{10ffff}";

/// A rolled-up prefix is passed by one seek behind it.
async fn page(api: &Api, input: &ListMultipartUploadsInput, most: usize) -> Result<Page, ApiError> {
    let mut page = Page::default();
    if most == 0 {
        return Ok(page);
    }
    let prefix = input.prefix.as_deref().unwrap_or("");
    let delimiter = input.delimiter.as_deref().unwrap_or("");
    let marker = input.key_marker.as_deref().filter(|marker| !marker.is_empty());
    let mut after = marker.map(|key| match rolled_up(key, prefix, delimiter) == Some(key) {
        true => (format!("{key}{LAST}"), String::new()),
        false => (key.to_owned(), input.upload_id_marker.clone().unwrap_or_default()),
    });
    loop {
        let position = after.as_ref().map(|(key, id)| (key.as_str(), id.as_str()));
        let found = api.0.backend.uploads(&input.bucket, prefix, position, most + 1).await?;
        let ended = found.len() <= most;
        let mut passed = None;
        for upload in found {
            let rolled = rolled_up(&upload.key, prefix, delimiter).map(str::to_owned);
            if rolled.is_some() && rolled.as_ref() == page.prefixes.last() {
                passed = rolled;
                continue;
            }
            if page.uploads.len() + page.prefixes.len() == most {
                page.next = after.map(|(key, id)| match key.strip_suffix(LAST) {
                    Some(prefix) => (prefix.to_owned(), None),
                    None => (key, Some(id)),
                });
                return Ok(page);
            }
            after = Some(match &rolled {
                Some(prefix) => (format!("{prefix}{LAST}"), String::new()),
                None => (upload.key.clone(), upload.id.clone()),
            });
            passed.clone_from(&rolled);
            match rolled {
                Some(prefix) => page.prefixes.push(prefix),
                None => page.uploads.push(upload),
            }
        }
        if ended {
            return Ok(page);
        }
        if let Some(prefix) = passed {
            after = Some((format!("{prefix}{LAST}"), String::new()));
        }
    }
}

pub(super) async fn list(api: &Api, request: Request<ListMultipartUploadsInput>) -> Answer<ListMultipartUploadsOutput> {
    let call = call_of(&request.extensions)?;
    let fail = |error| call.fail(error);
    let input = request.input;
    let encode = Encode::of(input.encoding_type.as_ref()).map_err(fail)?;
    let most = limit(input.max_uploads);
    let Page { uploads, prefixes: rolled, next } = page(api, &input, most).await.map_err(fail)?;
    let account = call.owner.get();
    let upload = |record: UploadRecord| MultipartUpload {
        checksum_algorithm: record.algorithm.map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name())),
        checksum_type: record.algorithm.map(|_| type_name(&record)),
        initiated: Some(time(record.initiated)),
        key: Some(encode.text(&record.key)),
        owner: account.map(owner),
        upload_id: Some(record.id),
        ..Default::default()
    };
    let (next_key, next_id) = next.map_or((None, None), |(key, id)| (Some(key), id));
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        common_prefixes: prefixes(&rolled, &encode),
        delimiter: input.delimiter.map(|delimiter| encode.text(&delimiter)),
        encoding_type: input.encoding_type,
        is_truncated: Some(next_key.is_some()),
        key_marker: input.key_marker.map(|key| encode.text(&key)),
        upload_id_marker: input.upload_id_marker,
        max_uploads: i32::try_from(most).ok(),
        next_key_marker: next_key.map(|key| encode.text(&key)),
        next_upload_id_marker: next_id,
        prefix: input.prefix.map(|prefix| encode.text(&prefix)),
        request_charged: None,
        uploads: Some(uploads.into_iter().map(upload).collect()),
    }))
}
