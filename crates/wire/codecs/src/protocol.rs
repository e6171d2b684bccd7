//! What every protocol does: decode a request, encode a result, encode an error.
//!
//! INVARIANT: a codec never fails to encode. What a handler returns is made from generated types, so it has its
//! shape; a value that does not fit its shape is left out rather than turned into a broken answer.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use stoa_schema::{OperationSpec, ProtocolName, ServiceSpec, Value};

use crate::aws_json::AwsJson;
use crate::aws_query::AwsQuery;
use crate::rest_json::RestJson;
use crate::rpc_v2_cbor::RpcV2Cbor;

/// How deep lists, maps and structures may nest in a request.
pub const MAX_DEPTH: usize = 128;

/// The parts of a request that a codec may look at, the body aside.
#[derive(Debug, Clone, Copy)]
pub struct RequestParts<'r> {
    /// The method.
    pub method: &'r Method,
    /// The path as it was sent, still percent-encoded.
    pub path: &'r str,
    /// The query string as it was sent, without `?`; empty when there is none.
    pub query: &'r str,
    /// The headers.
    pub headers: &'r HeaderMap,
}

/// An answer, ready for the socket.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The HTTP status.
    pub status: u16,
    /// Content type, request id and what the shape binds to headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// The request is not in the form its schema promises. Becomes `SerializationException`, status 400
/// (`MalformedInput` in awsQuery).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    /// The path of the member at fault, such as `Tags[1].Key`; empty for the body as a whole.
    pub path: String,
    /// For the caller; names the member.
    pub message: String,
}

impl DecodeError {
    /// Something is wrong with the body as a whole.
    pub fn body(message: impl Into<String>) -> DecodeError {
        DecodeError { path: String::new(), message: message.into() }
    }
    /// Something is wrong with one member.
    pub fn member(path: &str, message: impl std::fmt::Display) -> DecodeError {
        match path {
            "" => DecodeError::body(message.to_string()),
            _ => DecodeError { path: path.to_owned(), message: format!("{message} at `{path}`") },
        }
    }
}

/// An error as it goes out.
#[derive(Debug, Clone, PartialEq)]
pub struct WireError {
    /// The code, such as `ResourceNotFound`.
    pub code: String,
    /// The public message.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
    /// Whether the caller is at fault (awsQuery's `Sender`).
    pub sender: bool,
    /// Further members of the modelled error, by modelled name.
    pub fields: Vec<(&'static str, Value)>,
}

/// A wire protocol.
pub trait Protocol: Send + Sync {
    /// The request's input as a value of the operation's input shape; an empty structure when it has none.
    fn decode(&self, spec: &OperationSpec, request: &RequestParts<'_>, body: &Bytes) -> Result<Value, DecodeError>;

    /// The operation's result.
    fn encode(&self, spec: &OperationSpec, output: &Value, request_id: &str) -> Encoded;

    /// An error. `spec` is absent when the operation is unknown.
    fn encode_error(
        &self,
        spec: Option<&OperationSpec>,
        service: &ServiceSpec,
        error: &WireError,
        request_id: &str,
    ) -> Encoded;
}

/// The codec of a protocol. restXml and ec2Query have none yet: S3 is framed by `s3s`, and EC2 is not served, so both
/// get restJson1, whose errors every client shows at least as a status.
pub fn protocol(name: ProtocolName) -> &'static dyn Protocol {
    match name {
        ProtocolName::AwsJson10 => &AwsJson::V1_0,
        ProtocolName::AwsJson11 => &AwsJson::V1_1,
        ProtocolName::AwsQuery => &AwsQuery,
        ProtocolName::RpcV2Cbor => &RpcV2Cbor,
        ProtocolName::RestJson1 | ProtocolName::RestXml | ProtocolName::Ec2Query => &RestJson,
    }
}

/// Sets a header; a value that no header can hold is left out.
pub(crate) fn set_header(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// The headers every answer has.
pub(crate) fn common_headers(content_type: &str, request_id: &str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    set_header(&mut headers, "content-type", content_type);
    set_header(&mut headers, "x-amzn-requestid", request_id);
    headers
}

/// For services that also speak awsQuery: the code those clients know, and who is at fault.
pub(crate) fn query_error_header(headers: &mut HeaderMap, service: &ServiceSpec, error: &WireError) {
    if service.protocols.contains(&ProtocolName::AwsQuery) {
        let fault = if error.sender { "Sender" } else { "Receiver" };
        set_header(headers, "x-amzn-query-error", &format!("{};{fault}", error.code));
    }
}
