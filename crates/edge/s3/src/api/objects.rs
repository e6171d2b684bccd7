//! Writing, copying and removing objects.

use futures_util::StreamExt;
use s3s::S3Response;
use s3s::dto::*;
use stoa_kernel::ports::{BodyStream, Deletion, ObjectRead, ObjectRecord, ObjectTags, WriteCondition, WriteObject};
use stoa_kernel::{ApiError, Permit, Target};

use super::convert::{
    asked_algorithm, attributes, body_checks, check_write, checksum_headers, etag, expiration, put_checksum, time,
    write_condition,
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
        by_form: call.by_form,
    };
    let body = incoming(input.body.take());
    let record = api.0.backend.put_object(&call.cx, call.permit()?, write, body).await.map_err(fail)?;
    let headers = checksum_headers(record.checksum.as_ref());
    let mut output = PutObjectOutput {
        e_tag: Some(etag(&record.entry.etag)),
        expiration: expiration(&record),
        version_id: record.version.clone(),
        ..Default::default()
    };
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
    let (bucket, key, version) = copy_source(source)?;
    let owner = api.0.backend.bucket(bucket).await?.ok_or_else(no_such_bucket)?.owner;
    let keys = call.keyed(Target::new("s3:GetObject", ""), Some(&owner)).keys;
    let read = ObjectRead { bucket, key, version, keys };
    api.0.backend.may_get(&call.cx, &call.cx.principal, &read).await?;
    if expected_owner.is_some_and(|expected| expected != owner.as_str()) {
        return Err(ApiError::access_denied("Access Denied: the source bucket is not owned by the expected account"));
    }
    let record = find(api, call, (bucket, key), version).await.map_err(|error| match error.code() {
        // A delete marker has nothing to copy.
        "MethodNotAllowed" => ApiError::new(
            "InvalidRequest",
            400,
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        ),
        _ => error,
    })?;
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
        tags_may_go_along(api, &call, &input.copy_source, (&input.bucket, &input.key), &record.attributes.tags)
            .await
            .map_err(fail)?;
    }
    let from = copy_source(&input.copy_source).map_err(fail)?;
    let same = from == (input.bucket.as_str(), input.key.as_str(), None);
    let source_version = record.version.clone();
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
    let mut output = CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: source_version,
        expiration: expiration(&copied),
        version_id: copied.version,
        ..Default::default()
    };
    show_encryption!(output, &copied.entry.sealed);
    Ok(S3Response::new(output))
}

/// A copy that takes the source's tags along reads them there and writes them here.
async fn tags_may_go_along(
    api: &Api,
    call: &Call,
    from: &CopySource,
    (bucket, key): (&str, &str),
    tags: &ObjectTags,
) -> Result<(), ApiError> {
    let (source_bucket, source_key, version) = copy_source(from)?;
    let action = if version.is_some() { "s3:GetObjectVersionTagging" } else { "s3:GetObjectTagging" };
    let read = on_version(Target::new(action, object_arn(&call.cx, source_bucket, source_key)), version);
    let write = Target::new("s3:PutObjectTagging", object_arn(&call.cx, bucket, key));
    let owner = api.0.backend.bucket(source_bucket).await?.map(|found| found.owner);
    let read = existing_tag_keys(call.keyed(read, owner.as_ref()), tags);
    let write = request_tag_keys(call.keyed(write, call.owner.get()), tags);
    call.cx.authorize(&read).await?;
    call.cx.authorize(&write).await
}

/// Adds the key that tells the version a request names.
pub(super) fn on_version(target: Target, version: Option<&str>) -> Target {
    match version {
        Some(version) => target.with_key("s3:VersionId", version),
        None => target,
    }
}

async fn remove(
    api: &Api,
    call: &Call,
    permit: &Permit,
    (bucket, key): (&str, &str),
    version: Option<&str>,
    condition: &WriteCondition,
) -> Result<Deletion, ApiError> {
    let backend = &api.0.backend;
    match version {
        Some(version) => backend.delete_version(&call.cx, permit, (bucket, key), version, condition).await,
        None => backend.delete_object(&call.cx, permit, bucket, key, condition).await,
    }
}

pub(super) async fn delete(api: &Api, request: Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
    let call = call_of(&request.extensions)?;
    let fail = |error| call.fail(error);
    let input = request.input;
    let condition = write_condition(input.if_match.as_ref(), None).map_err(fail)?;
    let (name, version) = ((input.bucket.as_str(), input.key.as_str()), input.version_id.as_deref());
    let deletion = remove(api, &call, call.permit()?, name, version, &condition).await.map_err(fail)?;
    Ok(S3Response::new(DeleteObjectOutput {
        delete_marker: deletion.marker.then_some(true),
        version_id: deletion.version,
        request_charged: None,
    }))
}

async fn delete_one(api: &Api, call: &Call, bucket: &str, object: &ObjectIdentifier) -> Result<Deletion, ApiError> {
    let version = object.version_id.as_deref();
    let action = if version.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
    let target = on_version(Target::new(action, object_arn(&call.cx, bucket, &object.key)), version);
    let etag = object.e_tag.as_ref().map(|etag| etag.value().to_owned());
    let mut target = call.keyed(target, call.owner.get());
    if let Some(etag) = &etag {
        target = target.with_key("s3:if-match", etag.as_str());
    }
    let permit = call.cx.decide(&[target]).await?;
    let condition = WriteCondition { absent: false, etag };
    remove(api, call, &permit, (bucket, &object.key), version, &condition).await
}

fn deleted(object: ObjectIdentifier, deletion: Deletion) -> DeletedObject {
    DeletedObject {
        delete_marker: deletion.marker.then_some(true),
        delete_marker_version_id: deletion.version.filter(|_| deletion.marker),
        key: Some(object.key),
        version_id: object.version_id,
    }
}

/// Each key is decided, removed and answered by itself.
pub(super) async fn delete_many(api: &Api, request: Request<DeleteObjectsInput>) -> Answer<DeleteObjectsOutput> {
    let call = call_of(&request.extensions)?;
    if !crate::payload::has_digest(&request.headers) {
        let text = "Missing required header for this request: Content-MD5";
        return Err(call.fail(ApiError::new("InvalidRequest", 400, text)));
    }
    let DeleteObjectsInput { bucket, delete, .. } = request.input;
    if delete.objects.is_empty() || delete.objects.len() > 1000 {
        let text = "The XML you provided was not well-formed or did not validate against our published schema";
        return Err(call.fail(ApiError::new("MalformedXML", 400, text)));
    }
    let quiet = delete.quiet == Some(true);
    let (mut gone, mut errors) = (Vec::new(), Vec::new());
    for object in delete.objects {
        match delete_one(api, &call, &bucket, &object).await {
            Ok(_) if quiet => {}
            Ok(deletion) => gone.push(deleted(object, deletion)),
            Err(error) => {
                let told = call.fail(error);
                errors.push(Error {
                    code: Some(told.code().as_str().to_owned()),
                    key: Some(object.key),
                    message: told.message().map(str::to_owned),
                    version_id: object.version_id,
                });
            }
        }
    }
    let some = |errors: Vec<Error>| (!errors.is_empty()).then_some(errors);
    Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(gone), errors: some(errors), request_charged: None }))
}
