//! One connection from its first byte to its last: TLS or not, HTTP/1.1 or HTTP/2, then requests to the gateway.
//!
//! INVARIANT: every wait here has a deadline, so a client that is slow, half-open or malformed costs only its own
//! socket and task. Nothing here is lost by a crash: a connection has no state but the bytes on it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use stoa_kernel::VpcEndpoint;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;

use crate::gateway::KnownConnection;
use crate::transport::body::ResponseBody;
use crate::transport::front_door;
use crate::transport::sendfile::{FileQueue, PlainSocket};
use crate::transport::server::Shared;

/// The largest piece of a body that is read at once: hyper's own 400 KiB is memory that many writers have many times.
const READ_BUFFER: usize = 128 << 10;

/// Facts of a socket that every request on it shares.
#[derive(Debug, Clone)]
pub(crate) struct Socket {
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub secure: bool,
    /// The VPC endpoint whose listener took it.
    pub endpoint: Option<Arc<VpcEndpoint>>,
    /// The AWS host that a front-door tunnel was opened to.
    pub front_door_host: Option<Arc<str>>,
    /// Where bodies that are files go, on a connection that can send them without reading.
    pub files: Option<FileQueue>,
    /// The kernel's view of it, made at the first request.
    pub known: KnownConnection,
}

enum FirstBytes {
    Tls,
    Http1,
    Http2,
}

/// Serves a connection that was just accepted.
pub(crate) async fn serve(shared: Arc<Shared>, stream: TcpStream, socket: Socket) {
    let limit = shared.gateway.config().limits.header_read;
    let first = match tokio::time::timeout(limit, first_bytes(&stream)).await {
        Ok(Ok(first)) => first,
        Ok(Err(_)) | Err(_) => return,
    };
    match first {
        FirstBytes::Tls => serve_tls(shared, stream, socket).await,
        FirstBytes::Http1 => {
            let files = FileQueue::default();
            let stream = PlainSocket::new(stream, files.clone());
            serve_http1(shared, stream, Socket { files: Some(files), ..socket }).await;
        }
        FirstBytes::Http2 => serve_http2(shared, stream, socket).await,
    }
}

/// Looks at the first bytes without taking them.
async fn first_bytes(stream: &TcpStream) -> io::Result<FirstBytes> {
    loop {
        let mut buffer = [0_u8; 3];
        match stream.peek(&mut buffer).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => match buffer.get(..count) {
                Some([0x16, ..]) => return Ok(FirstBytes::Tls),
                Some(b"PRI") => return Ok(FirstBytes::Http2),
                Some(b"P" | b"PR") => {}
                _ => return Ok(FirstBytes::Http1),
            },
        }
        // `P` or `PR` alone: the rest of the word is on its way, and peeking does not wait for it.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// TLS straight on the listener: the certificate follows the name the client asks for.
async fn serve_tls(shared: Arc<Shared>, stream: TcpStream, socket: Socket) {
    let limit = shared.gateway.config().limits.handshake;
    let accepted = tokio::time::timeout(limit, async {
        let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
        let name = start.client_hello().server_name().map(str::to_owned);
        let host = name.unwrap_or_else(|| match socket.local.ip() {
            ip if ip.is_loopback() => "localhost".to_owned(),
            ip => ip.to_string(),
        });
        let config = shared.authority.server_config(&host).map_err(io::Error::other)?;
        start.into_stream(config).await
    });
    match accepted.await {
        Ok(Ok(stream)) => {
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let socket = Socket { secure: true, ..socket };
            serve_negotiated(shared, stream, socket, http2).await;
        }
        Ok(Err(error)) => tracing::debug!(peer = %socket.peer, %error, "tls handshake failed"),
        Err(_) => tracing::debug!(peer = %socket.peer, "tls handshake timed out"),
    }
}

/// Serves a stream whose HTTP version ALPN settled.
pub(crate) async fn serve_negotiated<S>(shared: Arc<Shared>, stream: S, socket: Socket, http2: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if http2 {
        serve_http2(shared, stream, socket).await;
    } else {
        serve_http1(shared, stream, socket).await;
    }
}

async fn serve_http1<S>(shared: Arc<Shared>, stream: S, socket: Socket)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.gateway.config().limits;
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header_read).max_header_size(limits.header_bytes);
    builder.max_buf_size(READ_BUFFER.max(limits.header_bytes));
    if limits.header_count != 100 {
        builder.max_headers(limits.header_count);
    }
    let (peer, socket) = (socket.peer, Arc::new(socket));
    let stopping = shared.stopping.clone();
    let service = service_fn(move |request| respond(Arc::clone(&shared), Arc::clone(&socket), request));
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    note(peer, result);
}

async fn serve_http2<S>(shared: Arc<Shared>, stream: S, socket: Socket)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.gateway.config().limits;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.header_read / 2)
        .keep_alive_timeout(limits.header_read / 2)
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
    let (peer, socket, idle_limit) = (socket.peer, Arc::new(socket), limits.header_read);
    let (stopping, activity) = (shared.stopping.clone(), Arc::new(Activity::default()));
    let observed = Arc::clone(&activity);
    let service = service_fn(move |request| {
        let (shared, socket, serving) = (Arc::clone(&shared), Arc::clone(&socket), Serving::new(&observed));
        async move {
            let response = respond(shared, socket, request).await;
            drop(serving);
            response
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let (mut served_before, mut told) = (None, false);
    let result = loop {
        tokio::select! {
            result = connection.as_mut() => break result,
            () = stopping.cancelled(), if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep(idle_limit) => {
                let served = activity.served.load(Ordering::Relaxed);
                if activity.in_flight.load(Ordering::Relaxed) == 0 && served_before == Some(served) {
                    if served == 0 {
                        // It shook hands at most: there is nothing to finish.
                        return;
                    }
                    // Bodies still being sent are finished first.
                    connection.as_mut().graceful_shutdown();
                }
                served_before = Some(served);
            }
        }
    };
    note(peer, result);
}

/// What a HTTP/2 connection is doing; hyper has an idle limit for HTTP/1 only.
#[derive(Default)]
struct Activity {
    in_flight: AtomicUsize,
    served: AtomicUsize,
}

/// Counts a request until its response begins or its stream is gone.
struct Serving(Arc<Activity>);

impl Serving {
    fn new(activity: &Arc<Activity>) -> Serving {
        activity.in_flight.fetch_add(1, Ordering::Relaxed);
        Serving(Arc::clone(activity))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.served.fetch_add(1, Ordering::Relaxed);
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn note(peer: SocketAddr, result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

/// Answers one request of a connection.
async fn respond(
    shared: Arc<Shared>,
    socket: Arc<Socket>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    if request.method() == Method::CONNECT {
        return Ok(front_door::connect(&shared, &socket, request));
    }
    Ok(shared.gateway.serve(request, &socket).await)
}
