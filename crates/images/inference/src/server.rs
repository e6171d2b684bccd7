//! The HTTP side of the container: `GET /ping`, `POST /invocations`, orderly end on SIGTERM or SIGINT.
//!
//! The socket is open before the model is loaded, so that `/ping` can say 503 and why. Predictions run on the blocking
//! pool, at most `workers` at a time, so `/ping` answers while the model computes. On a signal no new connection is
//! taken, running requests are answered, and `run` returns. A crash loses the requests in flight and nothing else.

use std::{
    convert::Infallible,
    io::Write as _,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{ContainerConfig, Listen},
    error::{ImageError, PredictError},
    media::{Accept, Answer, ContentType},
    predictor::Predictor,
};

/// How long running requests may take after the signal; SageMaker kills a container 30 s after SIGTERM.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(25);

/// What all requests share. The model is set once: loaded, or the reason why not.
struct Shared {
    model: OnceLock<Result<Arc<Predictor>, String>>,
    permits: Semaphore,
    max_body_bytes: usize,
}

/// Serves the container until SIGTERM or SIGINT.
///
/// # Errors
/// `ImageError` when it cannot listen. A model that cannot be loaded is no error here: `/ping` reports it.
pub async fn run(config: ContainerConfig) -> Result<(), ImageError> {
    let stop = CancellationToken::new();
    let signals = wait_for_signal(stop.clone())?;
    let result = run_until(config, stop).await;
    signals.abort();
    result
}

/// Serves until `stop` is cancelled; running requests are answered first.
///
/// # Errors
/// As `run`.
pub async fn run_until(config: ContainerConfig, stop: CancellationToken) -> Result<(), ImageError> {
    let listener = Listener::bind(&config.listen).await?;
    log(&format!("listening on {}", listener.address()));
    let shared = Arc::new(Shared {
        model: OnceLock::new(),
        permits: Semaphore::new(config.workers.max(1)),
        max_body_bytes: config.max_body_bytes,
    });
    let loading = tokio::task::spawn_blocking({
        let shared = Arc::clone(&shared);
        move || load(&shared, &config.model_dir)
    });
    let graceful = GracefulShutdown::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(stream) => serve_connection(stream, &shared, &graceful),
                Err(error) => {
                    // Out of file descriptors, most likely: give the running requests a moment to free some.
                    log(&format!("cannot accept a connection: {error}"));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
    log("stopping: answering the running requests");
    if tokio::time::timeout(SHUTDOWN_LIMIT, graceful.shutdown()).await.is_err() {
        log("stopping: some requests did not end in time");
    }
    loading.abort();
    Ok(())
}

fn wait_for_signal(stop: CancellationToken) -> Result<tokio::task::JoinHandle<()>, ImageError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ImageError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ImageError::Signal)?;
    Ok(tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
        stop.cancel();
    }))
}

fn load(shared: &Shared, model_dir: &Path) {
    let result = match Predictor::load(model_dir) {
        Ok(predictor) => {
            log(&format!("model loaded: {}", predictor.task()));
            Ok(Arc::new(predictor))
        }
        Err(error) => {
            let reason = chain(&error);
            log(&format!("the model cannot be loaded: {reason}"));
            Err(reason)
        }
    };
    // Only this function sets it, once.
    let _ = shared.model.set(result);
}

/// The error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

/// One plain line on standard output; the runtime collects them.
fn log(line: &str) {
    // A log that nobody reads any more must not end the service.
    let _ = writeln!(std::io::stdout(), "stoa-inference: {line}");
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

enum Listener {
    Tcp(TcpListener, String),
    Unix(UnixListener, String),
}

impl Listener {
    async fn bind(listen: &Listen) -> Result<Self, ImageError> {
        match listen {
            Listen::Tcp(address) => {
                let fail = |source| ImageError::Listen { address: address.to_string(), source };
                let listener = TcpListener::bind(address).await.map_err(fail)?;
                let bound = listener.local_addr().map_err(fail)?.to_string();
                Ok(Self::Tcp(listener, bound))
            }
            Listen::Unix(path) => {
                let address = path.display().to_string();
                let fail = |source| ImageError::Listen { address: address.clone(), source };
                match std::fs::remove_file(path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error)),
                    Ok(()) | Err(_) => (),
                }
                let listener = UnixListener::bind(path).map_err(fail)?;
                Ok(Self::Unix(listener, address))
            }
        }
    }

    fn address(&self) -> &str {
        match self {
            Self::Tcp(_, address) | Self::Unix(_, address) => address,
        }
    }

    async fn accept(&self) -> std::io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener, _) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::Unix(listener, _) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

fn serve_connection(stream: Box<dyn Stream>, shared: &Arc<Shared>, graceful: &GracefulShutdown) {
    let shared = Arc::clone(shared);
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&shared, request).await) }
    });
    let connection = graceful.watch(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    // A connection that breaks costs only itself; there is nobody left to tell.
    tokio::spawn(async move { drop(connection.await) });
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match (request.uri().path(), request.method()) {
        ("/ping", &Method::GET | &Method::HEAD) => ping(shared),
        ("/invocations", &Method::POST) => invoke(shared, request).await,
        ("/ping" | "/invocations", _) => {
            problem(405, "MethodNotAllowedException", "this path does not take that method")
        }
        _ => problem(404, "NotFoundException", "the container answers /ping and /invocations"),
    }
}

fn ping(shared: &Shared) -> Response<Full<Bytes>> {
    match shared.model.get() {
        Some(Ok(predictor)) => respond(
            StatusCode::OK,
            "application/json",
            json!({"status": "ready", "task": predictor.task()}).to_string(),
        ),
        Some(Err(reason)) => {
            let body = json!({"status": "failed", "message": reason}).to_string();
            respond(StatusCode::SERVICE_UNAVAILABLE, "application/json", body)
        }
        None => respond(StatusCode::SERVICE_UNAVAILABLE, "application/json", json!({"status": "loading"}).to_string()),
    }
}

async fn invoke(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let predictor = match shared.model.get() {
        Some(Ok(predictor)) => Arc::clone(predictor),
        Some(Err(reason)) => return problem(503, "ModelNotReadyException", reason),
        None => return problem(503, "ModelNotReadyException", "the model is still loading"),
    };
    let text = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let accept = Accept::parse(text(header::ACCEPT));
    let content_type = match ContentType::parse(text(header::CONTENT_TYPE)) {
        Ok(content_type) => content_type,
        Err(error) => return failure(&error),
    };
    let body = match Limited::new(request.into_body(), shared.max_body_bytes).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("the body is larger than {} bytes", shared.max_body_bytes);
            return problem(413, "PayloadTooLargeException", &message);
        }
        Err(error) => return problem(400, "BadRequestException", &format!("the body cannot be read: {error}")),
    };
    let Ok(_permit) = shared.permits.acquire().await else {
        return problem(503, "ServiceUnavailableException", "the container is stopping");
    };
    // Dropped with this future when the client goes away: the loop over tokens sees it and ends.
    let cancel = CancellationToken::new();
    let _guard = cancel.clone().drop_guard();
    let work = tokio::task::spawn_blocking(move || predictor.predict(content_type, &accept, &body, &cancel));
    match work.await {
        Ok(Ok(Answer { content_type, body })) => respond(StatusCode::OK, content_type, body),
        Ok(Err(error)) => failure(&error),
        Err(_) => problem(500, "ModelException", "the model's computation broke off"),
    }
}

fn failure(error: &PredictError) -> Response<Full<Bytes>> {
    let (status, kind) = error.status();
    if status >= 500 {
        log(&error.to_string());
    }
    problem(status, kind, &error.to_string())
}

fn problem(status: u16, kind: &str, message: &str) -> Response<Full<Bytes>> {
    let body = json!({"code": status, "type": kind, "message": message}).to_string();
    respond(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), "application/json", body)
}

fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
