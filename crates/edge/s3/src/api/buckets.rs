//! Buckets.

use s3s::S3Response;
use s3s::dto::*;
use stoa_kernel::ApiError;
use stoa_types::Region;

use super::convert::{owner, time};
use super::{Answer, Api, Request};
use crate::access::no_such_bucket;
use crate::call::call_of;
use crate::operations::creation;

const OLDEST: &str = "us-east-1";

pub(super) async fn list(api: &Api, request: Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
    let call = call_of(&request.extensions)?;
    let ListBucketsInput { max_buckets, prefix, continuation_token, bucket_region } = request.input;
    let account = &call.cx.principal.account;
    let limit = max_buckets.and_then(|most| usize::try_from(most).ok()).unwrap_or(10_000).clamp(1, 10_000);
    let after =
        continuation_token.as_deref().map(super::listing::open_token).transpose().map_err(|error| call.fail(error))?;
    let found = api.0.backend.buckets(account, prefix.as_deref().unwrap_or(""), after.as_deref(), limit + 1).await;
    let mut found = found.map_err(|error| call.fail(error))?;
    let more = found.len() > limit;
    found.truncate(limit);
    let token = found.last().filter(|_| more).map(|last| super::listing::seal_token(&last.name));
    let here = |region: &Option<Region>| {
        bucket_region.as_ref().is_none_or(|wanted| region.as_ref().is_some_and(|region| region.as_str() == wanted))
    };
    let paged = max_buckets.is_some() || continuation_token.is_some();
    let bucket = |record: stoa_kernel::ports::BucketRecord| Bucket {
        bucket_region: record.region.filter(|_| paged).map(|region| region.to_string()),
        creation_date: Some(time(record.created)),
        name: Some(record.name),
    };
    let buckets = found.into_iter().filter(|record| here(&record.region)).map(bucket).collect();
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(buckets),
        continuation_token: token,
        owner: Some(owner(account)),
        prefix,
    }))
}

/// Where a bucket is to be made, by AWS's rules for endpoint and constraint.
fn region_for(endpoint: &Region, constraint: Option<&str>) -> Result<Region, ApiError> {
    let illegal = |text: String| ApiError::new("IllegalLocationConstraintException", 400, text);
    let wanted = match constraint.filter(|constraint| !constraint.is_empty()) {
        Some("EU") => Some("eu-west-1"),
        other => other,
    };
    match wanted {
        None if endpoint.as_str() == OLDEST => Ok(endpoint.clone()),
        None => {
            let text = "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.";
            Err(illegal(text.to_owned()))
        }
        Some(OLDEST) => {
            Err(ApiError::new("InvalidLocationConstraint", 400, "The specified location-constraint is not valid"))
        }
        Some(wanted) if wanted == endpoint.as_str() || endpoint.as_str() == OLDEST => wanted.parse().map_err(|_| {
            ApiError::new("InvalidLocationConstraint", 400, "The specified location-constraint is not valid")
        }),
        Some(wanted) => Err(illegal(format!(
            "The {wanted} location constraint is incompatible for the region specific endpoint this request was sent to."
        ))),
    }
}

pub(super) async fn create(api: &Api, request: Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
    let call = call_of(&request.extensions)?;
    let input = request.input;
    let fail = |error| call.fail(error);
    let configuration = input.create_bucket_configuration.unwrap_or_default();
    let constraint = configuration.location_constraint;
    let place = constraint.as_ref().map(|constraint| constraint.as_str());
    let target = creation(&call.cx, &call.signed, &request.headers, &input.bucket, place);
    let permit = call.cx.decide(&[target]).await.map_err(fail)?;
    if input.object_lock_enabled_for_bucket == Some(true) {
        return Err(fail(ApiError::new("NotImplemented", 501, "object lock is not implemented by Stoa")));
    }
    if input.acl.as_ref().is_some_and(|acl| acl.as_str() != "private") {
        return Err(fail(ApiError::new(
            "InvalidBucketAclWithObjectOwnership",
            400,
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        )));
    }
    if configuration.bucket.is_some() || configuration.location.is_some() {
        return Err(fail(ApiError::new("NotImplemented", 501, "directory buckets are not implemented by Stoa")));
    }
    let region = region_for(&call.cx.region, place).map_err(fail)?;
    let region = api.0.settings.region(region.as_str()).ok_or_else(|| {
        fail(ApiError::new("InvalidLocationConstraint", 400, "The specified location-constraint is not served here"))
    })?;
    api.0.backend.create_bucket(&call.cx, &permit, &input.bucket, &region).await.map_err(fail)?;
    Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{}", input.bucket)) }))
}

pub(super) async fn delete(api: &Api, request: Request<DeleteBucketInput>) -> Answer<DeleteBucketOutput> {
    let call = call_of(&request.extensions)?;
    let deleted = api.0.backend.delete_bucket(&call.cx, call.permit()?, &request.input.bucket).await;
    deleted.map_err(|error| call.fail(error))?;
    Ok(S3Response::new(DeleteBucketOutput {}))
}

/// The region of a bucket; that of the call for derived ones, which are in each.
async fn region_of(api: &Api, call: &crate::call::Call, bucket: &str) -> s3s::S3Result<Region> {
    let found = api.0.backend.bucket(bucket).await.map_err(|error| call.fail(error))?;
    let record = found.ok_or_else(|| call.fail(no_such_bucket()))?;
    Ok(record.region.unwrap_or_else(|| call.cx.region.clone()))
}

pub(super) async fn head(api: &Api, request: Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
    let call = call_of(&request.extensions)?;
    let region = region_of(api, &call, &request.input.bucket).await?;
    Ok(S3Response::new(HeadBucketOutput { bucket_region: Some(region.to_string()), ..Default::default() }))
}

pub(super) async fn location(api: &Api, request: Request<GetBucketLocationInput>) -> Answer<GetBucketLocationOutput> {
    let call = call_of(&request.extensions)?;
    let region = region_of(api, &call, &request.input.bucket).await?;
    let constraint = (region.as_str() != OLDEST).then(|| BucketLocationConstraint::from(region.to_string()));
    Ok(S3Response::new(GetBucketLocationOutput { location_constraint: constraint }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_buckets_are_made() {
        let made = |endpoint: &str, constraint| {
            let found = region_for(&endpoint.parse().unwrap(), constraint);
            found.map(|region| region.to_string()).map_err(|error| error.code().to_owned())
        };
        assert_eq!(made("us-east-1", None).unwrap(), "us-east-1");
        assert_eq!(made("us-east-1", Some("us-west-2")).unwrap(), "us-west-2");
        assert_eq!(made("us-west-2", Some("us-west-2")).unwrap(), "us-west-2");
        assert_eq!(made("eu-west-1", Some("EU")).unwrap(), "eu-west-1");
        assert_eq!(made("us-west-2", None).unwrap_err(), "IllegalLocationConstraintException");
        assert_eq!(made("us-west-2", Some("eu-west-1")).unwrap_err(), "IllegalLocationConstraintException");
        assert_eq!(made("us-east-1", Some("us-east-1")).unwrap_err(), "InvalidLocationConstraint");
        assert_eq!(made("us-east-1", Some("nowhere")).unwrap_err(), "InvalidLocationConstraint");
    }
}
