//! What is known of one call while it is answered, carried through s3s as a request extension.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use parking_lot::Mutex;
use s3s::{S3Error, S3ErrorCode, S3Result, StdError};
use stoa_kernel::{ApiError, Cx, Permit, Refusal, Target};
use stoa_types::AccountId;

use crate::operations::{Operation, Signed, common_keys};

/// How the request was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthType {
    Header,
    Query,
    /// A presigned URL of Signature Version 2.
    QueryVersion2,
    /// The policy of an HTML form, with the version of its signature.
    Form,
    FormVersion2,
    None,
}

/// One call. Made after authentication; the rest is filled in as stages pass.
#[derive(Debug)]
pub(crate) struct Call {
    /// With an anonymous principal where authentication failed.
    pub cx: Cx,
    pub auth_type: AuthType,
    /// The key the request claimed, also where it could not be proved.
    pub claimed_key: String,
    /// Whether the connection sends files by itself.
    pub takes_files: bool,
    /// Why authentication failed; told as soon as s3s knows the operation.
    pub failure: Mutex<Option<ApiError>>,
    /// Whether it is an upload by HTML form.
    pub by_form: bool,
    /// What its signature says, for decisions.
    pub signed: Signed,
    pub operation: OnceLock<Operation>,
    pub bucket: OnceLock<String>,
    pub key: OnceLock<String>,
    pub owner: OnceLock<AccountId>,
    pub permit: OnceLock<Permit>,
    pub refusal: Mutex<Option<Refusal>>,
    /// Whether the begin record is in the journal.
    pub begun: AtomicBool,
    pub body: BodyState,
    /// Headers for the answer, also where it is an error.
    pub headers: Mutex<HeaderMap>,
}

/// What the body's wrapper and the handlers tell one another.
#[derive(Debug, Default)]
pub(crate) struct BodyState {
    /// The declared hash, until somebody takes over checking it.
    pub sha256: Mutex<Option<[u8; 32]>>,
    /// Trailing headers, once the body is through.
    pub trailers: Arc<Mutex<Option<HeaderMap>>>,
    /// What was wrong with the body. s3s makes an internal error of it where it reads the body itself.
    pub error: Mutex<Option<ApiError>>,
}

impl Call {
    /// A call of which authentication has said its word.
    pub fn new(cx: Cx, auth_type: AuthType, claimed_key: String, failure: Option<ApiError>, signed: Signed) -> Call {
        Call {
            cx,
            auth_type,
            claimed_key,
            failure: failure.into(),
            by_form: false,
            takes_files: false,
            signed,
            operation: OnceLock::new(),
            bucket: OnceLock::new(),
            key: OnceLock::new(),
            owner: OnceLock::new(),
            permit: OnceLock::new(),
            refusal: Mutex::default(),
            begun: AtomicBool::new(false),
            body: BodyState::default(),
            headers: Mutex::default(),
        }
    }
    /// The proof that the call was allowed.
    pub fn permit(&self) -> S3Result<&Permit> {
        self.permit.get().ok_or_else(|| S3Error::with_message(S3ErrorCode::InternalError, "the call was not decided"))
    }
    /// A further target of the call, with the keys that every S3 target has.
    pub fn keyed(&self, target: Target, owner: Option<&AccountId>) -> Target {
        common_keys(target, &self.signed, owner)
    }
    /// Puts a header on the answer, whatever it will be.
    pub fn tell(&self, name: &'static str, value: &str) {
        if let Ok(value) = http::HeaderValue::from_str(value) {
            self.headers.lock().insert(name, value);
        }
    }
    pub fn mark_begun(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }
    pub fn begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }
    /// An error in S3's form; what policy refused is kept for the audit record.
    pub fn fail(&self, error: ApiError) -> S3Error {
        if let Some(refusal) = error.refusal() {
            *self.refusal.lock() = Some(refusal.clone());
        }
        s3_error(error)
    }
}

/// The call behind a request.
pub(crate) fn call_of(extensions: &http::Extensions) -> S3Result<Arc<Call>> {
    let found = extensions.get::<Arc<Call>>().cloned();
    found.ok_or_else(|| S3Error::with_message(S3ErrorCode::InternalError, "the request came by another way"))
}

/// S3's code and status for an error of the kernel or a service.
pub(crate) fn s3_error(error: ApiError) -> S3Error {
    let (code, status) = match error.code() {
        "AccessDeniedException" => ("AccessDenied", 403),
        "InternalFailure" => ("InternalError", 500),
        "ValidationException" => ("InvalidArgument", 400),
        code => (code, error.status()),
    };
    if status >= 500 {
        let cause: &dyn std::error::Error = &error;
        tracing::error!(code, cause = cause.source().map(tracing::field::display), "{error}");
    }
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
    let mut told = S3Error::with_message(code, error.message().to_owned());
    if let Ok(status) = http::StatusCode::from_u16(status) {
        told.set_status_code(status);
    }
    told.set_source(Box::new(error) as StdError);
    told
}
