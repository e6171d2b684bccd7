//! KMS's own errors, in AWS's words. All are 400 but the internal ones.

use stoa_kernel::ApiError;
use stoa_store::StoreError;

use crate::crypto::CryptoError;

/// An error of the model, 400.
pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(code, 400, message)
}

/// `NotFoundException`.
pub(crate) fn not_found(message: impl Into<String>) -> ApiError {
    refused("NotFoundException", message)
}

/// `NotFoundException` for a key.
pub(crate) fn not_found_key(name: &str) -> ApiError {
    not_found(format!("Key '{name}' does not exist"))
}

/// `NotFoundException` for an alias.
pub(crate) fn not_found_alias(arn: &str) -> ApiError {
    not_found(format!("Alias {arn} is not found."))
}

/// `UnsupportedOperationException`: what AWS or Stoa does not do with such a key.
pub(crate) fn unsupported(message: impl Into<String>) -> ApiError {
    refused("UnsupportedOperationException", message)
}

/// `UnsupportedOperationException` for what AWS has and Stoa has not.
pub(crate) fn not_here(what: &str) -> ApiError {
    unsupported(format!("{what} is not supported by Stoa."))
}

/// `KMSInvalidStateException`.
pub(crate) fn invalid_state(message: impl Into<String>) -> ApiError {
    refused("KMSInvalidStateException", message)
}

/// `InvalidKeyUsageException` for a key of another purpose.
pub(crate) fn invalid_usage(arn: &str, usage: &str, operation: &str) -> ApiError {
    refused("InvalidKeyUsageException", format!("{arn} key usage is {usage} which is not valid for {operation}."))
}

/// `InvalidKeyUsageException` for an algorithm of another kind of key.
pub(crate) fn invalid_algorithm(algorithm: &str, spec: &str) -> ApiError {
    refused("InvalidKeyUsageException", format!("Algorithm {algorithm} is incompatible with key spec {spec}."))
}

/// `InvalidCiphertextException`, to which AWS adds no words.
pub(crate) fn invalid_ciphertext() -> ApiError {
    refused("InvalidCiphertextException", "")
}

/// `DryRunOperationException`: all was well.
pub(crate) fn dry_run() -> ApiError {
    refused("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
}

/// `InvalidMarkerException`.
pub(crate) fn invalid_marker() -> ApiError {
    refused("InvalidMarkerException", "The marker is not valid.")
}

/// `LimitExceededException`.
pub(crate) fn limit_exceeded(message: impl Into<String>) -> ApiError {
    refused("LimitExceededException", message)
}

/// Too many changes at once; clients try again.
pub(crate) fn too_busy() -> ApiError {
    ApiError::new("KMSInternalException", 500, "The key is being changed by others, try again.")
}

/// A failed store.
pub(crate) fn store_failed(cause: StoreError) -> ApiError {
    match cause {
        StoreError::Conflict { .. } => too_busy().with_cause(cause),
        StoreError::Backend { .. } => ApiError::unavailable("the store is not available").with_cause(cause),
        _ => ApiError::internal(cause),
    }
}

/// Cryptography that failed with our own material.
pub(crate) fn crypto_failed(cause: CryptoError) -> ApiError {
    ApiError::internal(cause)
}
