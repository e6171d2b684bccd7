//! Errors as clients see them, with a private cause that only the log sees.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use serde::Serialize;
use stoa_schema::Value;

/// Why a call was refused by policy: kept for the audit record and `stoa explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The action that was decided.
    pub action: String,
    /// On which resource.
    pub resource: String,
    /// `identity`, `scp`, …
    pub slot: String,
    /// `explicit_deny` or `implicit_deny`.
    pub effect: String,
    /// Policy and statement that denied, where one did.
    pub matched: Option<String>,
    /// For a dependent action: the action of the call that needs it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
}

/// An answer that is an error. The pipeline alone turns it into bytes, in the protocol of the request.
///
/// `code` is the name JSON protocols use (`ValidationException`, `AccessDeniedException`); query protocols' names
/// (`ValidationError`, `AccessDenied`) are derived from it by the gateway.
#[derive(Debug)]
pub struct ApiError {
    code: Cow<'static, str>,
    status: u16,
    message: String,
    fields: Vec<(&'static str, Value)>,
    refusal: Option<Box<Refusal>>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// An error with this code, HTTP status and message.
    pub fn new(code: impl Into<Cow<'static, str>>, status: u16, message: impl Into<String>) -> ApiError {
        ApiError { code: code.into(), status, message: message.into(), fields: Vec::new(), refusal: None, cause: None }
    }
    /// `ValidationException`, 400.
    pub fn validation(message: impl Into<String>) -> ApiError {
        ApiError::new("ValidationException", 400, message)
    }
    /// SageMaker's `ResourceNotFound`, 400.
    pub fn resource_not_found(message: impl Into<String>) -> ApiError {
        ApiError::new("ResourceNotFound", 400, message)
    }
    /// SageMaker's `ResourceInUse`, 400.
    pub fn resource_in_use(message: impl Into<String>) -> ApiError {
        ApiError::new("ResourceInUse", 400, message)
    }
    /// SageMaker's `ResourceLimitExceeded`, 400.
    pub fn resource_limit_exceeded(message: impl Into<String>) -> ApiError {
        ApiError::new("ResourceLimitExceeded", 400, message)
    }
    /// `AccessDeniedException`; 400 for JSON protocols, 403 for the others (the gateway knows).
    pub fn access_denied(message: impl Into<String>) -> ApiError {
        ApiError::new("AccessDeniedException", 400, message)
    }
    /// The operation is known and not built yet.
    pub fn not_implemented(operation: &str) -> ApiError {
        ApiError::new("UnknownOperationException", 400, format!("{operation} is not implemented by Stoa"))
    }
    /// A failure of ours: the caller sees no detail.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> ApiError {
        let mut error = ApiError::new("InternalFailure", 500, "an internal error occurred, see the server's log");
        error.cause = Some(cause.into());
        error
    }
    /// Something we depend on is not there right now; clients retry.
    pub fn unavailable(message: impl Into<String>) -> ApiError {
        ApiError::new("ServiceUnavailable", 503, message)
    }

    /// Adds a modelled member of the error shape.
    #[must_use]
    pub fn with_field(mut self, name: &'static str, value: Value) -> ApiError {
        self.fields.push((name, value));
        self
    }
    /// Adds the private cause.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> ApiError {
        self.cause = Some(cause.into());
        self
    }
    /// Notes what policy refused.
    #[must_use]
    pub fn with_refusal(mut self, refusal: Refusal) -> ApiError {
        self.refusal = Some(Box::new(refusal));
        self
    }

    /// The code, in the form of the JSON protocols.
    pub fn code(&self) -> &str {
        &self.code
    }
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }
    /// What the caller is told.
    pub fn message(&self) -> &str {
        &self.message
    }
    /// Modelled members beyond the message.
    pub fn fields(&self) -> &[(&'static str, Value)] {
        &self.fields
    }
    /// What policy refused, where it did.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_deref()
    }
    /// Whether the caller is at fault.
    pub fn sender(&self) -> bool {
        self.status < 500
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl Error for ApiError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}
