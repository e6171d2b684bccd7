//! What the scenario tests share: paths, one-line predictions, a container on a Unix socket and a client for it.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use stoa_image_inference::{
    Accept, Answer, ContainerConfig, ContentType, ImageError, Listen, PredictError, Predictor, run_until,
};
use tokio::{net::UnixStream, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub fn sample_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../catalog/sample").canonicalize().unwrap()
}

pub fn artifact(id: &str, version: &str) -> PathBuf {
    sample_dir().join(id).join(version).join("artifact")
}

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/container/fixtures").join(name)
}

pub fn load(id: &str) -> Predictor {
    Predictor::load(&artifact(id, "1.0.0")).unwrap()
}

pub fn ask(
    model: &Predictor,
    content_type: &str,
    accept: &str,
    body: impl AsRef<[u8]>,
) -> Result<Answer, PredictError> {
    let content_type = ContentType::parse(Some(content_type))?;
    model.predict(content_type, &Accept::parse(Some(accept)), body.as_ref(), &CancellationToken::new())
}

/// A JSON question's JSON answer.
pub fn ask_json(model: &Predictor, body: &Value) -> Value {
    let answer = ask(model, "application/json", "application/json", body.to_string()).unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}

/// The message of a refused question, which must be the caller's fault.
pub fn refused(model: &Predictor, content_type: &str, body: impl AsRef<[u8]>) -> String {
    match ask(model, content_type, "application/json", body) {
        Err(PredictError::BadInput(message)) => message,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// A container of its own on a socket of its own.
pub struct Container {
    folder: tempfile::TempDir,
    pub stop: CancellationToken,
    pub done: JoinHandle<Result<(), ImageError>>,
}

impl Container {
    pub fn start(model_dir: &Path) -> Self {
        Self::start_with(model_dir, |_| ())
    }

    pub fn start_with(model_dir: &Path, change: impl FnOnce(&mut ContainerConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = ContainerConfig::new(model_dir, Listen::Unix(folder.path().join("socket")));
        change(&mut config);
        let stop = CancellationToken::new();
        let done = tokio::spawn(run_until(config, stop.clone()));
        Self { folder, stop, done }
    }

    pub async fn client(&self) -> SendRequest<Full<Bytes>> {
        connect(&self.folder.path().join("socket")).await
    }

    /// A client, once `/ping` has said something final.
    pub async fn ready(&self) -> (SendRequest<Full<Bytes>>, u16, Value) {
        let mut client = self.client().await;
        loop {
            let (status, body) = send(&mut client, Request::get("/ping").body(Full::default()).unwrap()).await;
            if body["status"] != "loading" {
                return (client, status, body);
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

pub async fn connect(path: &Path) -> SendRequest<Full<Bytes>> {
    for _ in 0..400 {
        if let Ok(stream) = UnixStream::connect(path).await {
            let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            return sender;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the container did not open its socket");
}

pub fn invocation(content_type: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post("/invocations").header("content-type", content_type).body(Full::new(body.into())).unwrap()
}

pub async fn send_raw(client: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> Response<Bytes> {
    client.ready().await.unwrap();
    let (parts, body) = client.send_request(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

/// The status and JSON body of an answer.
pub async fn send(client: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> (u16, Value) {
    let response = send_raw(client, request).await;
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
}
