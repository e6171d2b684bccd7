//! The service: one function from a request to its answer.
//!
//! A call that may change something runs in a task of its own, so that a client which goes away cannot stop it between
//! its record and its end; [`S3Service::wait_for_mutations`] waits for those at shutdown.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT, HeaderValue, RANGE};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use s3s::StdError;
use s3s::service::S3ServiceBuilder;
use stoa_audit::{Journal, Phase};
use stoa_blob::BlobStore;
use stoa_kernel::ports::{BucketConfiguration, Buckets, ObjectAccess, ObjectVersions, Objects, ReadObject, Uploads};
use stoa_kernel::{ApiError, Connection, Platform};
use stoa_sigv4::KeyCache;
use stoa_types::{Region, Timestamp};
use tokio_util::task::TaskTracker;

use crate::access::{Access, NoSecrets};
use crate::answer;
use crate::api::Api;
use crate::audit;
use crate::authenticate::{Authenticated, authenticate, authenticate_form};
use crate::call::Call;
use crate::cors;
use crate::form::{self, Form, Policy};
use crate::host::Hosts;
use crate::operations::{Operation, Signed, unserved_subresource};
use crate::payload::{self, Pieces};

/// What the S3 service is to the edge.
pub(crate) trait Backend:
    Buckets + Objects + ObjectVersions + Uploads + BucketConfiguration + ReadObject + ObjectAccess
{
}
impl<T: Buckets + Objects + ObjectVersions + Uploads + BucketConfiguration + ReadObject + ObjectAccess> Backend for T {}

/// What an operator sets.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// Domains under which a label is a bucket, beside AWS's and `localhost`.
    pub base_domains: Vec<String>,
    /// The regions that are served; empty for all.
    pub regions: Vec<Region>,
    /// The region of requests that name none.
    pub default_region: Region,
    /// How long a client may pause within a body.
    pub body_idle: Duration,
    /// Whether calls about objects are recorded also where they succeed.
    pub data_events: bool,
}

impl S3Settings {
    pub(crate) fn region(&self, name: &str) -> Option<Region> {
        match self.regions.is_empty() {
            true => name.parse().ok(),
            false => self.regions.iter().find(|region| region.as_str() == name).cloned(),
        }
    }
}

/// What the gateway knows of a request that it hands over.
#[derive(Debug, Clone)]
pub struct ServerCall {
    /// Goes out as `x-amz-request-id` and into the audit journal.
    pub request_id: String,
    /// When it was accepted.
    pub now: Timestamp,
    /// How it came in.
    pub connection: Arc<Connection>,
    /// Whether an answer may have a [`stoa_blob::FileSlice`] as an extension in place of its body.
    pub takes_files: bool,
}

pub(crate) struct Inner {
    pub settings: S3Settings,
    pub platform: Arc<Platform>,
    pub backend: Arc<dyn Backend>,
    pub blobs: Arc<dyn BlobStore>,
    pub keys: KeyCache,
    pub hosts: Hosts,
    journal: Arc<dyn Journal>,
}

pub(crate) type SharedInner = Arc<Inner>;

impl Inner {
    /// Whether a call of this kind is recorded although nothing is wrong with it.
    pub fn records(&self, operation: Option<&Operation>) -> bool {
        self.settings.data_events || operation.is_none_or(|operation| operation.management)
    }

    /// Appends an audit record.
    pub async fn append(&self, line: Vec<u8>) -> Result<(), ApiError> {
        self.journal.append(line).await.map_err(|error| {
            ApiError::new("ServiceUnavailable", 503, "the call cannot be recorded right now").with_cause(error)
        })
    }
}

/// S3 over HTTP.
#[derive(Clone)]
pub struct S3Service {
    inner: SharedInner,
    s3s: s3s::service::S3Service,
    mutations: TaskTracker,
}

impl std::fmt::Debug for S3Service {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("S3Service").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl S3Service {
    /// The service over these parts.
    pub fn new<
        B: Buckets + Objects + ObjectVersions + Uploads + BucketConfiguration + ReadObject + ObjectAccess + 'static,
    >(
        settings: S3Settings,
        platform: Arc<Platform>,
        journal: Arc<dyn Journal>,
        backend: Arc<B>,
        blobs: Arc<dyn BlobStore>,
    ) -> S3Service {
        let hosts = Hosts::new(&settings.base_domains);
        let inner = Arc::new(Inner { settings, platform, backend, blobs, keys: KeyCache::default(), hosts, journal });
        let mut builder = S3ServiceBuilder::new(Api(Arc::clone(&inner)));
        builder.set_auth(NoSecrets);
        builder.set_access(Access(Arc::clone(&inner)));
        builder.set_host(inner.hosts.clone());
        S3Service { inner, s3s: builder.build(), mutations: TaskTracker::new() }
    }

    /// Waits for mutations whose callers have gone. Call when no more requests come.
    pub async fn wait_for_mutations(&self) {
        self.mutations.close();
        self.mutations.wait().await;
    }

    /// Answers one request.
    pub async fn call<B>(&self, request: Request<B>, server: ServerCall) -> Response<s3s::Body>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<StdError>,
    {
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return self.serve(request, server).await;
        }
        let service = self.clone();
        let task = self.mutations.spawn(async move { service.serve(request, server).await });
        match task.await {
            Ok(answer) => answer,
            Err(error) => answer::refusal(ApiError::internal(error)),
        }
    }

    async fn serve<B>(&self, request: Request<B>, server: ServerCall) -> Response<s3s::Body>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<StdError>,
    {
        let (mut parts, body) = request.into_parts();
        if form::is_form(&parts) {
            return self.serve_form(parts, payload::plain(body, self.inner.settings.body_idle), server).await;
        }
        let Authenticated { cx, auth_type, claimed_key, failure, payload } =
            authenticate(&self.inner, &parts, &server).await;
        let signed = Signed::of(auth_type, &parts.headers, &parts.uri, server.now);
        let call = Arc::new(Call {
            takes_files: server.takes_files,
            ..Call::new(cx, auth_type, claimed_key, failure, signed)
        });
        let method = parts.method.clone();
        let asked = cors::Asked::of(&parts).filter(|_| !cors::is_preflight(&parts));
        let waits = parts.version <= Version::HTTP_11 && parts.headers.contains_key(EXPECT);
        let empty = body.is_end_stream();
        let answer = match payload {
            _ if cors::is_preflight(&parts) => cors::preflight(&self.inner, &parts, &call).await,
            Some(payload) => match payload::prepare(&mut parts, payload, &call) {
                Ok(reading) => {
                    let body = payload::body(body, reading, &call, self.inner.settings.body_idle);
                    self.route(parts, body, &call).await
                }
                Err(error) => answer::refusal(error),
            },
            // The failure is told where the operation is known; the body is not even looked at.
            None => self.route(parts, s3s::Body::empty(), &call).await,
        };
        let (mut answer, error) = answer::finish(answer, &method, &call).await;
        cors::decorate(&self.inner, asked, &call, &mut answer).await;
        if waits && (empty || error.is_some()) {
            // The client waited for `100 Continue` and gets its answer instead. The AWS CLI then takes the next answer on
            // this connection for one without a status line, so there must be none.
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.record(answer, error, &call).await
    }

    /// An upload by HTML form: the `PutObject` it stands for, and an answer of its own.
    async fn serve_form(&self, parts: Parts, pieces: Pieces, server: ServerCall) -> Response<s3s::Body> {
        let inner = &self.inner;
        let asked = cors::Asked::of(&parts);
        let (bucket, key) = cors::named(inner, &parts);
        let opened = match key {
            None => Form::open(&parts, pieces).await,
            Some(_) => {
                let text = "The specified method is not allowed against this resource.";
                Err(ApiError::new("MethodNotAllowed", 405, text))
            }
        };
        let none = form::Fields::new();
        let fields = opened.as_ref().map_or(&none, |form| &form.fields);
        let Authenticated { cx, auth_type, claimed_key, failure, .. } =
            authenticate_form(inner, &parts, &server, fields).await;
        let signed = Signed::of(auth_type, &parts.headers, &parts.uri, server.now);
        let call = Arc::new(Call { by_form: true, ..Call::new(cx, auth_type, claimed_key, failure, signed) });
        let after = opened.as_ref().ok().map(|form| form.after(&bucket, &server.connection.base_url));
        let ready = opened.and_then(|form| {
            let head = form.head(&parts, &bucket)?;
            // Of a form that nobody signed, or not rightly, that is what is told.
            let signed = call.failure.lock().is_none();
            let policy = form.fields.get("policy").filter(|_| signed).map(|policy| Policy::read(policy)).transpose()?;
            if let Some(policy) = &policy {
                policy.check(&form.fields, &bucket, server.now)?;
            }
            Ok((head, form.file(policy.and_then(|policy| policy.length))))
        });
        let answer = match ready {
            Ok((head, file)) => self.route(head, form::body(file, &call), &call).await,
            Err(error) => {
                // Set once: the call does not come to where it is set otherwise.
                let _ = (call.operation.set(Operation::of_form()), call.bucket.set(bucket));
                answer::refusal(error)
            }
        };
        let (answer, error) = answer::finish(answer, &Method::POST, &call).await;
        let mut answer = match after {
            Some(after) => after.apply(answer),
            None => answer,
        };
        cors::decorate(inner, asked, &call, &mut answer).await;
        self.record(answer, error, &call).await
    }

    async fn route(&self, mut parts: Parts, body: s3s::Body, call: &Arc<Call>) -> Response<s3s::Body> {
        if let Err(error) = strip_signature(&mut parts) {
            return answer::refusal(error);
        }
        ignore_no_range(&mut parts.headers);
        let unserved = unserved_subresource(parts.uri.query());
        parts.extensions.insert(Arc::clone(call));
        match self.s3s.call(Request::from_parts(parts, body)).await {
            // It knows no operation of this method and path.
            Ok(answer) if answer.status() == StatusCode::NOT_IMPLEMENTED && call.operation.get().is_none() => {
                let text = "The specified method is not allowed against this resource.";
                answer::refusal(unserved.unwrap_or_else(|| ApiError::new("MethodNotAllowed", 405, text)))
            }
            Ok(answer) => answer,
            Err(error) => answer::refusal(ApiError::internal(StdError::from(error))),
        }
    }

    /// The last record. A read that cannot be recorded is refused; a mutation has its begin record and stands.
    async fn record(
        &self,
        answer: Response<s3s::Body>,
        error: Option<(String, String)>,
        call: &Call,
    ) -> Response<s3s::Body> {
        let not_modified = answer.status() == StatusCode::NOT_MODIFIED;
        let error = error.filter(|_| !not_modified);
        if error.is_none() && !self.inner.records(call.operation.get()) {
            return answer;
        }
        let line = audit::line(call, Phase::Complete, error);
        match self.inner.append(line).await {
            Err(error) if !call.begun() => {
                let refusal = answer::refusal(error);
                answer::finish(refusal, &Method::GET, call).await.0
            }
            Err(error) => {
                tracing::error!(request_id = call.cx.request_id, %error, "the end of a recorded call was not recorded");
                answer
            }
            Ok(()) => answer,
        }
    }
}

/// HTTP has a range that is none ignored, and S3 gives the whole object then.
fn ignore_no_range(headers: &mut HeaderMap) {
    let is_range = |value: &HeaderValue| value.to_str().is_ok_and(|text| s3s::dto::Range::parse(text).is_ok());
    if headers.get(RANGE).is_some_and(|value| !is_range(value)) {
        headers.remove(RANGE);
    }
}

/// Removes the signature from the head: it is proved, and s3s would want to check it by its own clock.
fn strip_signature(parts: &mut Parts) -> Result<(), ApiError> {
    const HEADERS: [&str; 5] =
        ["authorization", "x-amz-content-sha256", "x-amz-security-token", "x-amz-decoded-content-length", "x-amz-date"];
    const PARAMETERS: [&str; 12] = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
        "X-Amz-Security-Token",
        "X-Amz-Content-Sha256",
        "AWSAccessKeyId",
        "Signature",
        "Expires",
        "x-amz-security-token",
    ];
    for name in HEADERS {
        parts.headers.remove(name);
    }
    let Some(query) = parts.uri.query() else { return Ok(()) };
    let ours = |pair: &&str| PARAMETERS.contains(&pair.split('=').next().unwrap_or(""));
    let kept: Vec<&str> = query.split('&').filter(|pair| !ours(pair)).collect();
    let path = parts.uri.path();
    let target = if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    let invalid = |_| ApiError::new("InvalidURI", 400, "Couldn't parse the specified URI.");
    uri.path_and_query = Some(target.try_into().map_err(invalid)?);
    parts.uri = http::Uri::from_parts(uri)
        .map_err(|_| ApiError::new("InvalidURI", 400, "Couldn't parse the specified URI."))?;
    Ok(())
}
