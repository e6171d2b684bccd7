//! A request from its head to its answer: what belongs to no pipeline (health, metrics, S3's hand-over) and the
//! reading of bodies within their limits; then the pipeline.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};
use stoa_audit::Journal;
use stoa_blob::FileSlice;
use stoa_codecs::Encoded;
use stoa_kernel::{ApiError, Connection, Platform, Registry, VpcEndpoint};
use stoa_schema::ServiceSpec;
use stoa_sigv4::{KeyCache, SigError, SignatureRequest, parse_credential};
use stoa_types::{Region, Timestamp};
use tokio_util::task::TaskTracker;

use crate::config::GatewayConfig;
use crate::errors::{body_too_large, body_too_slow, not_through_endpoint, unknown_service};
use crate::hosts::aws_host;
use crate::identify::{Call, Destination, Routes, UNKNOWN_SERVICE, request_host};
use crate::metrics::{Counted, Metrics};
use crate::pipeline::{self, Arrived};
use crate::s3_front::{S3Call, S3Front};
use crate::transport::body::ResponseBody;
use crate::transport::connection::Socket;
use crate::transport::sendfile::FileBody;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const S3_REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");

/// What is behind the socket.
pub struct Gateway {
    config: GatewayConfig,
    platform: Arc<Platform>,
    registry: Registry,
    routes: Routes,
    journal: Arc<dyn Journal>,
    s3: Option<Arc<dyn S3Front>>,
    /// Unsigned requests below a path go to a front of their own, as part of the service named.
    below: Option<(&'static str, &'static str, Arc<dyn S3Front>)>,
    keys: KeyCache,
    metrics: Metrics,
    mutations: TaskTracker,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gateway").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Lays the tables out. Without an S3 front, requests for S3 are refused by name.
    pub fn new(
        config: GatewayConfig,
        platform: Arc<Platform>,
        registry: Registry,
        journal: Arc<dyn Journal>,
        s3: Option<Arc<dyn S3Front>>,
    ) -> Gateway {
        let routes = Routes::new(&registry);
        let metrics = Metrics::new(routes.operations());
        Gateway {
            config,
            platform,
            registry,
            routes,
            journal,
            s3,
            below: None,
            keys: KeyCache::default(),
            metrics,
            mutations: TaskTracker::new(),
        }
    }

    /// Hands unsigned requests below a path to a front that authenticates, decides and audits by the kernel itself, as
    /// S3's does. VPC endpoints that lead to the service named lead there too.
    #[must_use]
    pub fn with_front_below(mut self, path: &'static str, service: &'static str, front: Arc<dyn S3Front>) -> Gateway {
        self.below = Some((path, service, front));
        self
    }

    /// What the operator set.
    pub fn config(&self) -> &GatewayConfig {
        &self.config
    }
    /// The measurements.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
    pub(crate) fn platform(&self) -> &Arc<Platform> {
        &self.platform
    }
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }
    pub(crate) fn journal(&self) -> &Arc<dyn Journal> {
        &self.journal
    }
    pub(crate) fn keys(&self) -> &KeyCache {
        &self.keys
    }
    pub(crate) fn mutations(&self) -> &TaskTracker {
        &self.mutations
    }

    /// The services of an endpoint's list that are not served here.
    pub fn unknown_services<'e>(&self, endpoint: &'e VpcEndpoint) -> Vec<&'e str> {
        let known = |wanted: &str| {
            S3_NAMES.iter().any(|name| is_named(wanted, name))
                || self.registry.services().iter().any(|spec| names(spec).iter().any(|name| is_named(wanted, name)))
        };
        endpoint.services.iter().map(String::as_str).filter(|wanted| !known(wanted)).collect()
    }

    /// Waits for mutations whose callers have gone. Call when no more requests come.
    pub(crate) async fn wait_for_mutations(&self) {
        self.mutations.close();
        self.mutations.wait().await;
    }

    /// The region, when it is served. Global services are signed for `us-east-1` wherever they run.
    pub(crate) fn region(&self, name: &str, global: bool) -> Option<Region> {
        let regions = &self.config.regions;
        if let Some(region) = regions.iter().find(|region| region.as_str() == name) {
            return Some(region.clone());
        }
        if regions.is_empty() || (global && name == "us-east-1") { name.parse().ok() } else { None }
    }

    /// Answers one request.
    pub(crate) async fn serve(self: &Arc<Self>, request: Request<Incoming>, socket: &Socket) -> Response<ResponseBody> {
        let started = Instant::now();
        let _in_flight = InFlight::new(&self.metrics);
        let (counted, response) = self.answer(request, socket).await;
        self.metrics.record(counted, response.status().as_u16(), started.elapsed());
        response
    }

    async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        socket: &Socket,
    ) -> (Counted, Response<ResponseBody>) {
        let (parts, body) = request.into_parts();
        if let Some(response) = self.own_page(&parts, socket) {
            return (Counted::Other, response);
        }
        let now = self.platform.clock.now();
        let request_id = stoa_types::request_id(&*self.platform.ids);
        let signature = parse_credential(&parts.headers, parts.uri.query().unwrap_or(""));
        let scope = signature.as_ref().ok().and_then(|found| found.as_ref()).map(|found| &*found.service);
        let endpoint = socket.endpoint.as_deref();
        if let Some(front) = self.front_below(&parts, !matches!(signature, Ok(Some(_))), endpoint) {
            drop(signature);
            let connection = self.connection_of(&parts, socket);
            let call = S3Call { request_id, now, connection, takes_files: false };
            return (Counted::Other, front.call(Request::from_parts(parts, body), call).await);
        }
        let destination = self.routes.identify(&parts, scope);
        if endpoint.is_none_or(|endpoint| leads_to(endpoint, &S3_NAMES))
            && matches!(destination, Destination::S3)
            && self.s3.is_some()
        {
            drop(signature);
            let connection = self.connection_of(&parts, socket);
            let call = S3Call { request_id, now, connection, takes_files: socket.files.is_some() };
            let response = self.hand_to_s3(Request::from_parts(parts, body), call).await;
            return (Counted::S3, with_file(response, socket));
        }
        let connection = self.connection_of(&parts, socket);
        let head = Head { parts: &parts, signature, now, request_id: &request_id, connection: &connection };
        let (counted, encoded) = self.operate(head, destination, body).await;
        (counted, response(encoded, &request_id))
    }

    /// Reads the body, finds the operation for good, and runs the pipeline.
    async fn operate(self: &Arc<Self>, head: Head<'_>, destination: Destination, body: Incoming) -> (Counted, Encoded) {
        let body = self.read_body(&destination, body).await;
        let destination = match (&body, destination) {
            (Ok(bytes), Destination::Form(named)) => self.routes.identify_form(named, bytes),
            (_, other) => other,
        };
        let (call, early) = match destination {
            Destination::Call(call) => (call, None),
            Destination::UnknownService(name, protocol) => {
                let error = unknown_service(&name);
                (nowhere(&UNKNOWN_SERVICE, name, protocol), Some(error))
            }
            Destination::Form(named) => {
                (nowhere(named.unwrap_or(&UNKNOWN_SERVICE), String::new(), stoa_schema::ProtocolName::AwsQuery), None)
            }
            Destination::S3 => {
                let protocol = stoa_schema::ProtocolName::RestJson1;
                let error = match head.connection.vpc_endpoint.as_deref() {
                    Some(endpoint) if self.s3.is_some() => not_through_endpoint(&endpoint.id, "s3"),
                    _ => unknown_service("s3"),
                };
                (nowhere(&UNKNOWN_SERVICE, "s3".to_owned(), protocol), Some(error))
            }
        };
        let counted = call.index.map_or(Counted::Other, Counted::Operation);
        let early = early.or_else(|| {
            let endpoint = head.connection.vpc_endpoint.as_deref()?;
            (!leads_to(endpoint, &names(call.service))).then(|| not_through_endpoint(&endpoint.id, call.service.name))
        });
        let (body, early) = match body {
            Ok(bytes) => (bytes, early),
            Err(error) => (Bytes::new(), Some(error)),
        };
        let Head { parts, signature, now, request_id, connection } = head;
        let arrived = Arrived { parts, body, call, signature, now, request_id, connection };
        (counted, pipeline::run(self, arrived, early).await)
    }

    /// Health and metrics: unsigned GETs on the server's own address only; metrics are not for a VPC's inhabitants.
    fn own_page(&self, parts: &Parts, socket: &Socket) -> Option<Response<ResponseBody>> {
        let path = parts.uri.path();
        let page = path == "/health" || (path == "/metrics" && socket.endpoint.is_none());
        let ours = parts.method == Method::GET && page && parts.uri.query().is_none();
        if !ours || parts.headers.contains_key("authorization") || aws_name(parts).is_some() {
            return None;
        }
        let (kind, text) = match path {
            "/health" => ("application/json", "{\"status\":\"ok\"}\n".to_owned()),
            _ => ("text/plain; version=0.0.4; charset=utf-8", self.metrics.render()),
        };
        let mut response = Response::new(ResponseBody::whole(text));
        response.headers_mut().insert("content-type", HeaderValue::from_static(kind));
        Some(response)
    }

    /// The front of the path, for an unsigned request to this server's own name. Under other names the path is a key of
    /// a bucket's.
    fn front_below(&self, parts: &Parts, unsigned: bool, endpoint: Option<&VpcEndpoint>) -> Option<&Arc<dyn S3Front>> {
        let (path, service, front) = self.below.as_ref()?;
        if !unsigned || !parts.uri.path().starts_with(path) {
            return None;
        }
        let host = request_host(parts).map(|host| crate::hosts::split_port(host).0).unwrap_or("");
        let of_bucket = aws_host(host).is_some() || host.ends_with(".localhost");
        let named = self.registry.services().iter().find(|spec| spec.name == *service);
        let leads = |endpoint: &VpcEndpoint| named.is_some_and(|spec| leads_to(endpoint, &names(spec)));
        (!of_bucket && endpoint.is_none_or(leads)).then_some(front)
    }

    async fn hand_to_s3(&self, request: Request<Incoming>, call: S3Call) -> Response<ResponseBody> {
        let request_id = HeaderValue::from_str(&call.request_id);
        let mut response = match &self.s3 {
            Some(front) => front.call(request, call).await,
            None => Response::new(ResponseBody::empty()),
        };
        if let Ok(value) = request_id {
            response.headers_mut().entry(S3_REQUEST_ID).or_insert(value);
        }
        response
    }

    async fn read_body(&self, destination: &Destination, body: Incoming) -> Result<Bytes, ApiError> {
        let limits = &self.config.limits;
        let limit = match destination {
            Destination::Call(call) if call.service.name == "sagemaker-runtime" => limits.invocation_body_bytes,
            _ => limits.control_body_bytes,
        };
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        if body.size_hint().lower() > limit as u64 {
            return Err(body_too_large(limit));
        }
        match tokio::time::timeout(limits.body_read, Limited::new(body, limit).collect()).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(body_too_large(limit)),
            Ok(Err(error)) => Err(ApiError::new("IncompleteBody", 400, "the request body broke off").with_cause(error)),
            Err(_) => Err(body_too_slow()),
        }
    }

    /// The socket's facts in the kernel's form; made once for all requests that name the same host.
    fn connection_of(&self, parts: &Parts, socket: &Socket) -> Arc<Connection> {
        let host = request_host(parts).unwrap_or("");
        let (known_host, known) =
            socket.known.get_or_init(|| (host.to_owned(), Arc::new(self.new_connection(host, socket))));
        if known_host == host { Arc::clone(known) } else { Arc::new(self.new_connection(host, socket)) }
    }

    fn new_connection(&self, host: &str, socket: &Socket) -> Connection {
        let base_url = match aws_host(crate::hosts::split_port(host).0) {
            Some(aws) => {
                let first = self.config.regions.first().map_or("us-east-1", Region::as_str);
                format!("https://s3.{}.amazonaws.com", aws.region.unwrap_or(first))
            }
            None => {
                let scheme = if socket.secure { "https" } else { "http" };
                format!("{scheme}://{}", plain_host(host, socket.local))
            }
        };
        let vpc_endpoint = socket.endpoint.clone();
        Connection { peer: socket.peer.ip().to_canonical(), secure: socket.secure, base_url, vpc_endpoint }
    }
}

const S3_NAMES: [&str; 1] = ["s3"];

/// What a service may be called in an endpoint's list: our name, its host, and the host's labels as AWS's endpoint
/// service names turn them (`api.sagemaker` is `com.amazonaws.<region>.sagemaker.api`).
fn names(spec: &ServiceSpec) -> [&str; 2] {
    [spec.name, spec.endpoint_prefix]
}

fn is_named(wanted: &str, name: &str) -> bool {
    let wanted =
        wanted.strip_prefix("com.amazonaws.").and_then(|rest| rest.split_once('.')).map_or(wanted, |(_, rest)| rest);
    wanted == name || (name.contains('.') && wanted.rsplit('.').eq(name.split('.')))
}

/// Whether an endpoint leads to a service of these names.
fn leads_to(endpoint: &VpcEndpoint, names: &[&str]) -> bool {
    let listed = |wanted: &String| names.iter().any(|name| is_named(wanted, name));
    endpoint.services.is_empty() || endpoint.services.iter().any(listed)
}

/// The head of a request with what has been read from it.
struct Head<'r> {
    parts: &'r Parts,
    signature: Result<Option<SignatureRequest<'r>>, SigError>,
    now: Timestamp,
    request_id: &'r str,
    connection: &'r Arc<Connection>,
}

fn nowhere(service: &'static ServiceSpec, name: String, protocol: stoa_schema::ProtocolName) -> Call {
    Call { service, spec: None, index: None, name: name.into(), protocol }
}

fn aws_name(parts: &Parts) -> Option<&str> {
    request_host(parts).map(|host| crate::hosts::split_port(host).0).filter(|host| aws_host(host).is_some())
}

/// The host as sent, unless it holds what no host and port do.
fn plain_host(host: &str, local: SocketAddr) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    if host.is_empty() || !host.bytes().all(plain) { local.to_string() } else { host.to_owned() }
}

fn response(encoded: Encoded, request_id: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(encoded.body));
    *response.status_mut() = StatusCode::from_u16(encoded.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = encoded.headers;
    if !response.headers().contains_key(REQUEST_ID)
        && let Ok(value) = HeaderValue::from_str(request_id)
    {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Puts the file that an answer names in the place of its body.
fn with_file(mut response: Response<ResponseBody>, socket: &Socket) -> Response<ResponseBody> {
    let slice = response.extensions_mut().remove::<FileSlice>();
    if let (Some(slice), Some(queue)) = (slice, &socket.files) {
        *response.body_mut() = ResponseBody::File(FileBody::new(slice, queue.clone()));
    }
    response
}

/// Counts a request as long as it is served, also when its client goes away.
struct InFlight<'m>(&'m Metrics);

impl<'m> InFlight<'m> {
    fn new(metrics: &'m Metrics) -> InFlight<'m> {
        metrics.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(metrics)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Used by [`Socket`]: the kernel's view of a connection, with the host it was made for.
pub(crate) type KnownConnection = OnceLock<(String, Arc<Connection>)>;
