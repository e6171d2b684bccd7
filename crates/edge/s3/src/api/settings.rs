//! The policy of a bucket, its public access block, and what there is instead of ACLs.

use s3s::S3Response;
use s3s::dto::*;
use stoa_kernel::ApiError;
use stoa_kernel::ports::{PublicAccessBlock, SettingChange};
use stoa_types::AccountId;

use super::{Answer, Api, Request};
use crate::access::no_such_bucket;
use crate::call::{Call, call_of};

pub(super) async fn change(api: &Api, call: &Call, bucket: &str, change: SettingChange) -> s3s::S3Result<()> {
    let changed = api.0.backend.change_setting(&call.cx, call.permit()?, bucket, change).await;
    changed.map_err(|error| call.fail(error))
}

fn no_such_policy() -> ApiError {
    ApiError::new("NoSuchBucketPolicy", 404, "The bucket policy does not exist")
}

pub(super) async fn policy(api: &Api, request: Request<GetBucketPolicyInput>) -> Answer<GetBucketPolicyOutput> {
    let call = call_of(&request.extensions)?;
    let settings = api.0.backend.bucket_settings(&request.input.bucket).await.map_err(|error| call.fail(error))?;
    let policy = settings.policy.ok_or_else(|| call.fail(no_such_policy()))?;
    Ok(S3Response::new(GetBucketPolicyOutput { policy: Some(policy) }))
}

pub(super) async fn put_policy(api: &Api, request: Request<PutBucketPolicyInput>) -> Answer<PutBucketPolicyOutput> {
    let call = call_of(&request.extensions)?;
    let input = request.input;
    change(api, &call, &input.bucket, SettingChange::Policy(Some(input.policy))).await?;
    Ok(S3Response::new(PutBucketPolicyOutput {}))
}

pub(super) async fn delete_policy(
    api: &Api,
    request: Request<DeleteBucketPolicyInput>,
) -> Answer<DeleteBucketPolicyOutput> {
    let call = call_of(&request.extensions)?;
    change(api, &call, &request.input.bucket, SettingChange::Policy(None)).await?;
    Ok(S3Response::new(DeleteBucketPolicyOutput {}))
}

pub(super) async fn policy_status(
    api: &Api,
    request: Request<GetBucketPolicyStatusInput>,
) -> Answer<GetBucketPolicyStatusOutput> {
    let call = call_of(&request.extensions)?;
    let settings = api.0.backend.bucket_settings(&request.input.bucket).await.map_err(|error| call.fail(error))?;
    if settings.policy.is_none() {
        return Err(call.fail(no_such_policy()));
    }
    let policy_status = Some(PolicyStatus { is_public: Some(settings.public) });
    Ok(S3Response::new(GetBucketPolicyStatusOutput { policy_status }))
}

pub(super) async fn public_access(
    api: &Api,
    request: Request<GetPublicAccessBlockInput>,
) -> Answer<GetPublicAccessBlockOutput> {
    let call = call_of(&request.extensions)?;
    let settings = api.0.backend.bucket_settings(&request.input.bucket).await.map_err(|error| call.fail(error))?;
    let Some(block) = settings.public_access_block else {
        let text = "The public access block configuration was not found";
        return Err(call.fail(ApiError::new("NoSuchPublicAccessBlockConfiguration", 404, text)));
    };
    let configuration = PublicAccessBlockConfiguration {
        block_public_acls: Some(block.block_public_acls),
        block_public_policy: Some(block.block_public_policy),
        ignore_public_acls: Some(block.ignore_public_acls),
        restrict_public_buckets: Some(block.restrict_public_buckets),
    };
    Ok(S3Response::new(GetPublicAccessBlockOutput { public_access_block_configuration: Some(configuration) }))
}

pub(super) async fn put_public_access(
    api: &Api,
    request: Request<PutPublicAccessBlockInput>,
) -> Answer<PutPublicAccessBlockOutput> {
    let call = call_of(&request.extensions)?;
    let input = request.input;
    let given = input.public_access_block_configuration;
    let block = PublicAccessBlock {
        block_public_acls: given.block_public_acls.unwrap_or(false),
        ignore_public_acls: given.ignore_public_acls.unwrap_or(false),
        block_public_policy: given.block_public_policy.unwrap_or(false),
        restrict_public_buckets: given.restrict_public_buckets.unwrap_or(false),
    };
    change(api, &call, &input.bucket, SettingChange::PublicAccessBlock(Some(block))).await?;
    Ok(S3Response::new(PutPublicAccessBlockOutput {}))
}

pub(super) async fn delete_public_access(
    api: &Api,
    request: Request<DeletePublicAccessBlockInput>,
) -> Answer<DeletePublicAccessBlockOutput> {
    let call = call_of(&request.extensions)?;
    change(api, &call, &request.input.bucket, SettingChange::PublicAccessBlock(None)).await?;
    Ok(S3Response::new(DeletePublicAccessBlockOutput {}))
}

/// Every bucket is `BucketOwnerEnforced`, whether it says so or not: there are no ACLs.
pub(super) async fn ownership(
    api: &Api,
    request: Request<GetBucketOwnershipControlsInput>,
) -> Answer<GetBucketOwnershipControlsOutput> {
    let call = call_of(&request.extensions)?;
    let settings = api.0.backend.bucket_settings(&request.input.bucket).await.map_err(|error| call.fail(error))?;
    if settings.ownership_deleted {
        let text = "The bucket ownership controls were not found";
        return Err(call.fail(ApiError::new("OwnershipControlsNotFoundError", 404, text)));
    }
    let object_ownership = ObjectOwnership::from_static(ObjectOwnership::BUCKET_OWNER_ENFORCED);
    let controls = OwnershipControls { rules: vec![OwnershipControlsRule { object_ownership }] };
    Ok(S3Response::new(GetBucketOwnershipControlsOutput { ownership_controls: Some(controls) }))
}

pub(super) async fn put_ownership(
    api: &Api,
    request: Request<PutBucketOwnershipControlsInput>,
) -> Answer<PutBucketOwnershipControlsOutput> {
    let call = call_of(&request.extensions)?;
    let rules = &request.input.ownership_controls.rules;
    let [OwnershipControlsRule { object_ownership }] = rules.as_slice() else {
        let text = "The XML you provided was not well-formed or did not validate against our published schema";
        return Err(call.fail(ApiError::new("MalformedXML", 400, text)));
    };
    if object_ownership.as_str() != ObjectOwnership::BUCKET_OWNER_ENFORCED {
        let text = format!(
            "the object ownership {} implies ACLs, which are not implemented by Stoa: every bucket is BucketOwnerEnforced",
            object_ownership.as_str()
        );
        return Err(call.fail(ApiError::new("NotImplemented", 501, text)));
    }
    change(api, &call, &request.input.bucket, SettingChange::Ownership(true)).await?;
    Ok(S3Response::new(PutBucketOwnershipControlsOutput {}))
}

/// AWS's buckets without controls have ACLs; here they have none either way.
pub(super) async fn delete_ownership(
    api: &Api,
    request: Request<DeleteBucketOwnershipControlsInput>,
) -> Answer<DeleteBucketOwnershipControlsOutput> {
    let call = call_of(&request.extensions)?;
    change(api, &call, &request.input.bucket, SettingChange::Ownership(false)).await?;
    Ok(S3Response::new(DeleteBucketOwnershipControlsOutput {}))
}

/// The one grant that there is without ACLs: the owner has full control.
fn owners_grant(account: &AccountId) -> Grant {
    let grantee = Grantee {
        display_name: None,
        email_address: None,
        id: Some(account.to_string()),
        type_: Type::from_static(Type::CANONICAL_USER),
        uri: None,
    };
    Grant { grantee: Some(grantee), permission: Some(Permission::from_static(Permission::FULL_CONTROL)) }
}

pub(super) async fn bucket_acl(api: &Api, request: Request<GetBucketAclInput>) -> Answer<GetBucketAclOutput> {
    let call = call_of(&request.extensions)?;
    let found = api.0.backend.bucket(&request.input.bucket).await.map_err(|error| call.fail(error))?;
    let record = found.ok_or_else(|| call.fail(no_such_bucket()))?;
    Ok(S3Response::new(GetBucketAclOutput {
        grants: Some(vec![owners_grant(&record.owner)]),
        owner: Some(super::convert::owner(&record.owner)),
    }))
}

pub(super) async fn object_acl(api: &Api, request: Request<GetObjectAclInput>) -> Answer<GetObjectAclOutput> {
    let call = call_of(&request.extensions)?;
    let input = request.input;
    let (name, version) = ((input.bucket.as_str(), input.key.as_str()), input.version_id.as_deref());
    super::read::find(api, &call, name, version).await.map_err(|error| call.fail(error))?;
    let owner = call.owner.get().ok_or_else(|| call.fail(no_such_bucket()))?;
    Ok(S3Response::new(GetObjectAclOutput {
        grants: Some(vec![owners_grant(owner)]),
        owner: Some(super::convert::owner(owner)),
        request_charged: None,
    }))
}
