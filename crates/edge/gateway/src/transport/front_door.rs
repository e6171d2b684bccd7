//! The front door: `CONNECT <aws host>:443` on the ordinary listener leads back to this very server, over TLS with a
//! certificate of our own authority. Other hosts are refused, or tunnelled where the operator's list admits them.
//!
//! INVARIANT: nothing is ever sent to AWS from here; an AWS host name is always answered by Stoa itself.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::hosts::{admits, aws_host, split_port};
use crate::transport::body::ResponseBody;
use crate::transport::connection::{Socket, serve_negotiated};
use crate::transport::server::Shared;

const TUNNEL_CONNECT: Duration = Duration::from_secs(10);

/// Answers a CONNECT and, when it is accepted, serves what comes through it in a tracked task of its own.
pub(crate) fn connect(
    shared: &Arc<Shared>,
    socket: &Arc<Socket>,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let Some(target) = request.uri().authority().map(|authority| authority.as_str().to_owned()) else {
        return refusal(StatusCode::BAD_REQUEST, "CONNECT needs a `host:port`");
    };
    if request.version() == Version::HTTP_2 {
        return refusal(StatusCode::NOT_IMPLEMENTED, "CONNECT is served over HTTP/1.1 only");
    }
    if socket.front_door_host.is_some() {
        return refusal(StatusCode::FORBIDDEN, "CONNECT inside a CONNECT is refused");
    }
    let (host, port) = split_port(&target);
    let port = port.unwrap_or(443);
    if aws_host(host).is_some() {
        if port != 443 {
            return refusal(StatusCode::FORBIDDEN, &format!("`{host}` is served on port 443 only, not {port}"));
        }
        let host: Arc<str> = host.trim_end_matches('.').to_ascii_lowercase().into();
        let inner = Socket {
            peer: socket.peer,
            local: socket.local,
            secure: true,
            endpoint: socket.endpoint.clone(),
            front_door_host: Some(Arc::clone(&host)),
            files: None,
            known: Default::default(),
        };
        let (task_shared, upgrade) = (Arc::clone(shared), hyper::upgrade::on(request));
        shared.tasks.spawn(shared.until_killed(serve_front_door(task_shared, upgrade, inner, host)));
        return Response::new(ResponseBody::empty());
    }
    if shared.gateway.config().allow_tunnel.iter().any(|pattern| admits(pattern, host, port)) {
        let (host, upgrade) = (host.trim_matches(['[', ']']).to_owned(), hyper::upgrade::on(request));
        let stopping = shared.stopping.clone();
        shared.tasks.spawn(async move {
            tokio::select! {
                result = tunnel(upgrade, &host, port) => {
                    if let Err(error) = result {
                        tracing::debug!(%host, port, %error, "tunnel ended");
                    }
                }
                () = stopping.cancelled() => {}
            }
        });
        return Response::new(ResponseBody::empty());
    }
    let shown: String = host.chars().take(128).collect();
    refusal(
        StatusCode::FORBIDDEN,
        &format!(
            "stoa's front door serves AWS hosts only; `{shown}:{port}` is not one, and allow_tunnel does not list it"
        ),
    )
}

fn refusal(status: StatusCode, message: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(format!("{message}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

async fn serve_front_door(shared: Arc<Shared>, upgrade: OnUpgrade, socket: Socket, host: Arc<str>) {
    let limit = shared.gateway.config().limits.handshake;
    let peer = socket.peer;
    let accepted = tokio::time::timeout(limit, async {
        let upgraded = upgrade.await.map_err(io::Error::other)?;
        let config = shared.authority.server_config(&host).map_err(io::Error::other)?;
        TlsAcceptor::from(config).accept(TokioIo::new(upgraded)).await
    });
    match accepted.await {
        Ok(Ok(stream)) => {
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            serve_negotiated(shared, stream, socket, http2).await;
        }
        Ok(Err(error)) => tracing::debug!(%peer, %host, %error, "front door handshake failed"),
        Err(_) => tracing::debug!(%peer, %host, "front door handshake timed out"),
    }
}

async fn tunnel(upgrade: OnUpgrade, host: &str, port: u16) -> io::Result<()> {
    let upgraded = upgrade.await.map_err(io::Error::other)?;
    let connected = tokio::time::timeout(TUNNEL_CONNECT, TcpStream::connect((host, port)));
    let mut remote = connected.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    tokio::io::copy_bidirectional(&mut TokioIo::new(upgraded), &mut remote).await.map(|_| ())
}
