//! Writing, copying and removing objects.

use futures_util::StreamExt;
use s3s::S3Response;
use s3s::dto::*;
use stoa_kernel::ports::{BodyStream, ObjectRecord, ObjectTags, WriteCondition, WriteObject};
use stoa_kernel::{ApiError, Target};

use super::convert::{
    asked_algorithm, attributes, body_checks, check_write, checksum_headers, etag, put_checksum, time, write_condition,
};
use super::encryption::show_encryption;
use super::read::{Conditions, Met, find, met};
use super::{Answer, Api, Request};
use crate::access::no_such_bucket;
use crate::call::{Call, call_of};
use crate::operations::{copy_source, existing_tag_keys, header_tags, object_arn, request_tag_keys};

/// The body of a request, also of one without.
pub(super) fn incoming(body: Option<StreamingBlob>) -> BodyStream {
    match body {
        Some(body) => body.boxed(),
        None => futures_util::stream::empty().boxed(),
    }
}

pub(super) async fn put(api: &Api, mut request: Request<PutObjectInput>) -> Answer<PutObjectOutput> {
    let call = call_of(&request.extensions)?;
    let fail = |error| call.fail(error);
    let input = &mut request.input;
    let mut attributes = attributes!(input);
    attributes.tags = header_tags(&request.headers).map_err(fail)?.unwrap_or_default();
    check_write(&request.headers, &attributes).map_err(fail)?;
    let write = WriteObject {
        bucket: std::mem::take(&mut input.bucket),
        key: std::mem::take(&mut input.key),
        attributes,
        checks: body_checks(&request.headers, &call).map_err(fail)?,
        condition: write_condition(input.if_match.as_ref(), input.if_none_match.as_ref()).map_err(fail)?,
        keep_tags: false,
    };
    let body = incoming(input.body.take());
    let record = api.0.backend.put_object(&call.cx, call.permit()?, write, body).await.map_err(fail)?;
    let headers = checksum_headers(record.checksum.as_ref());
    let mut output = PutObjectOutput { e_tag: Some(etag(&record.entry.etag)), ..Default::default() };
    show_encryption!(output, &record.entry.sealed);
    Ok(S3Response::with_headers(output, headers))
}

/// The source of a copy: decided like a read, and held to the expected owner.
pub(super) async fn source(
    api: &Api,
    call: &Call,
    source: &CopySource,
    expected_owner: Option<&str>,
    conditions: Conditions,
) -> Result<ObjectRecord, ApiError> {
    let (bucket, key) = copy_source(source)?;
    let owner = api.0.backend.bucket(bucket).await?.ok_or_else(no_such_bucket)?.owner;
    let target = Target::new("s3:GetObject", object_arn(&call.cx, bucket, key));
    call.cx.authorize(&call.keyed(target, Some(&owner))).await?;
    if expected_owner.is_some_and(|expected| expected != owner.as_str()) {
        return Err(ApiError::access_denied("Access Denied: the source bucket is not owned by the expected account"));
    }
    let record = find(api, call, bucket, key).await?;
    match met(conditions, &record) {
        Met::Yes => Ok(record),
        Met::NotModified | Met::Failed => {
            let text = "At least one of the pre-conditions you specified did not hold";
            Err(ApiError::new("PreconditionFailed", 412, text))
        }
    }
}

pub(super) async fn copy(api: &Api, mut request: Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
    let call = call_of(&request.extensions)?;
    let fail = |error| call.fail(error);
    let input = &mut request.input;
    let mut attributes = attributes!(input);
    let keep_tags = input.tagging_directive.as_ref().is_none_or(|directive| directive.as_str() != "REPLACE");
    if !keep_tags {
        attributes.tags = header_tags(&request.headers).map_err(fail)?.unwrap_or_default();
    }
    check_write(&request.headers, &attributes).map_err(fail)?;
    let replace = input.metadata_directive.as_ref().is_some_and(|directive| directive.as_str() == "REPLACE");
    let conditions = Conditions {
        if_match: input.copy_source_if_match.take(),
        if_none_match: input.copy_source_if_none_match.take(),
        if_modified_since: input.copy_source_if_modified_since.take(),
        if_unmodified_since: input.copy_source_if_unmodified_since.take(),
    };
    let expected = input.expected_source_bucket_owner.as_deref();
    let record = source(api, &call, &input.copy_source, expected, conditions).await.map_err(fail)?;
    if keep_tags && !record.attributes.tags.is_empty() {
        tags_may_go_along(&call, &input.copy_source, (&input.bucket, &input.key), &record.attributes.tags)
            .await
            .map_err(fail)?;
    }
    let same = copy_source(&input.copy_source).map_err(fail)? == (input.bucket.as_str(), input.key.as_str());
    if same && !replace && attributes.storage_class.is_none() && attributes.encryption.is_none() {
        let text = "This copy request is illegal because it is trying to copy an object to itself without changing the \
                    object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(fail(ApiError::new("InvalidRequest", 400, text)));
    }
    let mut write = WriteObject {
        bucket: std::mem::take(&mut input.bucket),
        key: std::mem::take(&mut input.key),
        attributes,
        keep_tags,
        ..Default::default()
    };
    write.checks.algorithm = asked_algorithm(&request.headers).map_err(fail)?;
    let copied = api.0.backend.copy_object(&call.cx, call.permit()?, &record, write, replace).await.map_err(fail)?;
    let mut result = CopyObjectResult {
        e_tag: Some(etag(&copied.entry.etag)),
        last_modified: Some(time(copied.entry.last_modified)),
        ..Default::default()
    };
    put_checksum!(result, &copied.checksum);
    let mut output = CopyObjectOutput { copy_object_result: Some(result), ..Default::default() };
    show_encryption!(output, &copied.entry.sealed);
    Ok(S3Response::new(output))
}

/// A copy that takes the source's tags along reads them there and writes them here.
async fn tags_may_go_along(
    call: &Call,
    from: &CopySource,
    (bucket, key): (&str, &str),
    tags: &ObjectTags,
) -> Result<(), ApiError> {
    let (source_bucket, source_key) = copy_source(from)?;
    let read = Target::new("s3:GetObjectTagging", object_arn(&call.cx, source_bucket, source_key));
    let write = Target::new("s3:PutObjectTagging", object_arn(&call.cx, bucket, key));
    let read = existing_tag_keys(call.keyed(read, None), tags);
    let write = request_tag_keys(call.keyed(write, call.owner.get()), tags);
    call.cx.authorize(&read).await?;
    call.cx.authorize(&write).await
}

pub(super) async fn delete(api: &Api, request: Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
    let call = call_of(&request.extensions)?;
    let fail = |error| call.fail(error);
    let input = request.input;
    if input.version_id.as_deref().is_some_and(|version| version != "null") {
        return Err(fail(ApiError::new("NoSuchVersion", 404, "The specified version does not exist.")));
    }
    let condition = write_condition(input.if_match.as_ref(), None).map_err(fail)?;
    let backend = &api.0.backend;
    backend.delete_object(&call.cx, call.permit()?, &input.bucket, &input.key, &condition).await.map_err(fail)?;
    Ok(S3Response::new(DeleteObjectOutput::default()))
}

async fn delete_one(api: &Api, call: &Call, bucket: &str, object: &ObjectIdentifier) -> Result<(), ApiError> {
    if object.version_id.as_deref().is_some_and(|version| version != "null") {
        return Err(ApiError::new("NoSuchVersion", 404, "The specified version does not exist."));
    }
    let target = Target::new("s3:DeleteObject", object_arn(&call.cx, bucket, &object.key));
    let etag = object.e_tag.as_ref().map(|etag| etag.value().to_owned());
    let mut target = call.keyed(target, call.owner.get());
    if let Some(etag) = &etag {
        target = target.with_key("s3:if-match", etag.as_str());
    }
    let permit = call.cx.decide(&[target]).await?;
    let condition = WriteCondition { absent: false, etag };
    api.0.backend.delete_object(&call.cx, &permit, bucket, &object.key, &condition).await
}

/// Each key is decided, removed and answered by itself.
pub(super) async fn delete_many(api: &Api, request: Request<DeleteObjectsInput>) -> Answer<DeleteObjectsOutput> {
    let call = call_of(&request.extensions)?;
    let DeleteObjectsInput { bucket, delete, .. } = request.input;
    if delete.objects.is_empty() || delete.objects.len() > 1000 {
        let text = "The XML you provided was not well-formed or did not validate against our published schema";
        return Err(call.fail(ApiError::new("MalformedXML", 400, text)));
    }
    let quiet = delete.quiet == Some(true);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for object in delete.objects {
        match delete_one(api, &call, &bucket, &object).await {
            Ok(()) if quiet => {}
            Ok(()) => deleted.push(DeletedObject { key: Some(object.key), ..Default::default() }),
            Err(error) => {
                let told = call.fail(error);
                errors.push(Error {
                    code: Some(told.code().as_str().to_owned()),
                    key: Some(object.key),
                    message: told.message().map(str::to_owned),
                    version_id: None,
                });
            }
        }
    }
    let some = |errors: Vec<Error>| (!errors.is_empty()).then_some(errors);
    Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted), errors: some(errors), request_charged: None }))
}
