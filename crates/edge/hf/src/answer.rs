//! Answers in the form that Hugging Face's clients read: JSON, and errors told by `X-Error-Code` and `X-Error-Message`.

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value as Json, json};
use stoa_blob::ByteStream;
use stoa_kernel::ApiError;

/// Why a body broke off.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// A body: JSON, a file, or nothing.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

const ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
const ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-error-message");
pub(crate) const REPO_COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Why a request is refused, in Hugging Face's terms.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// No token, or one that opens nothing. The text is for people; clients know the case by another.
    Unauthenticated(String),
    /// No such repository, or none that this caller is told of.
    RepoNotFound(String),
    RevisionNotFound(String),
    /// With the commit, where there is one: clients remember that the file is not in it.
    EntryNotFound(String, String),
    /// By policy, or for want of consent.
    Denied(ApiError),
    /// A path that is not served.
    NotServed(String),
    /// Anything else.
    Failed(ApiError),
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Refusal {
        match error.code() {
            "AccessDeniedException" | "AccessDenied" => Refusal::Denied(error),
            "ResourceNotFound" => Refusal::RepoNotFound(error.message().to_owned()),
            _ => Refusal::Failed(error),
        }
    }
}

impl Refusal {
    /// Code and message for the audit record, where no operation was run that made one.
    pub fn recorded(&self) -> (String, String) {
        match self {
            Refusal::Unauthenticated(text) => ("UnrecognizedClientException".to_owned(), text.clone()),
            Refusal::RepoNotFound(text) | Refusal::RevisionNotFound(text) | Refusal::EntryNotFound(text, _) => {
                ("ResourceNotFound".to_owned(), text.clone())
            }
            Refusal::NotServed(text) => ("UnknownOperationException".to_owned(), text.clone()),
            Refusal::Denied(error) | Refusal::Failed(error) => (error.code().to_owned(), error.message().to_owned()),
        }
    }

    fn wire(&self) -> (StatusCode, Option<&'static str>, String) {
        match self {
            // The one text that keeps clients from calling this a missing repository.
            Refusal::Unauthenticated(_) => {
                (StatusCode::UNAUTHORIZED, None, "Invalid credentials in Authorization header".to_owned())
            }
            Refusal::RepoNotFound(text) => (StatusCode::NOT_FOUND, Some("RepoNotFound"), text.clone()),
            Refusal::RevisionNotFound(text) => (StatusCode::NOT_FOUND, Some("RevisionNotFound"), text.clone()),
            Refusal::EntryNotFound(text, _) => (StatusCode::NOT_FOUND, Some("EntryNotFound"), text.clone()),
            Refusal::Denied(error) => (StatusCode::FORBIDDEN, Some("GatedRepo"), error.message().to_owned()),
            Refusal::NotServed(text) => (StatusCode::NOT_FOUND, None, text.clone()),
            Refusal::Failed(error) => {
                let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, None, error.message().to_owned())
            }
        }
    }

    /// The answer.
    pub fn response(&self) -> Response<Body> {
        let (status, code, message) = self.wire();
        let told = match self {
            Refusal::Unauthenticated(text) => text,
            _ => &message,
        };
        let mut response = json_response(&json!({ "error": told }));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if let Some(code) = code {
            headers.insert(ERROR_CODE, HeaderValue::from_static(code));
        }
        headers.insert(ERROR_MESSAGE, header_text(&message));
        if let Refusal::EntryNotFound(_, commit) = self {
            headers.insert(REPO_COMMIT, header_text(commit));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"Stoa\""));
        }
        response
    }
}

/// A text as a header takes it.
pub(crate) fn header_text(text: &str) -> HeaderValue {
    let plain: String = text.chars().map(|one| if (' '..='~').contains(&one) { one } else { '?' }).collect();
    HeaderValue::from_str(&plain).unwrap_or_else(|_| HeaderValue::from_static("?"))
}

pub(crate) fn json_response(value: &Json) -> Response<Body> {
    let mut response = Response::new(whole(Bytes::from(value.to_string())));
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

pub(crate) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn streamed(pieces: ByteStream) -> Body {
    BodyExt::boxed_unsync(StreamBody::new(pieces.map_ok(Frame::data)))
}

pub(crate) fn with_request_id(mut response: Response<Body>, request_id: &str) -> Response<Body> {
    response.headers_mut().insert(REQUEST_ID, header_text(request_id));
    response
}
