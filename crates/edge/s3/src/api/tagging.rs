//! Tags of buckets and objects.

use s3s::S3Response;
use s3s::dto::*;
use stoa_kernel::ports::ObjectTags;
use stoa_kernel::{ApiError, Target};

use super::objects::on_version;
use super::{Answer, Api, Request};
use crate::call::{Call, call_of};
use crate::operations::{bucket_arn, existing_tag_keys, object_arn, request_tag_keys};

fn tag_set(tags: impl IntoIterator<Item = (String, String)>) -> TagSet {
    tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect()
}

fn given(tagging: Tagging) -> Result<ObjectTags, ApiError> {
    let mut tags = ObjectTags::new();
    for tag in tagging.tag_set {
        let (Some(key), Some(value)) = (tag.key, tag.value) else {
            let text = "The XML you provided was not well-formed or did not validate against our published schema";
            return Err(ApiError::new("MalformedXML", 400, text));
        };
        if tags.insert(key, value).is_some() {
            return Err(ApiError::new("InvalidTag", 400, "Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(tags)
}

pub(super) async fn bucket(_api: &Api, request: Request<GetBucketTaggingInput>) -> Answer<GetBucketTaggingOutput> {
    let call = call_of(&request.extensions)?;
    let arn = bucket_arn(&call.cx, &request.input.bucket);
    let tags = call.cx.platform.tags.resource_tags(&arn).await.map_err(|error| call.fail(error))?;
    if tags.is_empty() {
        return Err(call.fail(ApiError::new("NoSuchTagSet", 404, "The TagSet does not exist")));
    }
    Ok(S3Response::new(GetBucketTaggingOutput { tag_set: tag_set(tags) }))
}

async fn set_bucket(api: &Api, call: &Call, bucket: &str, tags: ObjectTags) -> s3s::S3Result<()> {
    let set = api.0.backend.set_bucket_tags(&call.cx, call.permit()?, bucket, tags).await;
    set.map_err(|error| call.fail(error))
}

pub(super) async fn put_bucket(api: &Api, request: Request<PutBucketTaggingInput>) -> Answer<PutBucketTaggingOutput> {
    let call = call_of(&request.extensions)?;
    let tags = given(request.input.tagging).map_err(|error| call.fail(error))?;
    set_bucket(api, &call, &request.input.bucket, tags).await?;
    Ok(S3Response::new(PutBucketTaggingOutput {}))
}

pub(super) async fn delete_bucket(
    api: &Api,
    request: Request<DeleteBucketTaggingInput>,
) -> Answer<DeleteBucketTaggingOutput> {
    let call = call_of(&request.extensions)?;
    set_bucket(api, &call, &request.input.bucket, ObjectTags::new()).await?;
    Ok(S3Response::new(DeleteBucketTaggingOutput {}))
}

pub(super) async fn object(api: &Api, request: Request<GetObjectTaggingInput>) -> Answer<GetObjectTaggingOutput> {
    let call = call_of(&request.extensions)?;
    let input = request.input;
    let (name, version) = ((input.bucket.as_str(), input.key.as_str()), input.version_id.as_deref());
    let record = super::read::find(api, &call, name, version).await.map_err(|error| call.fail(error))?;
    let (tag_set, version_id) = (tag_set(record.attributes.tags), record.version);
    Ok(S3Response::new(GetObjectTaggingOutput { tag_set, version_id }))
}

/// Decided here, since conditions look at the tags in the body.
pub(super) async fn put_object(api: &Api, request: Request<PutObjectTaggingInput>) -> Answer<PutObjectTaggingOutput> {
    let call = call_of(&request.extensions)?;
    let fail = |error| call.fail(error);
    let input = request.input;
    let (name, version) = ((input.bucket.as_str(), input.key.as_str()), input.version_id.as_deref());
    let tags = given(input.tagging).map_err(fail)?;
    let action = if version.is_some() { "s3:PutObjectVersionTagging" } else { "s3:PutObjectTagging" };
    let target = on_version(Target::new(action, object_arn(&call.cx, name.0, name.1)), version);
    let mut target = request_tag_keys(call.keyed(target, call.owner.get()), &tags);
    if let Some(existing) = api.0.backend.object_tags(name, version).await.map_err(fail)? {
        target = existing_tag_keys(target, &existing);
    }
    let permit = call.cx.decide(&[target]).await.map_err(fail)?;
    super::read::find(api, &call, name, version).await.map_err(fail)?;
    let version_id = api.0.backend.set_object_tags(&call.cx, &permit, name, version, tags).await.map_err(fail)?;
    Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
}

pub(super) async fn delete_object(
    api: &Api,
    request: Request<DeleteObjectTaggingInput>,
) -> Answer<DeleteObjectTaggingOutput> {
    let call = call_of(&request.extensions)?;
    let fail = |error| call.fail(error);
    let input = request.input;
    let (name, version) = ((input.bucket.as_str(), input.key.as_str()), input.version_id.as_deref());
    super::read::find(api, &call, name, version).await.map_err(fail)?;
    let none = ObjectTags::new();
    let set = api.0.backend.set_object_tags(&call.cx, call.permit()?, name, version, none).await;
    Ok(S3Response::new(DeleteObjectTaggingOutput { version_id: set.map_err(fail)? }))
}
