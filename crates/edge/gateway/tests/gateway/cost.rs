//! Measurements, no verdicts: what the pipeline adds to an empty handler on the same stack, journal in memory.
//! `cargo test -p stoa-gateway --release -- --ignored --nocapture cost`

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::client::Call;
use crate::world::World;

static ANSWERS: AtomicU64 = AtomicU64::new(0);

async fn client(address: SocketAddr, call: Call) {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = call.request();
    loop {
        let response = sender.send_request(request.clone()).await.unwrap();
        assert_eq!(response.status(), 200);
        response.into_body().collect().await.unwrap();
        ANSWERS.fetch_add(1, Ordering::Relaxed);
    }
}

async fn rate(address: SocketAddr) -> u64 {
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..64 {
        clients.spawn(client(address, Call::json("DescribeHub", r#"{"HubName":"h1"}"#)));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = ANSWERS.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after = ANSWERS.load(Ordering::Relaxed);
    clients.shutdown().await;
    (after - before) / 3
}

async fn empty_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| async move {
                let _ = request.into_body().collect().await;
                Ok::<_, Infallible>(hyper::Response::new(Full::<Bytes>::default()))
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn cost_of_the_pipeline() {
    let world = World::start().await;
    world.journal.counting.store(true, Ordering::SeqCst);
    let empty = empty_server().await;
    for _ in 0..3 {
        let (bare, full) = (rate(empty).await, rate(world.address).await);
        println!("empty {bare}/s, pipeline {full}/s, ratio {:.2}", full as f64 / bare as f64);
    }
}
