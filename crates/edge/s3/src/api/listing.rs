//! Listings, both versions.
//!
//! A continuation token is the last key of its page in base64: as harmless as `start-after`, which anybody may set.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::*;
use s3s::{S3Response, S3Result};
use stoa_kernel::ApiError;
use stoa_kernel::ports::{ListObjects, Listing};

use super::convert::{etag, long, owner, time};
use super::{Answer, Api, Request};
use crate::call::{Call, call_of};

const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'*');
const MOST: i32 = 1000;

pub(super) fn seal_token(position: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("1{position}"))
}

pub(super) fn open_token(token: &str) -> Result<String, ApiError> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let position = decoded.as_deref().and_then(|text| text.strip_prefix('1')).map(str::to_owned);
    position.ok_or_else(|| ApiError::new("InvalidArgument", 400, "The continuation token provided is incorrect"))
}

/// How the keys of an answer are written.
pub(super) struct Encode(bool);

impl Encode {
    pub(super) fn of(encoding: Option<&EncodingType>) -> Result<Encode, ApiError> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Encode(false)),
            Some("url") => Ok(Encode(true)),
            Some(_) => Err(ApiError::new("InvalidArgument", 400, "Invalid Encoding Method specified in Request")),
        }
    }
    pub(super) fn text(&self, text: &str) -> String {
        if self.0 { utf8_percent_encode(text, KEPT).to_string() } else { text.to_owned() }
    }
}

pub(super) fn limit(max_keys: Option<i32>) -> Result<usize, ApiError> {
    let most = max_keys.unwrap_or(MOST).min(MOST);
    let invalid =
        |_| ApiError::new("InvalidArgument", 400, "Argument maxKeys must be an integer between 0 and 2147483647");
    usize::try_from(most).map_err(invalid)
}

fn contents(listing: &Listing, encode: &Encode, account: Option<&stoa_types::AccountId>) -> Vec<Object> {
    let object = |entry: &stoa_kernel::ports::ObjectEntry| Object {
        e_tag: Some(etag(&entry.etag)),
        key: Some(encode.text(&entry.key)),
        last_modified: Some(time(entry.last_modified)),
        owner: account.map(owner),
        size: Some(long(entry.size)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Default::default()
    };
    listing.objects.iter().map(object).collect()
}

pub(super) fn prefixes(prefixes: &[String], encode: &Encode) -> Option<Vec<CommonPrefix>> {
    let prefix = |text: &String| CommonPrefix { prefix: Some(encode.text(text)) };
    (!prefixes.is_empty()).then(|| prefixes.iter().map(prefix).collect())
}

async fn list(api: &Api, call: &Call, list: &ListObjects) -> S3Result<Listing> {
    api.0.backend.list_objects(list).await.map_err(|error| call.fail(error))
}

pub(super) async fn version_1(api: &Api, request: Request<ListObjectsInput>) -> Answer<ListObjectsOutput> {
    let call = call_of(&request.extensions)?;
    let input = request.input;
    let encode = Encode::of(input.encoding_type.as_ref()).map_err(|error| call.fail(error))?;
    let wanted = ListObjects {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        after: input.marker.clone().filter(|marker| !marker.is_empty()),
        limit: limit(input.max_keys).map_err(|error| call.fail(error))?,
    };
    let listing = list(api, &call, &wanted).await?;
    // Without a delimiter clients go on from the last key.
    let next = listing.next.clone().filter(|_| !wanted.delimiter.is_empty());
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(encode.text(&wanted.prefix)),
        marker: Some(encode.text(&input.marker.unwrap_or_default())),
        max_keys: Some(i32::try_from(wanted.limit).unwrap_or(MOST)),
        is_truncated: Some(listing.next.is_some()),
        contents: Some(contents(&listing, &encode, call.owner.get())),
        common_prefixes: prefixes(&listing.prefixes, &encode),
        delimiter: input.delimiter.map(|delimiter| encode.text(&delimiter)),
        next_marker: next.map(|next| encode.text(&next)),
        encoding_type: input.encoding_type,
        ..Default::default()
    }))
}

pub(super) async fn version_2(api: &Api, request: Request<ListObjectsV2Input>) -> Answer<ListObjectsV2Output> {
    let call = call_of(&request.extensions)?;
    let input = request.input;
    let fail = |error| call.fail(error);
    let encode = Encode::of(input.encoding_type.as_ref()).map_err(fail)?;
    let after = match &input.continuation_token {
        Some(token) => Some(open_token(token).map_err(fail)?),
        None => input.start_after.clone().filter(|start| !start.is_empty()),
    };
    let wanted = ListObjects {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        after,
        limit: limit(input.max_keys).map_err(fail)?,
    };
    let listing = list(api, &call, &wanted).await?;
    let count = listing.objects.len() + listing.prefixes.len();
    let account = call.owner.get().filter(|_| input.fetch_owner == Some(true));
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(encode.text(&wanted.prefix)),
        max_keys: Some(i32::try_from(wanted.limit).unwrap_or(MOST)),
        key_count: Some(i32::try_from(count).unwrap_or(MOST)),
        continuation_token: input.continuation_token,
        is_truncated: Some(listing.next.is_some()),
        next_continuation_token: listing.next.as_deref().map(seal_token),
        contents: Some(contents(&listing, &encode, account)),
        common_prefixes: prefixes(&listing.prefixes, &encode),
        delimiter: input.delimiter.map(|delimiter| encode.text(&delimiter)),
        encoding_type: input.encoding_type,
        start_after: input.start_after.map(|start| encode.text(&start)),
        ..Default::default()
    }))
}
