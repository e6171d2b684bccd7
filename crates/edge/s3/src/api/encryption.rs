//! Default encryption of a bucket, and what answers say of an object's encryption.

use s3s::S3Response;
use s3s::dto::*;
use stoa_kernel::ApiError;
use stoa_kernel::ports::{BucketEncryption, SettingChange};

use super::convert::malformed_xml;
use super::{Answer, Api, Request};
use crate::call::call_of;

/// Puts into an answer how the object is sealed; nothing where it is not.
macro_rules! show_encryption {
    ($output:expr, $sealed:expr) => {
        if let Some(sealed) = $sealed {
            $output.server_side_encryption = Some(s3s::dto::ServerSideEncryption::from(sealed.method().to_owned()));
            $output.ssekms_key_id = sealed.kms_key_arn.clone();
            $output.bucket_key_enabled = sealed.bucket_key.then_some(true);
        }
    };
}
pub(super) use show_encryption;

pub(super) async fn get(api: &Api, request: Request<GetBucketEncryptionInput>) -> Answer<GetBucketEncryptionOutput> {
    let call = call_of(&request.extensions)?;
    let settings = api.0.backend.bucket_settings(&request.input.bucket).await.map_err(|error| call.fail(error))?;
    let Some(encryption) = settings.encryption else {
        let text = "The server side encryption configuration was not found";
        return Err(call.fail(ApiError::new("ServerSideEncryptionConfigurationNotFoundError", 404, text)));
    };
    let (method, kms_master_key_id, bucket_key) = match encryption {
        BucketEncryption::Aes256 => (ServerSideEncryption::AES256, None, false),
        BucketEncryption::Kms { key, bucket_key } => (ServerSideEncryption::AWS_KMS, key, bucket_key),
    };
    let default =
        ServerSideEncryptionByDefault { kms_master_key_id, sse_algorithm: ServerSideEncryption::from_static(method) };
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(default),
        bucket_key_enabled: Some(bucket_key),
    };
    let configuration = ServerSideEncryptionConfiguration { rules: vec![rule] };
    Ok(S3Response::new(GetBucketEncryptionOutput { server_side_encryption_configuration: Some(configuration) }))
}

fn given(configuration: ServerSideEncryptionConfiguration) -> Result<BucketEncryption, ApiError> {
    let mut rules = configuration.rules.into_iter();
    let (Some(rule), None) = (rules.next(), rules.next()) else { return Err(malformed_xml()) };
    let default = rule.apply_server_side_encryption_by_default.ok_or_else(malformed_xml)?;
    let bucket_key = rule.bucket_key_enabled == Some(true);
    match (default.sse_algorithm.as_str(), default.kms_master_key_id) {
        ("AES256", None) => Ok(BucketEncryption::Aes256),
        ("AES256", Some(_)) => {
            let text = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
            Err(ApiError::new("InvalidArgument", 400, text))
        }
        ("aws:kms", key) => Ok(BucketEncryption::Kms { key, bucket_key }),
        ("aws:kms:dsse", _) => {
            let text = "dual-layer encryption (aws:kms:dsse) is not implemented by Stoa; use aws:kms";
            Err(ApiError::new("NotImplemented", 501, text))
        }
        _ => Err(malformed_xml()),
    }
}

pub(super) async fn put(api: &Api, request: Request<PutBucketEncryptionInput>) -> Answer<PutBucketEncryptionOutput> {
    let call = call_of(&request.extensions)?;
    let input = request.input;
    let encryption = given(input.server_side_encryption_configuration).map_err(|error| call.fail(error))?;
    let change = SettingChange::Encryption(Some(encryption));
    let changed = api.0.backend.change_setting(&call.cx, call.permit()?, &input.bucket, change).await;
    changed.map_err(|error| call.fail(error))?;
    Ok(S3Response::new(PutBucketEncryptionOutput {}))
}

pub(super) async fn delete(
    api: &Api,
    request: Request<DeleteBucketEncryptionInput>,
) -> Answer<DeleteBucketEncryptionOutput> {
    let call = call_of(&request.extensions)?;
    let change = SettingChange::Encryption(None);
    let changed = api.0.backend.change_setting(&call.cx, call.permit()?, &request.input.bucket, change).await;
    changed.map_err(|error| call.fail(error))?;
    Ok(S3Response::new(DeleteBucketEncryptionOutput {}))
}
