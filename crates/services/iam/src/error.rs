//! IAM's own errors, by the names of its model. The gateway gives them their codes on the wire (`NoSuchEntity`).

use stoa_kernel::ApiError;
use stoa_store::StoreError;

/// `NoSuchEntity`, 404.
pub(crate) fn no_such_entity(message: impl Into<String>) -> ApiError {
    ApiError::new("NoSuchEntityException", 404, message)
}

/// `NoSuchEntity` for a role.
pub(crate) fn no_such_role(name: &str) -> ApiError {
    no_such_entity(format!("The role with name {name} cannot be found."))
}

/// `NoSuchEntity` for a managed policy.
pub(crate) fn no_such_policy(arn: &str) -> ApiError {
    no_such_entity(format!("Policy {arn} was not found."))
}

/// `EntityAlreadyExists`, 409.
pub(crate) fn already_exists(message: impl Into<String>) -> ApiError {
    ApiError::new("EntityAlreadyExistsException", 409, message)
}

/// `DeleteConflict`, 409.
pub(crate) fn delete_conflict(message: impl Into<String>) -> ApiError {
    ApiError::new("DeleteConflictException", 409, message)
}

/// `LimitExceeded`, 409.
pub(crate) fn limit_exceeded(message: impl Into<String>) -> ApiError {
    ApiError::new("LimitExceededException", 409, message)
}

/// `MalformedPolicyDocument`, 400.
pub(crate) fn malformed_policy(message: impl Into<String>) -> ApiError {
    ApiError::new("MalformedPolicyDocumentException", 400, message)
}

/// `InvalidInput`, 400.
pub(crate) fn invalid_input(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidInputException", 400, message)
}

/// `UnmodifiableEntity`, 400.
pub(crate) fn unmodifiable(message: impl Into<String>) -> ApiError {
    ApiError::new("UnmodifiableEntityException", 400, message)
}

/// A failed store, as the caller sees it. Conflicts that a handler does not give a meaning are retried by clients.
pub(crate) fn store_failed(cause: StoreError) -> ApiError {
    match cause {
        StoreError::Conflict { .. } => ApiError::new(
            "ConcurrentModificationException",
            409,
            "The request was rejected because multiple requests to change this object were submitted simultaneously.",
        ),
        StoreError::Backend { .. } => ApiError::unavailable("the store is not available").with_cause(cause),
        _ => ApiError::internal(cause),
    }
}
