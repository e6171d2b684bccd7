//! RAM's own errors, in AWS's words. All of the model are 400 but the internal ones.

use stoa_kernel::ApiError;
use stoa_store::StoreError;

/// An error of the model, 400.
pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(code, 400, message)
}

/// `InvalidParameterException`.
pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
    refused("InvalidParameterException", message)
}

/// `InvalidParameterException` for a member that AWS has and Stoa has not.
pub(crate) fn not_here(member: &str) -> ApiError {
    invalid(format!("{member} is not supported by Stoa."))
}

/// `MalformedArnException`.
pub(crate) fn malformed_arn(arn: &str) -> ApiError {
    refused(
        "MalformedArnException",
        format!("The specified resource ARN {arn} is not valid. Verify the ARN and try again."),
    )
}

/// `UnknownResourceException`.
pub(crate) fn unknown(what: &str, name: &str) -> ApiError {
    refused("UnknownResourceException", format!("{what} {name} could not be found."))
}

/// `UnknownResourceException` for a share.
pub(crate) fn unknown_share(arn: &str) -> ApiError {
    unknown("ResourceShare", arn)
}

/// `UnknownResourceException` for a permission.
pub(crate) fn unknown_permission(arn: &str) -> ApiError {
    unknown("Permission", arn)
}

/// `OperationNotPermittedException`.
pub(crate) fn not_permitted(message: impl Into<String>) -> ApiError {
    refused("OperationNotPermittedException", message)
}

/// Too many changes at once; clients try again.
pub(crate) fn too_busy() -> ApiError {
    ApiError::new("ServiceUnavailableException", 503, "The resource is being changed by others, try again.")
}

/// A failed store.
pub(crate) fn store_failed(cause: StoreError) -> ApiError {
    match cause {
        StoreError::Conflict { .. } => too_busy().with_cause(cause),
        StoreError::Backend { .. } => ApiError::unavailable("the store is not available").with_cause(cause),
        _ => ApiError::internal(cause),
    }
}
