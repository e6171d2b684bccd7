//! One GET over HTTPS: no redirects, no cookies, no proxy, a mebibyte and five seconds at most.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use serde::Deserialize;
use stoa_kernel::ports::IssuerKeysError;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificates::{Topmost, TrustedOrPinned, system_verifier};

const DEADLINE: Duration = Duration::from_secs(5);
const MAX_BODY: usize = 1 << 20;

/// The parts of a discovery document that are used.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// Fetches documents.
pub(crate) struct Fetcher {
    provider: Arc<CryptoProvider>,
    system: OnceLock<Option<Arc<WebPkiServerVerifier>>>,
}

impl Default for Fetcher {
    fn default() -> Fetcher {
        Fetcher { provider: Arc::new(ring::default_provider()), system: OnceLock::new() }
    }
}

fn failed(url: &str, cause: impl std::fmt::Display) -> IssuerKeysError {
    IssuerKeysError(format!("{url}: {cause}"))
}

/// Host and port of an https URL.
fn server_of(url: &str) -> Result<(Uri, String, u16), IssuerKeysError> {
    let uri: Uri = url.parse().map_err(|error| failed(url, error))?;
    if uri.scheme_str() != Some("https") {
        return Err(failed(url, "not an https URL"));
    }
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = uri.port_u16().unwrap_or(443);
    Ok((uri, host, port))
}

impl Fetcher {
    /// The JWK set of an issuer by its discovery document.
    pub(crate) async fn discover(&self, issuer: &str, pins: &[String]) -> Result<Vec<u8>, IssuerKeysError> {
        let url = format!("{issuer}/.well-known/openid-configuration");
        let document: Discovery =
            serde_json::from_slice(&self.get(&url, pins).await?).map_err(|error| failed(&url, error))?;
        if document.issuer.trim_end_matches('/') != issuer {
            return Err(failed(&url, "it is the configuration of another issuer"));
        }
        self.get(&document.jwks_uri, pins).await
    }

    /// The body of a document.
    pub(crate) async fn get(&self, url: &str, pins: &[String]) -> Result<Vec<u8>, IssuerKeysError> {
        let system = self.system.get_or_init(|| system_verifier(&self.provider)).clone();
        let verifier = TrustedOrPinned { system, pins: pins.to_vec(), provider: Arc::clone(&self.provider) };
        let work = async {
            let (uri, stream) = self.connect(url, Arc::new(verifier)).await?;
            exchange(url, &uri, stream).await
        };
        tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(|_| Err(failed(url, "no answer within 5 seconds")))
    }

    /// The thumbprint of the topmost certificate of a server.
    pub(crate) async fn thumbprint(&self, url: &str) -> Result<String, IssuerKeysError> {
        let topmost = Arc::new(Topmost::default());
        let attempt = self.connect(url, Arc::clone(&topmost) as Arc<dyn ServerCertVerifier>);
        let outcome = tokio::time::timeout(DEADLINE, attempt).await;
        let seen = topmost.0.lock().take();
        seen.ok_or_else(|| match outcome {
            Ok(Err(error)) => error,
            Ok(Ok(_)) | Err(_) => failed(url, "no certificate within 5 seconds"),
        })
    }

    async fn connect(
        &self,
        url: &str,
        verifier: Arc<dyn ServerCertVerifier>,
    ) -> Result<(Uri, TlsStream<TcpStream>), IssuerKeysError> {
        let (uri, host, port) = server_of(url)?;
        let name = ServerName::try_from(host.clone()).map_err(|error| failed(url, error))?;
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(url, error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        let socket = TcpStream::connect((host.as_str(), port)).await.map_err(|error| failed(url, error))?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await;
        Ok((uri, stream.map_err(|error| failed(url, error))?))
    }
}

async fn exchange(url: &str, uri: &Uri, stream: TlsStream<TcpStream>) -> Result<Vec<u8>, IssuerKeysError> {
    let wrong = |error: hyper::Error| failed(url, error);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(wrong)?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, "stoa")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(url, error))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(wrong)?;
        if response.status() != StatusCode::OK {
            return Err(failed(url, response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
        Ok(body.map_err(|error| failed(url, error))?.to_bytes().to_vec())
    };
    // The connection is driven here and ends with the answer: nothing of it outlives this call.
    tokio::pin!(answer, connection);
    tokio::select! {
        result = &mut answer => result,
        ended = &mut connection => {
            ended.map_err(wrong)?;
            answer.await
        }
    }
}
