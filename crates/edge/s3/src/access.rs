//! Where s3s asks for access: the operation is known, nothing of the body has been read.
//!
//! Order: authentication's verdict, the bucket, the decision, the expected owner, the begin record. A mutating call
//! that cannot be recorded is refused.

use http::header::CONTENT_LENGTH;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, S3ErrorCode, S3Result};
use stoa_audit::Phase;
use stoa_kernel::{ApiError, PrincipalIdentity};

use crate::audit;
use crate::call::{Call, call_of};
use crate::operations::{Asked, Operation, targets, unserved_subresource, version_id};
use crate::service::SharedInner;

const LARGEST_DOCUMENT: u64 = 20 << 20;

/// s3s has access checked only where it has an authentication; ours is done before, so this one knows nobody.
pub(crate) struct NoSecrets;

#[async_trait::async_trait]
impl S3Auth for NoSecrets {
    async fn get_secret_key(&self, _: &str) -> S3Result<SecretKey> {
        Err(S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied"))
    }
}

/// Keys of the customer's own (SSE-C) are turned off, as AWS has it for new buckets, so no object is under one.
fn customer_keys(operation: &Operation, headers: &http::HeaderMap) -> Result<(), ApiError> {
    const WRITE: &str = "x-amz-server-side-encryption-customer-";
    const SOURCE: &str = "x-amz-copy-source-server-side-encryption-customer-";
    let given = |start: &str| headers.keys().any(|name| name.as_str().starts_with(start));
    if !operation.moves_bytes() || !(given(WRITE) || given(SOURCE)) {
        return Ok(());
    }
    if operation.mutates && given(WRITE) {
        let text = "Access Denied: server-side encryption with customer-provided keys (SSE-C) is blocked for all buckets; \
                    use AES256 or aws:kms";
        return Err(ApiError::access_denied(text));
    }
    Err(ApiError::new("InvalidRequest", 400, "The encryption parameters are not applicable to this object."))
}

/// Decides every call.
pub(crate) struct Access(pub SharedInner);

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let call = call_of(context.extensions_mut())?;
        let result = self.admit(&call, context).await;
        result.map_err(|error| call.fail(error))
    }
}

pub(crate) fn no_such_bucket() -> ApiError {
    ApiError::new("NoSuchBucket", 404, "The specified bucket does not exist")
}

/// Documents are read into memory; s3s stops at the same size, but then it knows only that reading failed.
fn document_fits(context: &S3AccessContext<'_>) -> Result<(), ApiError> {
    let length = context.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match length.and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if length > LARGEST_DOCUMENT => {
            Err(ApiError::new("MaxMessageLengthExceeded", 400, "Your request was too big."))
        }
        _ => Ok(()),
    }
}

impl Access {
    async fn admit(&self, call: &Call, context: &S3AccessContext<'_>) -> Result<(), ApiError> {
        let name = context.s3_op().name();
        let operation = Operation::named(name).unwrap_or_else(|| Operation::not_served(name));
        // Set once: a request comes here once.
        let _ = call.operation.set(operation.clone());
        let path = context.s3_path();
        if let Some(bucket) = path.get_bucket_name() {
            let _ = call.bucket.set(bucket.to_owned());
        }
        if let Some(key) = path.get_object_key() {
            let _ = call.key.set(key.to_owned());
        }
        if let Some(failure) = call.failure.lock().take() {
            return Err(failure);
        }
        if let Some(refusal) = unserved_subresource(context.uri().query()).filter(|_| operation.is_plain()) {
            return Err(refusal);
        }
        if operation.takes_document() {
            document_fits(context)?;
        }
        if let Some(bucket) = path.get_bucket_name().filter(|_| operation.needs_bucket()) {
            let record = self.0.backend.bucket(bucket).await?.ok_or_else(no_such_bucket)?;
            let _ = call.owner.set(record.owner);
        }
        let existing_tags = match (operation.looks_at_tags(), path.as_object()) {
            (true, Some(name)) => {
                let version = version_id(context.uri())?;
                self.0.backend.object_tags(name, version.as_deref()).await?
            }
            _ => None,
        };
        // A listing of buckets is of the caller's own.
        let owner = if operation.needs_bucket() { call.owner.get() } else { Some(&call.cx.principal.account) };
        let asked = Asked {
            cx: &call.cx,
            signed: &call.signed,
            path,
            uri: context.uri(),
            headers: context.headers(),
            owner,
            existing_tags: existing_tags.as_ref(),
        };
        let permit = if operation.is_of_policy() && self.is_owner_root(call) {
            call.cx.decide_nothing("the root user of a bucket's account can always see to the bucket's policy")
        } else {
            call.cx.decide(&targets(&operation, &asked)?).await?
        };
        if let (Some(bucket), Some(owner)) = (path.get_bucket_name(), call.owner.get()) {
            self.0.backend.may_enter(&call.cx.principal, bucket, owner).await?;
        }
        self.expected_owner(call, context)?;
        customer_keys(&operation, context.headers())?;
        let _ = call.permit.set(permit);
        if operation.mutates && self.0.records(Some(&operation)) {
            self.0.append(audit::line(call, Phase::Begin, None)).await?;
            call.mark_begun();
        }
        Ok(())
    }

    fn is_owner_root(&self, call: &Call) -> bool {
        let principal = &call.cx.principal;
        principal.identity == PrincipalIdentity::Root && call.owner.get() == Some(&principal.account)
    }

    fn expected_owner(&self, call: &Call, context: &S3AccessContext<'_>) -> Result<(), ApiError> {
        let Some(expected) = context.headers().get("x-amz-expected-bucket-owner") else { return Ok(()) };
        match call.owner.get() {
            Some(owner) if expected.as_bytes() != owner.as_str().as_bytes() => {
                Err(ApiError::access_denied("Access Denied: the bucket is not owned by the expected account"))
            }
            _ => Ok(()),
        }
    }
}
