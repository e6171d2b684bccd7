//! Slow, half-open and oversized clients cost themselves only.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Call;
use crate::world::World;

const SHORT: Duration = Duration::from_millis(300);

fn describe() -> Call {
    Call::json("DescribeHub", r#"{"HubName":"h1"}"#)
}

/// Sends the bytes and returns what came back before the server closed.
async fn raw(world: &World, bytes: &[u8]) -> (String, Duration) {
    let started = Instant::now();
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the server closes the connection");
    (String::from_utf8_lossy(&answer).into_owned(), started.elapsed())
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let world = World::with_limits(|limits| (limits.header_read, limits.handshake) = (SHORT, SHORT)).await;
    for start in [&b""[..], b"P", b"PR", b"POST / HTTP/1.1\r\nHost: x\r\n", b"\x16", b"\x16\x03\x01"] {
        let (_, waited) = raw(&world, start).await;
        assert!(waited < Duration::from_secs(9), "{start:?} {waited:?}");
        assert_eq!(describe().send(&world).await.status, 200, "others are served");
    }
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let world = World::with_limits(|limits| limits.header_read = SHORT).await;
    let request = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    let (answer, waited) = raw(&world, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && waited < Duration::from_secs(9), "{answer}");
    // HTTP/2: a preface and nothing more, then one that has served a request.
    raw(&world, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    raw(&world, b"PRI").await;
    let stream = TcpStream::connect(world.address).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, hyper_util::rt::TokioIo::new(stream)).await.unwrap();
    let ended = tokio::spawn(connection);
    let mut request = Call::plain("GET", "/health").request();
    *request.uri_mut() = "http://localhost/health".parse().unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
    assert!(tokio::time::timeout(Duration::from_secs(9), ended).await.is_ok());
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let world = World::with_limits(|limits| limits.body_read = SHORT).await;
    let head = "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.DescribeHub\r\nContent-Length: 100\r\n\r\n{";
    let (answer, _) = raw(&world, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(world.journal.last().error.unwrap().error_code, "RequestTimeout");
}

#[tokio::test]
async fn malformed_heads() {
    let world = World::start().await;
    let (answer, _) = raw(&world, b"NOT HTTP AT ALL\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let long = format!("GET /b HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(70_000));
    let (answer, _) = raw(&world, long.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many: String = (0..150).map(|index| format!("X-{index}: 1\r\n")).collect();
    let (answer, _) = raw(&world, format!("GET /b HTTP/1.1\r\nHost: x\r\n{many}\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_eq!(describe().send(&world).await.status, 200);
}

#[tokio::test]
async fn bodies_have_a_size() {
    let world = World::start().await;
    let too_large = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.DescribeHub\r\nContent-Length: {}\r\n\r\n",
        2 * 1024 * 1024 + 1
    );
    let (answer, _) = raw(&world, too_large.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("RequestEntityTooLargeException"), "{answer}");
    assert_eq!(world.journal.last().error.unwrap().error_code, "RequestEntityTooLargeException");
    let mut chunked =
        b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.DescribeHub\r\nTransfer-Encoding: chunked\r\n\r\n"
            .to_vec();
    let chunk = [b"100000\r\n".to_vec(), vec![b'x'; 0x10_0000], b"\r\n".to_vec()].concat();
    (0..2).for_each(|_| chunked.extend_from_slice(&chunk));
    chunked.extend_from_slice(b"1\r\nx\r\n");
    let (answer, _) = raw(&world, &chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let invocation = Call::invoke("e1", vec![b'x'; 7 * 1024 * 1024]).send(&world).await;
    assert_eq!((invocation.status.as_u16(), invocation.body.len()), (200, 7 * 1024 * 1024));
}

#[tokio::test]
async fn operations_have_a_deadline() {
    let world = World::with_limits(|limits| limits.request = SHORT).await;
    let answer = Call::json("DescribeHub", r#"{"HubName":"wait"}"#).send(&world).await;
    assert_eq!((answer.status.as_u16(), &*answer.code()), (504, "RequestTimeoutException"));
    assert_eq!(world.journal.last().error.unwrap().error_code, "RequestTimeoutException");
}

#[tokio::test]
async fn connections_over_the_limit_wait_their_turn() {
    let world = World::with_limits(|limits| limits.connections = 1).await;
    let first = TcpStream::connect(world.address).await.unwrap();
    let call = describe();
    let second = call.send(&world);
    let mut second = std::pin::pin!(second);
    assert!(tokio::time::timeout(SHORT, &mut second).await.is_err(), "there is no room yet");
    drop(first);
    assert_eq!(second.await.status, 200);
}
