//! The last touch on an answer: the request id, and in errors the whole of AWS's error document.
//!
//! Errors come from three places (ours, a service's, s3s's own parsing); here they become alike, and the audit record
//! takes code and message from the very document the caller sees.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use stoa_kernel::ApiError;

use crate::call::{Call, s3_error};
use crate::operations::Operation;

const LARGEST_ERROR: usize = 64 << 10;

/// Finishes an answer; with code and message when it is an error.
pub(crate) async fn finish(
    mut answer: Response<s3s::Body>,
    method: &Method,
    call: &Call,
) -> (Response<s3s::Body>, Option<(String, String)>) {
    if answer.status() == StatusCode::OK && answer.headers().contains_key(CONTENT_RANGE) {
        // s3s knows of partial content for GET only.
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let status = answer.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if status == StatusCode::OK && call.operation.get().is_some_and(Operation::tells_keys) {
        references(&mut answer);
    }
    let (mut answer, error) = if is_error || status == StatusCode::NOT_MODIFIED {
        complete_error(answer, method, call).await
    } else {
        (answer, None)
    };
    let denied = error.as_ref().is_some_and(|(code, _)| code == "AccessDenied");
    for (name, value) in call.cx.answer_headers(denied, call.refusal.lock().as_ref().filter(|_| denied)) {
        if let Ok(value) = HeaderValue::try_from(value) {
            answer.headers_mut().append(name, value);
        }
    }
    answer.headers_mut().extend(std::mem::take(&mut *call.headers.lock()));
    (with_request_id(answer, &call.cx.request_id), error)
}

/// Control characters of keys as references. s3s writes them as they are, and parsers make a newline of a carriage return;
/// the others are no XML 1.0 in any form, and S3 writes references for those too.
fn references(answer: &mut Response<s3s::Body>) {
    let Some(bytes) = answer.body().bytes() else { return };
    let plain = |byte: &u8| *byte >= b' ' || matches!(byte, b'\n' | b'\t');
    if bytes.iter().all(plain) {
        return;
    }
    let mut text = Vec::with_capacity(bytes.len() + 64);
    for byte in &bytes {
        match plain(byte) {
            true => text.push(*byte),
            false => text.extend_from_slice(format!("&#x{byte:x};").as_bytes()),
        }
    }
    if answer.headers().contains_key(CONTENT_LENGTH) {
        answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    }
    *answer.body_mut() = s3s::Body::from(Bytes::from(text));
}

/// An error without s3s, for what cannot be handed to it.
pub(crate) fn refusal(error: ApiError) -> Response<s3s::Body> {
    match s3_error(error).to_http_response() {
        Ok(response) => response,
        Err(_) => internal(),
    }
}

fn internal() -> Response<s3s::Body> {
    let mut response = Response::new(s3s::Body::empty());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

async fn complete_error(
    answer: Response<s3s::Body>,
    method: &Method,
    call: &Call,
) -> (Response<s3s::Body>, Option<(String, String)>) {
    let (mut parts, mut body) = answer.into_parts();
    let body_error = call.body.error.lock().take();
    if let Some(error) = body_error.filter(|_| parts.status.is_server_error()) {
        // s3s read the body itself and knows only that it failed.
        let headers = std::mem::take(&mut parts.headers);
        (parts, body) = refusal(error).into_parts();
        parts.headers.extend(headers.into_iter().filter_map(|(name, value)| {
            let name = name.filter(|name| !parts_of_document(name))?;
            Some((name, value))
        }));
    }
    let bytes = match Limited::new(body, LARGEST_ERROR).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(_) => Bytes::new(),
    };
    let text = String::from_utf8_lossy(&bytes);
    let found = |name: &str| element(&text, name);
    let code = found("Code").unwrap_or_else(|| default_code(parts.status).to_owned());
    let message = found("Message").unwrap_or_else(|| default_message(&code).to_owned());
    let message = message.replace("is not implemented yet", "is not implemented by Stoa");
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(TRANSFER_ENCODING);
    if *method == Method::HEAD || parts.status == StatusCode::NOT_MODIFIED {
        parts.headers.remove(CONTENT_TYPE);
        return (Response::from_parts(parts, s3s::Body::empty()), Some((code, message)));
    }
    let document = document(&code, &message, call);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(document.len()));
    (Response::from_parts(parts, s3s::Body::from(document)), Some((code, message)))
}

fn parts_of_document(name: &http::HeaderName) -> bool {
    *name == CONTENT_LENGTH || *name == CONTENT_TYPE || *name == TRANSFER_ENCODING
}

/// AWS's error document.
fn document(code: &str, message: &str, call: &Call) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    let mut add = |name: &str, value: &str| {
        text.push_str(&format!("<{name}>{}</{name}>", escaped(value)));
    };
    add("Code", code);
    add("Message", message);
    if let Some(bucket) = call.bucket.get().filter(|_| code.contains("Bucket")) {
        add("BucketName", bucket);
    }
    if let Some(key) = call.key.get().filter(|_| code == "NoSuchKey") {
        add("Key", key);
    }
    add("RequestId", &call.cx.request_id);
    text.push_str("</Error>");
    text
}

pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(letter))),
            // Not allowed in XML at all.
            letter if letter.is_control() => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}

/// The text of a plain element that s3s wrote.
fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    let inner = inner.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    Some(inner.replace("&#10;", "\n").replace("&#13;", "\r").replace("&#9;", "\t").replace("&amp;", "&"))
}

fn default_code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        304 => "NotModified",
        403 => "AccessDenied",
        404 => "NoSuchKey",
        400 => "InvalidRequest",
        _ => "InternalError",
    }
}

fn default_message(code: &str) -> &'static str {
    match code {
        "NotImplemented" => "A header or query you provided implies functionality that is not implemented by Stoa",
        "InternalError" => "We encountered an internal error. Please try again.",
        "NotModified" => "Not Modified",
        "InvalidRange" => "The requested range is not satisfiable",
        "InvalidBucketName" => "The specified bucket is not valid.",
        "KeyTooLongError" => "Your key is too long",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "MaxMessageLengthExceeded" => "Your request was too big.",
        "MalformedXML" => "The XML you provided was not well-formed or did not validate against our published schema",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "IncompleteBody" => "You did not provide the number of bytes specified by the Content-Length HTTP header",
        _ => "the request could not be served",
    }
}

fn with_request_id(mut answer: Response<s3s::Body>, request_id: &str) -> Response<s3s::Body> {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        answer.headers_mut().insert("x-amz-request-id", value);
    }
    answer
}
