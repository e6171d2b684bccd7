//! Answers that are files: every byte as it is in the file, framed by hyper, over plain connections only.

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use hyper::Response;
use stoa_blob::FileSlice;
use stoa_gateway::{ResponseBody, S3Call};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Call;
use crate::front_door::through;
use crate::world::{World, until};

/// Bytes without a short period.
pub fn sample(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..size).map(next).collect()
}

/// Answers `/files/<size>/<start>/<length>` as a store's file would be: as a file where the connection takes one.
pub fn front(path: &str, call: &S3Call) -> Option<Response<ResponseBody>> {
    let mut numbers = path.strip_prefix("/files/")?.split('/').map(|number| number.parse::<usize>().unwrap());
    let (size, start, length) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let bytes = sample(size);
    if !call.takes_files {
        let slice = Bytes::from(bytes).slice(start..start + length);
        return Some(Response::builder().header("x-way", "read").body(ResponseBody::whole(slice)).unwrap());
    }
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let mut response = Response::builder()
        .header("x-way", "sent")
        .header("content-length", length)
        .body(ResponseBody::empty())
        .unwrap();
    let slice = FileSlice { file: Arc::new(file), start: start as u64, length: length as u64 };
    response.extensions_mut().insert(slice);
    Some(response)
}

fn ask(size: usize, start: usize, length: usize) -> String {
    format!("GET /files/{size}/{start}/{length} HTTP/1.1\r\nhost: s3.us-west-2.amazonaws.com\r\n\r\n")
}

/// Reads an answer: its head, and as many bytes as it says.
async fn read(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    (head, body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_many_files() {
    let world = World::start().await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let mega = 1 << 20;
    // Around the size of a frame, and odd ones.
    let cases = [
        (10, 0, 10),
        (10, 3, 1),
        (5 * mega, 0, 5 * mega),
        (2 * mega, 0, 2 * mega),
        (3 * mega, 1, 2 * mega),
        (3 * mega, 7, 2 * mega + 1),
        (5 * mega + 3, 12_345, 4_000_001),
        (100, 50, 0),
    ];
    for (size, start, length) in cases {
        stream.write_all(ask(size, start, length).as_bytes()).await.unwrap();
        let (head, body) = read(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("x-way: sent"), "{head}");
        assert!(body == sample(size)[start..start + length], "{size} {start} {length}");
        // What is not a file goes over the same connection.
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut stream).await.1, b"{\"status\":\"ok\"}\n");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_sent_ahead_are_answered_in_order() {
    let world = World::start().await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let sizes = [3_000_000, 1, 2 << 20, 70_000, 2 << 20, 4_000_000];
    let all: String = sizes.iter().map(|size| ask(size + 1, 1, *size)).collect();
    stream.write_all(all.as_bytes()).await.unwrap();
    for size in sizes {
        let (_, body) = read(&mut stream).await;
        assert!(body == sample(size + 1)[1..], "{size}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_do_not_mix() {
    let world = World::start().await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..16_usize {
        let address = world.address;
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let (size, start) = (2_500_000 + number, number * 1001);
            for _ in 0..3 {
                stream.write_all(ask(size, start, size - start).as_bytes()).await.unwrap();
                assert!(read(&mut stream).await.1 == sample(size)[start..]);
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_open() {
    let world = World::start().await;
    for _ in 0..4 {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(ask(30_000_000, 0, 30_000_000).as_bytes()).await.unwrap();
        let mut some = [0; 10_000];
        stream.read_exact(&mut some).await.unwrap();
    }
    until("the connections are gone", || world.gateway.metrics().render().contains("stoa_connections_open 0")).await;
}

#[tokio::test]
async fn other_connections_get_bytes_in_the_ordinary_way() {
    let world = World::start().await;
    let call = Call { host: "s3.us-west-2.amazonaws.com".to_owned(), ..Call::plain("GET", "/files/300000/5/299000") };
    let plain = call.send(&world).await;
    assert_eq!((plain.headers["x-way"].to_str().unwrap(), plain.body.len()), ("sent", 299_000));
    let stream = TcpStream::connect(world.address).await.unwrap();
    let second = call.send_http2(stream, "http").await;
    assert_eq!(second.headers["x-way"], "read");
    assert!(second.body == plain.body);
    let stream = through(&world, "s3.us-west-2.amazonaws.com", b"http/1.1").await;
    let secure = call.send_over(stream).await;
    assert_eq!(secure.headers["x-way"], "read");
    assert!(secure.body == plain.body);
}

#[tokio::test]
async fn a_file_that_is_too_short_breaks_the_answer_off() {
    let world = World::start().await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(b"GET /short HTTP/1.1\r\nhost: s3.us-west-2.amazonaws.com\r\n\r\n").await.unwrap();
    let mut all = Vec::new();
    // The connection ends before as many bytes came as the head says.
    let _ = stream.read_to_end(&mut all).await;
    assert!(all.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&all[..100]));
    assert!(
        String::from_utf8_lossy(&all[..500]).contains("content-length: 1000000\r\n"),
        "the whole length was promised"
    );
    assert!(all.len() < 600_000, "{} bytes came", all.len());
}

/// An answer that promises more than its file has.
pub fn short() -> Response<ResponseBody> {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(&sample(500_000), 0).unwrap();
    let mut response = Response::builder().header("content-length", 1_000_000).body(ResponseBody::empty()).unwrap();
    response.extensions_mut().insert(FileSlice { file: Arc::new(file), start: 0, length: 1_000_000 });
    response
}
