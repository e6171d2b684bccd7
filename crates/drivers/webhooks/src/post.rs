//! One POST: no redirects, no cookies, no proxy, ten seconds at most. Any 2xx is a yes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const DEADLINE: Duration = Duration::from_secs(10);

/// Why an event was not taken, or a URL is none to post to.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WebhookError(String);

fn failed(cause: impl std::fmt::Display) -> WebhookError {
    WebhookError(cause.to_string())
}

/// Where events are posted.
#[derive(Debug, Clone)]
pub struct Webhook {
    url: String,
    uri: Uri,
    secure: bool,
    host: String,
    port: u16,
}

impl Webhook {
    /// From its URL: `http://` or `https://`.
    pub fn parse(url: &str) -> Result<Webhook, WebhookError> {
        let uri: Uri = url.parse().map_err(|error| failed(format!("`{url}`: {error}")))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(failed(format!("`{url}` is no http or https URL"))),
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(failed(format!("`{url}`: a password in a URL is not sent")));
        }
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Webhook { url: url.to_owned(), uri, secure, host, port })
    }

    /// As it was configured.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Posts an event.
    pub(crate) async fn post(&self, body: &str) -> Result<(), WebhookError> {
        let work = async {
            let socket = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(failed)?;
            if !self.secure {
                return self.exchange(socket, body).await;
            }
            let name = ServerName::try_from(self.host.clone()).map_err(failed)?;
            let stream = TlsConnector::from(client_config()?).connect(name, socket).await.map_err(failed)?;
            self.exchange(stream, body).await
        };
        tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(|_| Err(failed("no answer within 10 seconds")))
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        body: &str,
    ) -> Result<(), WebhookError> {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let host = self.uri.authority().map_or("", |authority| authority.as_str());
        let request = Request::post(path)
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "stoa")
            .header(header::CONNECTION, "close")
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .map_err(failed)?;
        let answer = async {
            let status = sender.send_request(request).await.map_err(failed)?.status();
            if status.is_success() { Ok(()) } else { Err(failed(status)) }
        };
        // The connection is driven here and ends with the answer: nothing of it outlives this call.
        tokio::pin!(answer, connection);
        tokio::select! {
            result = &mut answer => result,
            ended = &mut connection => {
                ended.map_err(failed)?;
                answer.await
            }
        }
    }
}

/// Trusts what the system trusts.
fn client_config() -> Result<Arc<ClientConfig>, WebhookError> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::clone(CONFIG.get_or_init(|| Arc::new(config))))
}
