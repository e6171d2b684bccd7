//! Errors on their way to the wire: what each protocol family calls them, and with which status.
//!
//! INVARIANT: an [`ApiError`]'s private cause goes to the log only.

use std::error::Error;
use std::fmt::Write;

use stoa_codecs::{DecodeError, WireError};
use stoa_kernel::ApiError;
use stoa_schema::{OperationSpec, ProtocolName};
use stoa_sigv4::{Dialect, SigError};

/// The family of codes a protocol uses.
pub(crate) fn dialect(protocol: ProtocolName) -> Dialect {
    match protocol {
        ProtocolName::AwsQuery | ProtocolName::Ec2Query => Dialect::Query,
        ProtocolName::AwsJson10 | ProtocolName::AwsJson11 | ProtocolName::RestJson1 | ProtocolName::RpcV2Cbor => {
            Dialect::Json
        }
        ProtocolName::RestXml => Dialect::S3,
    }
}

/// A refused signature.
pub(crate) fn signature_error(error: &SigError, protocol: ProtocolName) -> WireError {
    let wire = error.wire(dialect(protocol));
    // REST services answer authentication failures with 403 where the RPC ones say 400.
    let status = if protocol == ProtocolName::RestJson1 { 403 } else { wire.status };
    WireError { code: wire.code.to_owned(), message: wire.message, status, sender: true, fields: Vec::new() }
}

/// A request that cannot be decoded.
pub(crate) fn decode_error(error: DecodeError) -> ApiError {
    ApiError::new("SerializationException", 400, error.message)
}

/// The operation does not exist.
pub(crate) fn unknown_operation(name: &str) -> ApiError {
    let shown: String = name.chars().take(128).collect();
    ApiError::new("UnknownOperationException", 400, format!("the operation `{shown}` is not known"))
}

/// The service does not exist here.
pub(crate) fn unknown_service(name: &str) -> ApiError {
    let shown: String = name.chars().take(128).collect();
    ApiError::new("UnknownOperationException", 404, format!("the service `{shown}` is not served by Stoa"))
}

/// The VPC endpoint is not one for this service.
pub(crate) fn not_through_endpoint(endpoint: &str, service: &str) -> ApiError {
    let message = format!("the VPC endpoint `{endpoint}` does not lead to the service `{service}`");
    ApiError::new("UnknownOperationException", 404, message)
}

/// The body is larger than the service takes.
pub(crate) fn body_too_large(limit: usize) -> ApiError {
    let message = format!("the request body is larger than the {limit} bytes allowed");
    ApiError::new("RequestEntityTooLargeException", 413, message)
}

/// The body did not arrive in time.
pub(crate) fn body_too_slow() -> ApiError {
    ApiError::new("RequestTimeout", 408, "the request body did not arrive in time")
}

/// The handler did not end in time; what it did may have happened.
pub(crate) fn too_late() -> ApiError {
    ApiError::new("RequestTimeoutException", 504, "the operation did not end in time; it may still take effect")
}

/// The call cannot be audited, so it is refused.
pub(crate) fn unaudited(cause: stoa_audit::AuditError) -> ApiError {
    ApiError::unavailable("the call cannot be recorded in the audit journal and is refused").with_cause(cause)
}

/// The error under the names of one protocol.
pub(crate) fn wire_error(error: &ApiError, protocol: ProtocolName, spec: Option<&OperationSpec>) -> WireError {
    let mut wire = WireError {
        code: error.code().to_owned(),
        message: error.message().to_owned(),
        status: error.status(),
        sender: error.sender(),
        fields: error.fields().to_vec(),
    };
    if dialect(protocol) == Dialect::Query {
        name_for_query(&mut wire, spec);
    } else if protocol == ProtocolName::RestJson1 && wire.code == "AccessDeniedException" {
        wire.status = 403;
    }
    wire
}

fn name_for_query(wire: &mut WireError, spec: Option<&OperationSpec>) {
    let modelled = spec.and_then(|spec| spec.errors.iter().find(|known| known.name == wire.code));
    if let Some(known) = modelled {
        known.code.clone_into(&mut wire.code);
        wire.status = known.status;
        wire.sender = known.sender;
        return;
    }
    let (code, status) = match &*wire.code {
        "AccessDeniedException" => ("AccessDenied", 403),
        "ValidationException" => ("ValidationError", 400),
        "UnknownOperationException" => ("InvalidAction", wire.status),
        "SerializationException" => ("MalformedInput", 400),
        "ThrottlingException" => ("Throttling", 400),
        _ => return,
    };
    code.clone_into(&mut wire.code);
    wire.status = status;
}

/// The code under which CloudTrail records it.
pub(crate) fn recorded_code(code: &str) -> &str {
    if code == "AccessDeniedException" { "AccessDenied" } else { code }
}

/// Logs a failure of ours with its whole chain of causes.
pub(crate) fn log_failure(error: &ApiError, operation: &str, request_id: &str) {
    if error.status() < 500 {
        return;
    }
    let mut chain = String::new();
    let mut cause = error.source();
    while let Some(next) = cause {
        let _ = write!(chain, ": {next}");
        cause = next.source();
    }
    tracing::error!(operation, request_id, "{error}{chain}");
}
