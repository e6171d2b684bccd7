//! Between s3s's shapes and the kernel's. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use s3s::dto::{ETag, ETagCondition, Owner};
use stoa_kernel::ApiError;
use stoa_kernel::ports::{BodyChecks, Checksum, ChecksumAlgorithm, ObjectAttributes, WriteCondition};
use stoa_types::{AccountId, Timestamp};

use crate::call::Call;

pub(crate) const ALGORITHMS: [(ChecksumAlgorithm, &str); 5] = [
    (ChecksumAlgorithm::Crc32, "x-amz-checksum-crc32"),
    (ChecksumAlgorithm::Crc32c, "x-amz-checksum-crc32c"),
    (ChecksumAlgorithm::Crc64Nvme, "x-amz-checksum-crc64nvme"),
    (ChecksumAlgorithm::Sha1, "x-amz-checksum-sha1"),
    (ChecksumAlgorithm::Sha256, "x-amz-checksum-sha256"),
];

pub(super) fn time(time: Timestamp) -> s3s::dto::Timestamp {
    let nanos = i128::from(time.millis()) * 1_000_000;
    time::OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(time::OffsetDateTime::UNIX_EPOCH).into()
}

pub(super) fn from_time(given: s3s::dto::Timestamp) -> Timestamp {
    let given: time::OffsetDateTime = given.into();
    Timestamp::from_millis(i64::try_from(given.unix_timestamp_nanos() / 1_000_000).unwrap_or(0))
}

pub(super) fn etag(text: &str) -> ETag {
    ETag::Strong(text.to_owned())
}

pub(super) fn owner(account: &AccountId) -> Owner {
    Owner { display_name: None, id: Some(account.to_string()) }
}

/// Sizes and lengths: none of ours is beyond what S3's shapes can say.
pub(super) fn long(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

pub(super) fn algorithm(name: &str) -> Result<ChecksumAlgorithm, ApiError> {
    let found = ALGORITHMS.iter().find(|(known, _)| known.name().eq_ignore_ascii_case(name));
    found.map(|(algorithm, _)| *algorithm).ok_or_else(|| {
        let text = "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
                    [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]";
        ApiError::new("InvalidRequest", 400, text)
    })
}

pub(super) fn malformed_xml() -> ApiError {
    let text = "The XML you provided was not well-formed or did not validate against our published schema";
    ApiError::new("MalformedXML", 400, text)
}

/// `x-amz-expiration`, of an object that a lifecycle rule will remove.
pub(super) fn expiration(record: &stoa_kernel::ports::ObjectRecord) -> Option<String> {
    let (end, rule) = record.expires.as_ref()?;
    let rule = percent_encoding::utf8_percent_encode(rule, percent_encoding::NON_ALPHANUMERIC);
    Some(format!("expiry-date=\"{}\", rule-id=\"{rule}\"", end.http_date()))
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty())
}

/// The checksum algorithm that the request asks for, without a value for it.
pub(super) fn asked_algorithm(headers: &HeaderMap) -> Result<Option<ChecksumAlgorithm>, ApiError> {
    let names = ["x-amz-checksum-algorithm", "x-amz-sdk-checksum-algorithm"];
    names.iter().find_map(|name| header(headers, name)).map(algorithm).transpose()
}

/// The length that the head declares. Without one, a body that is cut short could not be told from a whole one.
fn declared_length(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let length = header(headers, "content-length").and_then(|text| text.parse().ok());
    if length.is_none() && !headers.contains_key("transfer-encoding") {
        return Err(ApiError::new("MissingContentLength", 411, "You must provide the Content-Length HTTP header."));
    }
    if length.is_some_and(|length| length > LARGEST_BODY) {
        let text = "Your proposed upload exceeds the maximum allowed size";
        return Err(ApiError::new("EntityTooLarge", 400, text));
    }
    Ok(length)
}

/// What the head says of the body: its length, hashes and checksum, or the trailer that will.
pub(super) fn body_checks(headers: &HeaderMap, call: &Call) -> Result<BodyChecks, ApiError> {
    let mut checks = BodyChecks {
        // A form says with its last boundary where the file ends.
        length: if call.by_form { None } else { declared_length(headers)? },
        md5: declared_md5(headers)?,
        // From here on the blob's own name checks it.
        sha256: call.body.sha256.lock().take(),
        algorithm: asked_algorithm(headers)?,
        expected: None,
    };
    let trailer = header(headers, "x-amz-trailer").unwrap_or("").to_ascii_lowercase();
    let mut given = 0;
    for (algorithm, name) in ALGORITHMS {
        if let Some(value) = declared_checksum(headers, algorithm, name)? {
            checks.expected = Some(Box::new(move || Some(value)));
        } else if trailer.split(',').any(|each| each.trim() == name) {
            let trailers = std::sync::Arc::clone(&call.body.trailers);
            checks.expected = Some(Box::new(move || {
                let trailers = trailers.lock();
                trailers.as_ref().and_then(|trailers| header(trailers, name).map(str::to_owned))
            }));
        } else {
            continue;
        }
        checks.algorithm = Some(algorithm);
        given += 1;
    }
    if given > 1 {
        let text = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
        return Err(ApiError::new("InvalidRequest", 400, text));
    }
    Ok(checks)
}

/// `Content-MD5`, also an empty one: that is no digest.
pub(crate) fn declared_md5(headers: &HeaderMap) -> Result<Option<[u8; 16]>, ApiError> {
    let Some(value) = headers.get("content-md5") else { return Ok(None) };
    let decoded = STANDARD.decode(value.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    let invalid = || ApiError::new("InvalidDigest", 400, "The Content-MD5 you specified was invalid.");
    decoded.map(Some).ok_or_else(invalid)
}

/// The value of a checksum's header, which must be one of that algorithm.
pub(crate) fn declared_checksum(
    headers: &HeaderMap,
    algorithm: ChecksumAlgorithm,
    name: &str,
) -> Result<Option<String>, ApiError> {
    let Some(value) = header(headers, name) else { return Ok(None) };
    let length = match algorithm {
        ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32c => 4,
        ChecksumAlgorithm::Crc64Nvme => 8,
        ChecksumAlgorithm::Sha1 => 20,
        ChecksumAlgorithm::Sha256 => 32,
    };
    match STANDARD.decode(value) {
        Ok(bytes) if bytes.len() == length => Ok(Some(value.to_owned())),
        _ => Err(ApiError::new("InvalidRequest", 400, format!("Value for {name} header is invalid."))),
    }
}

/// The headers that tell an object's checksum.
pub(super) fn checksum_headers(checksum: Option<&Checksum>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(checksum) = checksum else { return headers };
    for (algorithm, name) in ALGORITHMS {
        if let (true, Ok(value)) = (algorithm == checksum.algorithm, HeaderValue::from_str(&checksum.value)) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers.insert("x-amz-checksum-type", HeaderValue::from_static(checksum_type(checksum)));
    headers
}

pub(super) fn checksum_type(checksum: &Checksum) -> &'static str {
    if checksum.composite { "COMPOSITE" } else { "FULL_OBJECT" }
}

/// Puts a checksum into the member of an XML shape that is its algorithm's.
macro_rules! put_checksum {
    ($shape:expr, $checksum:expr) => {
        if let Some(checksum) = $checksum {
            let value = Some(checksum.value.clone());
            match checksum.algorithm {
                stoa_kernel::ports::ChecksumAlgorithm::Crc32 => $shape.checksum_crc32 = value,
                stoa_kernel::ports::ChecksumAlgorithm::Crc32c => $shape.checksum_crc32c = value,
                stoa_kernel::ports::ChecksumAlgorithm::Crc64Nvme => $shape.checksum_crc64nvme = value,
                stoa_kernel::ports::ChecksumAlgorithm::Sha1 => $shape.checksum_sha1 = value,
                stoa_kernel::ports::ChecksumAlgorithm::Sha256 => $shape.checksum_sha256 = value,
            }
        }
    };
}
pub(super) use put_checksum;

/// The attributes that a write carries in headers; all three shapes that write objects have the same members.
macro_rules! attributes {
    ($input:expr) => {
        stoa_kernel::ports::ObjectAttributes {
            content_type: $input.content_type.take(),
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $input.content_encoding.take(),
            content_language: $input.content_language.take(),
            expires: $input.expires.take().map($crate::api::convert::from_time),
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
            storage_class: $input.storage_class.take().map(|class| class.as_str().to_owned()),
            encryption: $input.server_side_encryption.take().map(|kind| kind.as_str().to_owned()),
            kms_key_id: $input.ssekms_key_id.take(),
            bucket_key: $input.bucket_key_enabled.take(),
            encryption_context: $input.ssekms_encryption_context.take(),
            tags: Default::default(),
        }
    };
}
pub(super) use attributes;

const MOST_METADATA: usize = 2048;
/// Bytes of one body; more go in parts.
pub(crate) const LARGEST_BODY: u64 = 5 << 30;
const STORAGE_CLASSES: [&str; 13] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "OUTPOSTS",
    "GLACIER_IR",
    "SNOW",
    "EXPRESS_ONEZONE",
    "FSX_OPENZFS",
    "FSX_ONTAP",
];

/// What a write asks for that is not there is refused rather than left out in silence.
pub(super) fn check_write(headers: &HeaderMap, attributes: &ObjectAttributes) -> Result<(), ApiError> {
    const UNBUILT: [&str; 5] = [
        "x-amz-object-lock-mode",
        "x-amz-object-lock-retain-until-date",
        "x-amz-object-lock-legal-hold",
        "x-amz-website-redirect-location",
        "x-amz-write-offset-bytes",
    ];
    if let Some(name) = UNBUILT.iter().find(|name| headers.contains_key(**name)) {
        let text = format!("the header `{name}` implies functionality that is not implemented by Stoa");
        return Err(ApiError::new("NotImplemented", 501, text));
    }
    let acl = header(headers, "x-amz-acl").unwrap_or("private");
    let grants = headers.keys().any(|name| name.as_str().starts_with("x-amz-grant-"));
    if grants || !matches!(acl, "private" | "bucket-owner-full-control") {
        return Err(ApiError::new("AccessControlListNotSupported", 400, "The bucket does not allow ACLs"));
    }
    let size: usize = attributes.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MOST_METADATA {
        let text = "Your metadata headers exceed the maximum allowed metadata size";
        return Err(ApiError::new("MetadataTooLarge", 400, text));
    }
    if attributes.storage_class.as_deref().is_some_and(|class| !STORAGE_CLASSES.contains(&class)) {
        return Err(ApiError::new("InvalidStorageClass", 400, "The storage class you specified is not valid"));
    }
    Ok(())
}

/// What must be under the key for a write.
pub(super) fn write_condition(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> Result<WriteCondition, ApiError> {
    let absent = match if_none_match {
        None => false,
        Some(ETagCondition::Any) => true,
        Some(ETagCondition::ETag(_)) => {
            let text = "If-None-Match with an ETag is not implemented for writes";
            return Err(ApiError::new("NotImplemented", 501, text));
        }
    };
    let etag = if_match.map(|condition| match condition {
        ETagCondition::Any => "*".to_owned(),
        ETagCondition::ETag(etag) => etag.value().to_owned(),
    });
    Ok(WriteCondition { absent, etag })
}
