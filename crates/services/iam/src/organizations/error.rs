//! Organizations' own errors, by the names of its model, with the `Reason` where AWS gives one. All are 400.

use stoa_kernel::ApiError;
use stoa_schema::Value;

fn with_reason(code: &'static str, reason: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(code, 400, message).with_field("Reason", Value::String(reason.to_owned()))
}

/// `ConstraintViolationException` with its reason.
pub(super) fn constraint(reason: &'static str, message: impl Into<String>) -> ApiError {
    with_reason("ConstraintViolationException", reason, message)
}

/// `InvalidInputException` with its reason.
pub(super) fn invalid(reason: &'static str, message: impl Into<String>) -> ApiError {
    with_reason("InvalidInputException", reason, message)
}

/// Any other modelled error.
pub(super) fn refused(code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(code, 400, message)
}

/// `AccountNotFoundException`.
pub(super) fn no_such_account() -> ApiError {
    refused("AccountNotFoundException", "You specified an account that doesn't exist.")
}

/// `OrganizationalUnitNotFoundException`.
pub(super) fn no_such_unit() -> ApiError {
    refused("OrganizationalUnitNotFoundException", "You specified an organizational unit that doesn't exist.")
}

/// `ParentNotFoundException`.
pub(super) fn no_such_parent() -> ApiError {
    refused("ParentNotFoundException", "You specified parent that doesn't exist.")
}

/// `PolicyNotFoundException`.
pub(super) fn no_such_policy() -> ApiError {
    refused("PolicyNotFoundException", "You specified a policy that doesn't exist.")
}

/// `TargetNotFoundException`.
pub(super) fn no_such_target() -> ApiError {
    refused("TargetNotFoundException", "You specified a target that doesn't exist.")
}

/// `PolicyTypeNotEnabledException`.
pub(super) fn type_not_enabled() -> ApiError {
    refused("PolicyTypeNotEnabledException", "This operation can be performed only for enabled policy types.")
}

/// `PolicyTypeNotAvailableForOrganizationException`: a type that AWS has and Stoa has not.
pub(super) fn type_not_available(name: &str) -> ApiError {
    refused(
        "PolicyTypeNotAvailableForOrganizationException",
        format!(
            "policies of type {name} are not available: Stoa has SERVICE_CONTROL_POLICY and RESOURCE_CONTROL_POLICY"
        ),
    )
}

/// `ConcurrentModificationException`: others change the same things without end.
pub(super) fn busy() -> ApiError {
    refused(
        "ConcurrentModificationException",
        "The target of the operation is currently being modified by a different request. Try again later.",
    )
}
