//! A client: signs, sends over any stream, takes answers apart.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use stoa_sigv4::{Signer, payload_hash, sign_headers};
use stoa_types::Secret;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::world::{ADMIN, NOW, SECRET, TOKEN, World};

#[derive(Debug, Clone)]
pub struct Call {
    pub key: &'static str,
    pub secret: &'static str,
    pub token: Option<&'static str>,
    pub service: &'static str,
    pub region: &'static str,
    pub host: String,
    pub method: &'static str,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub signed: bool,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
    /// The code of a JSON error.
    pub fn code(&self) -> String {
        self.json()["__type"].as_str().unwrap_or_default().rsplit('#').next().unwrap_or_default().to_owned()
    }
    pub fn message(&self) -> String {
        let json = self.json();
        json["message"].as_str().or(json["Message"].as_str()).unwrap_or_default().to_owned()
    }
}

impl Call {
    fn new(service: &'static str, path: &str, body: impl Into<Bytes>) -> Call {
        Call {
            key: ADMIN,
            secret: SECRET,
            token: None,
            service,
            region: "us-west-2",
            host: "localhost".to_owned(),
            method: "POST",
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: body.into(),
            signed: true,
        }
    }

    pub fn json(operation: &str, body: impl Into<Bytes>) -> Call {
        Call::new("sagemaker", "/", body)
            .header("x-amz-target", &format!("SageMaker.{operation}"))
            .header("content-type", "application/x-amz-json-1.1")
    }

    pub fn query(action: &str) -> Call {
        Call::new("sts", "/", format!("Action={action}&Version=2011-06-15"))
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
    }

    pub fn invoke(endpoint: &str, body: impl Into<Bytes>) -> Call {
        Call::new("sagemaker", &format!("/endpoints/{endpoint}/invocations"), body).header("content-type", "text/csv")
    }

    pub fn cbor(operation: &str) -> Call {
        // 0xa0 is an empty map.
        Call::new("monitoring", &format!("/service/GraniteServiceVersion20100801/operation/{operation}"), vec![0xa0])
            .header("smithy-protocol", "rpc-v2-cbor")
            .header("content-type", "application/cbor")
    }

    pub fn plain(method: &'static str, path: &str) -> Call {
        Call { method, signed: false, ..Call::new("none", path, "") }
    }

    pub fn header(mut self, name: &str, value: &str) -> Call {
        self.headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        self
    }

    pub fn by(self, key: &'static str) -> Call {
        let token = key.starts_with("ASIA").then_some(TOKEN);
        Call { key, token, ..self }
    }

    pub fn request(&self) -> Request<Full<Bytes>> {
        let mut headers = self.headers.clone();
        headers.insert("host", HeaderValue::from_str(&self.host).unwrap());
        let (secret, token) = (Secret::new(self.secret), self.token.map(Secret::new));
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        if self.signed {
            let signer = Signer {
                access_key_id: self.key,
                secret: &secret,
                session_token: token.as_ref(),
                region: self.region,
                service: self.service,
                now: NOW,
            };
            sign_headers(&signer, self.method, path, query, &mut headers, &payload_hash(&self.body)).unwrap();
        }
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.parse().unwrap();
        *request.uri_mut() = self.path.parse().unwrap();
        *request.headers_mut() = headers;
        request
    }

    pub async fn send(&self, world: &World) -> Answer {
        self.send_over(TcpStream::connect(world.address).await.unwrap()).await
    }

    pub async fn send_over<S>(&self, stream: S) -> Answer
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let driver = tokio::spawn(connection);
        let answer = answer(sender.send_request(self.request()).await.unwrap()).await;
        driver.abort();
        answer
    }

    pub async fn send_http2<S>(&self, stream: S, scheme: &str) -> Answer
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await.unwrap();
        let driver = tokio::spawn(connection);
        let mut request = self.request();
        request.headers_mut().remove("host");
        *request.uri_mut() = format!("{scheme}://{}{}", self.host, self.path).parse().unwrap();
        let answer = answer(sender.send_request(request).await.unwrap()).await;
        driver.abort();
        answer
    }
}

pub async fn answer(response: hyper::Response<hyper::body::Incoming>) -> Answer {
    let (parts, body) = response.into_parts();
    Answer { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
}
