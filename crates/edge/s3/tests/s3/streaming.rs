//! Bodies as streams: aws-chunked, cut off, slow, and far larger than memory should grow.

use std::convert::Infallible;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use stoa_audit::Phase;

use crate::support::{World, ask};

const TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

fn chunked(crc: &str) -> String {
    format!("5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:{crc}\r\n\r\n")
}

#[tokio::test]
async fn chunks_with_a_trailing_checksum() {
    let world = World::with_bucket().await;
    let crc = base64::engine::general_purpose::STANDARD.encode(0x0d4a_1185_u32.to_be_bytes());
    let put = |body: String| {
        ask("PUT", "/data/k")
            .with("content-encoding", "aws-chunked")
            .with("x-amz-decoded-content-length", "11")
            .with("x-amz-trailer", "x-amz-checksum-crc32")
            .with("x-amz-sdk-checksum-algorithm", "CRC32")
            .body(body)
            .payload(TRAILER)
    };
    let done = world.send(put(chunked(&crc))).await.ok();
    assert_eq!(done.header("x-amz-checksum-crc32"), crc);
    let got = world.send(ask("GET", "/data/k").with("x-amz-checksum-mode", "ENABLED")).await.ok();
    assert_eq!((got.text(), got.header("content-length"), got.header("content-encoding")), ("hello world", "11", ""));
    assert_eq!(got.header("x-amz-checksum-crc32"), crc);

    assert_eq!(world.send(put(chunked("AAAAAA=="))).await.code(), "BadDigest");
    assert_eq!(
        world.send(put("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n".to_owned())).await.code(),
        "MalformedTrailerError"
    );
    assert_eq!(world.send(put("5\r\nhello\r\n6\r\n wor".to_owned())).await.code(), "IncompleteBody");
    assert_eq!(world.send(put("5\r\nhello\r\n0\r\n\r\n".to_owned())).await.code(), "IncompleteBody");
    let blind = ask("PUT", "/data/k").body(chunked(&crc)).payload(TRAILER);
    assert_eq!(world.send(blind).await.code(), "MissingContentLength");
    assert_eq!(world.send(ask("GET", "/data/k")).await.text(), "hello world");
}

type Pieces = std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<Bytes, std::io::Error>> + Send>>;

fn upload(
    world: &World,
    target: &str,
    length: usize,
    pieces: Pieces,
) -> Request<impl http_body::Body<Data = Bytes, Error = std::io::Error> + Send + 'static> {
    let ask = ask("PUT", target).with("content-length", length.to_string()).payload("UNSIGNED-PAYLOAD");
    let frames = pieces.map(|piece| piece.map(Frame::data));
    world.sign(&ask).body(StreamBody::new(frames)).unwrap()
}

#[tokio::test]
async fn a_client_that_goes_away_or_stalls_leaves_the_old_object_and_a_whole_record() {
    let world = World::with_bucket().await;
    world.send(ask("PUT", "/data/k").body("old")).await.ok();
    let files = world.blob_files();
    let piece = || Ok(Bytes::from(vec![1_u8; 1 << 20]));
    let gone = stream::iter((0..5).map(move |_| piece())).chain(stream::iter([Err(std::io::Error::other("reset"))]));
    let answer = world.answer(upload(&world, "/data/k", 10 << 20, gone.boxed())).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "IncompleteBody"));
    let stalled = stream::iter((0..5).map(move |_| piece())).chain(stream::pending());
    let answer = world.answer(upload(&world, "/data/k", 10 << 20, stalled.boxed())).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "RequestTimeout"));

    // The caller's own future is dropped in the middle: the call still ends, and says so.
    let slow = stream::iter((0..5).map(move |_| piece())).chain(stream::pending());
    let call = world.answer(upload(&world, "/data/k", 10 << 20, slow.boxed()));
    assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err());
    world.s3.wait_for_mutations().await;
    let last = world.records().pop().unwrap();
    assert_eq!((last.event_name.as_str(), last.phase), ("PutObject", Phase::Complete));
    assert_eq!(last.error.unwrap().error_code, "RequestTimeout");
    assert_eq!(world.send(ask("GET", "/data/k")).await.text(), "old");
    assert_eq!(world.blob_files(), files, "nothing half written is left");
}

/// Resident memory in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_flat_both_ways() {
    const PIECE: usize = 64 << 10;
    const PIECES: usize = 4096;
    let world = World::with_bucket().await;
    let before = resident();
    let piece = Bytes::from((0..PIECE).map(|index| (index % 251) as u8).collect::<Vec<_>>());
    let sent = piece.clone();
    let pieces = stream::iter((0..PIECES).map(move |_| Ok(sent.clone())));
    let answer = world.answer(upload(&world, "/data/big", PIECE * PIECES, pieces.boxed())).await.ok();
    assert!(!answer.header("etag").is_empty());
    let mut most = resident();

    let get = world.sign(&ask("GET", "/data/big")).body(http_body_util::Empty::<Bytes>::new()).unwrap();
    let mut body = world.stream(get).await.into_body();
    let (mut length, mut offset_ok) = (0, true);
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        offset_ok &= data.first() == Some(&(((length % PIECE) % 251) as u8));
        length += data.len();
        most = most.max(resident());
    }
    assert!(offset_ok);
    assert_eq!(length, PIECE * PIECES);
    let grown = most.saturating_sub(before) / 1024;
    // Other tests run in this process; a body held in memory would be 256 MiB.
    assert!(grown < 128, "memory grew by {grown} MiB");
}

#[tokio::test]
async fn who_waits_to_send_and_need_not_is_to_connect_anew() {
    let world = World::with_bucket().await;
    let put = |key: &'static str| ask("PUT", key).with("expect", "100-continue");
    assert_eq!(world.send(put("/data/empty")).await.ok().header("connection"), "close");
    assert_eq!(world.send(put("/data/full").body("x")).await.ok().header("connection"), "");
    let refused = world.send(put("/data/full").body("x").with("if-none-match", "*")).await;
    assert_eq!((refused.code(), refused.header("connection")), ("PreconditionFailed", "close"));
    assert_eq!(world.send(ask("PUT", "/data/empty")).await.ok().header("connection"), "");
}

#[tokio::test]
async fn an_empty_body_is_an_object() {
    let world = World::with_bucket().await;
    let put = Request::put(world.presigned("ADMIN", None, "PUT", "h", "/data/empty", 60)).header("host", "h");
    let put = put.header("content-length", "0");
    let body = http_body_util::Empty::<Bytes>::new().map_err(|never: Infallible| match never {});
    world.answer(put.body(body.map_err(|error: std::io::Error| error)).unwrap()).await.ok();
    world.send(ask("PUT", "/data/dir/").body("")).await.ok();
    for key in ["empty", "dir/"] {
        let got = world.send(ask("GET", &format!("/data/{key}"))).await.ok();
        assert_eq!((got.body.len(), got.header("etag")), (0, "\"d41d8cd98f00b204e9800998ecf8427e\""));
    }
}
