//! AWS's own sentences for what is not there or there already, and store failures as the caller sees them.

use stoa_kernel::ApiError;
use stoa_store::{Outcome, StoreError};

/// A store failure as the caller sees it; conflicts that mean something are told apart before this.
pub fn store_error(error: StoreError) -> ApiError {
    match error {
        StoreError::Conflict { .. } => {
            ApiError::new("ConflictException", 409, "the resource was changed at the same time, try again")
                .with_cause(error)
        }
        StoreError::Backend { outcome: Outcome::NotApplied, .. } => {
            ApiError::unavailable("the store is not available, try again").with_cause(error)
        }
        StoreError::Backend { outcome: Outcome::Unknown, .. }
        | StoreError::Corrupt { .. }
        | StoreError::Encoding(_) => ApiError::internal(error),
    }
}

/// AWS's answer to an operation on a model, endpoint or configuration that is not there.
pub fn could_not_find(what: &str, arn: &str) -> ApiError {
    ApiError::validation(format!("Could not find {what} \"{arn}\"."))
}

/// AWS's answer to creating what is there already. The SageMaker SDK looks for "already existing".
pub fn already_existing(what: &str, arn: &str) -> ApiError {
    ApiError::validation(format!("Cannot create already existing {what} \"{arn}\"."))
}
