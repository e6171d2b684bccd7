//! The empty handler on the same HTTP stack: hyper through hyper-util's automatic protocol choice, tokio with a worker
//! per core, the same allocator, TCP_NODELAY. It reads the body and answers 200 with a few bytes of JSON.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;

use crate::wire::Outcome;

/// The argument that makes this program that server.
pub const ARGUMENT: &str = "--empty-server";

/// Serves for ever.
pub fn serve() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                let stack = Builder::new(TokioExecutor::new());
                // A connection that ends is all the same here.
                let _ = stack.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            });
        }
    })
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let _ = request.into_body().collect().await;
    let response = Response::builder().header("content-type", "application/x-amz-json-1.1");
    let response = response.body(Full::new(Bytes::from_static(b"{}")));
    Ok(response.unwrap_or_else(|_| Response::new(Full::new(Bytes::new()))))
}

/// That server as a child process; killed when dropped.
pub struct Empty {
    process: Child,
    pub address: String,
}

impl Empty {
    pub fn start() -> Outcome<Empty> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.arg(ARGUMENT).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        Ok(Empty { process, address: line.trim().to_owned() })
    }
}

impl Drop for Empty {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
