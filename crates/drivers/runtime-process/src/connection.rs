//! HTTP to a container over its Unix socket, with kept connections: an invocation on a warm endpoint opens none.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use stoa_runtime::RuntimeError;
use tokio::net::UnixStream;

type Sender = SendRequest<Full<Bytes>>;

const MOST_IDLE: usize = 64;
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;

/// The connections to one container.
#[derive(Debug)]
pub struct Connections {
    folder: File,
    socket: PathBuf,
    idle: Mutex<Vec<Sender>>,
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Connections {
    /// Connections to the socket of this name in a folder. The folder is held open and named through `/proc`, since a
    /// socket's path may not be longer than 107 bytes and a data folder's may.
    pub fn new(folder: &Path, name: &str) -> std::io::Result<Connections> {
        let folder = File::open(folder)?;
        let socket = PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()));
        Ok(Connections { folder, socket, idle: Mutex::new(Vec::new()) })
    }

    /// Sends a request and reads the whole answer. A kept connection that turns out closed before anything was sent
    /// is replaced by a new one; a request that may have been seen is never sent twice.
    pub async fn send(&self, request: Request<Full<Bytes>>, deadline: Duration) -> Result<Answer, RuntimeError> {
        let answered = tokio::time::timeout(deadline, self.exchange(request)).await;
        answered.unwrap_or_else(|_| Err(no_answer(format!("no answer within {} s", deadline.as_secs()))))
    }

    async fn exchange(&self, mut request: Request<Full<Bytes>>) -> Result<Answer, RuntimeError> {
        while let Some(mut kept) = self.kept().await {
            match kept.try_send_request(request).await {
                Ok(response) => return self.answer(kept, response).await,
                Err(mut error) => match error.take_message() {
                    // Closed before anything of the request was sent.
                    Some(unsent) => request = unsent,
                    None => return Err(no_answer(error.into_error().to_string())),
                },
            }
        }
        let mut fresh = self.connect().await?;
        let response = fresh.send_request(request).await.map_err(|error| no_answer(error.to_string()))?;
        self.answer(fresh, response).await
    }

    /// Reads the whole answer and keeps the connection for the next request.
    async fn answer(&self, mut sender: Sender, response: Response<Incoming>) -> Result<Answer, RuntimeError> {
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await.map_err(|error| no_answer(error.to_string()))?;
        if sender.is_ready() || sender.ready().await.is_ok() {
            let mut idle = self.idle.lock();
            if idle.len() < MOST_IDLE {
                idle.push(sender);
            }
        }
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    }

    async fn kept(&self) -> Option<Sender> {
        loop {
            let mut kept = self.idle.lock().pop()?;
            if !kept.is_closed() && kept.ready().await.is_ok() {
                return Some(kept);
            }
        }
    }

    async fn connect(&self) -> Result<Sender, RuntimeError> {
        // INVARIANT: the socket's path is valid while `folder` is open, which is as long as `self` lives.
        debug_assert!(self.folder.as_raw_fd() >= 0);
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| no_answer(error.to_string()))?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| no_answer(error.to_string()))?;
        tokio::spawn(async move {
            // The sender sees every failure of the connection; this task only drives it.
            let _ = connection.await;
        });
        Ok(sender)
    }
}

fn no_answer(why: String) -> RuntimeError {
    RuntimeError::NoAnswer(why)
}
