//! Answers as ranges of files: the same in every header as those that are read, given for plain blobs only, and what
//! was opened stays what it was.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use http::HeaderMap;

use crate::support::{Answer, World, ask};

/// More than fits in a write of its own.
const SIZE: usize = 200_000;

fn sample(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 251) as u8).collect()
}

async fn world() -> World {
    let world = World::with_bucket().await;
    let put = ask("PUT", "/data/k")
        .with("content-type", "application/x-model")
        .with("cache-control", "max-age=60")
        .with("content-disposition", "attachment")
        .with("content-encoding", "gzip")
        .with("content-language", "de")
        .with("expires", "Thu, 01 Dec 2033 16:00:00 GMT")
        .with("x-amz-meta-a", "b")
        .with("x-amz-storage-class", "STANDARD_IA")
        .with("x-amz-tagging", "a=b&c=d");
    world.send(put.body(sample(SIZE))).await.ok();
    world.send(ask("PUT", "/data/small").body("0123456789")).await.ok();
    let sealed = ask("PUT", "/data/sealed").with("x-amz-server-side-encryption", "AES256");
    world.send(sealed.body(sample(SIZE))).await.ok();
    world
}

fn compared(headers: &HeaderMap) -> BTreeMap<String, Vec<u8>> {
    let own = |name: &str| matches!(name, "x-amz-request-id" | "x-stoa-decision-id");
    headers
        .iter()
        .filter(|(name, _)| !own(name.as_str()))
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect()
}

/// The body without the request's id, which errors tell.
fn told(answer: &Answer) -> Vec<u8> {
    let id = answer.header("x-amz-request-id");
    match answer.status.is_success() {
        true => answer.body.to_vec(),
        false => String::from_utf8_lossy(&answer.body).replace(id, "").into_bytes(),
    }
}

/// Method, target, headers; the status, and whether the second way gives a file.
type Case<'a> = (&'a str, &'a str, Vec<(&'a str, String)>, u16, bool);

#[tokio::test]
async fn both_ways_answer_alike() {
    let world = world().await;
    let etag = world.send(ask("HEAD", "/data/k")).await.ok().header("etag").to_owned();
    let modified = "Mon, 21 Sep 2026 14:13:20 GMT";
    let header = |name: &'static str, value: &str| vec![(name, value.to_owned())];
    let overrides = "/data/k?response-content-type=text%2Fplain&response-cache-control=no-store&response-content-disposition=inline\
                     &response-content-encoding=br&response-content-language=en&response-expires=Thu%2C%2001%20Dec%202039%2016%3A00%3A00%20GMT";
    let cases: Vec<Case<'_>> = vec![
        ("GET", "/data/k", vec![], 200, true),
        ("GET", "/data/k?versionId=null", vec![], 200, true),
        ("GET", overrides, vec![], 200, true),
        ("GET", "/data/k?x-id=GetObject", vec![], 200, true),
        ("GET", "/data/k?partNumber=1", vec![], 200, true),
        ("GET", "/data/k?partNumber=2", vec![], 416, false),
        ("GET", "/data/k?versionId=other", vec![], 400, false),
        ("GET", "/data/k", header("x-amz-checksum-mode", "ENABLED"), 200, true),
        ("GET", "/data/k", header("range", "bytes=0-"), 206, true),
        ("GET", "/data/k", header("range", "bytes=0-199999"), 206, true),
        ("GET", "/data/k", header("range", "bytes=5-100004"), 206, true),
        ("GET", "/data/k", header("range", "bytes=-150000"), 206, true),
        ("GET", "/data/k", header("range", "bytes=100000-999999999"), 206, true),
        ("GET", "/data/k", header("range", "bytes=0-9"), 206, false),
        ("GET", "/data/k", header("range", "bytes=200000-"), 416, false),
        ("GET", "/data/k", header("if-match", &etag), 200, true),
        ("GET", "/data/k", header("if-match", "*"), 200, true),
        ("GET", "/data/k", header("if-match", "\"other\""), 412, false),
        ("GET", "/data/k", header("if-none-match", &etag), 304, false),
        ("GET", "/data/k", header("if-none-match", "\"other\""), 200, true),
        ("GET", "/data/k", header("if-modified-since", modified), 304, false),
        ("GET", "/data/k", header("if-modified-since", "Mon, 21 Sep 2020 14:13:20 GMT"), 200, true),
        ("GET", "/data/k", header("if-unmodified-since", "Mon, 21 Sep 2020 14:13:20 GMT"), 412, false),
        ("GET", "/data/k", header("if-unmodified-since", modified), 200, true),
        ("GET", "/data/k", header("x-amz-expected-bucket-owner", "111122223333"), 200, true),
        ("GET", "/data/k", header("x-amz-expected-bucket-owner", "999999999999"), 403, false),
        ("HEAD", "/data/k", vec![], 200, false),
        ("HEAD", "/data/k", header("range", "bytes=0-99999"), 206, false),
        ("GET", "/data/small", vec![], 200, false),
        ("GET", "/data/sealed", vec![], 200, false),
        ("GET", "/data/none", vec![], 404, false),
        ("GET", "/none/k", vec![], 404, false),
    ];
    for (method, target, headers, status, is_file) in cases {
        let mut answers = Vec::new();
        for takes_files in [false, true] {
            world.takes_files.store(takes_files, Ordering::SeqCst);
            let asked = headers.iter().fold(ask(method, target), |ask, (name, value)| ask.with(name, value.clone()));
            answers.push(world.send(asked).await);
        }
        let (read, sent) = (&answers[0], &answers[1]);
        let what = format!("{method} {target} {headers:?}");
        assert_eq!((read.status.as_u16(), read.is_file), (status, false), "{what}");
        assert_eq!((sent.status.as_u16(), sent.is_file), (status, is_file), "{what}");
        assert_eq!(compared(&read.headers), compared(&sent.headers), "{what}");
        assert!(told(read) == told(sent), "{what}");
        if read.status.is_success() && method == "GET" {
            assert_eq!(sent.header("content-length"), sent.body.len().to_string(), "{what}");
        }
    }
    let records = world.records();
    let reads: Vec<_> = records.iter().filter(|record| record.event_name == "GetObject").collect();
    for pair in reads.chunks(2) {
        let (read, sent) = (pair[0], pair[1]);
        assert_eq!(
            read.error.as_ref().map(|error| &error.error_code),
            sent.error.as_ref().map(|error| &error.error_code)
        );
        assert_eq!(read.request_parameters, sent.request_parameters);
    }
}

#[tokio::test]
async fn denied_is_denied_both_ways_and_recorded() {
    let world = world().await;
    world.takes_files.store(true, Ordering::SeqCst);
    let denied = world.send(ask("GET", "/data/k").by("BOB")).await;
    assert_eq!((denied.status.as_u16(), denied.code(), denied.is_file), (403, "AccessDenied", false));
    let last = world.records().pop().unwrap();
    assert_eq!(last.error.unwrap().error_code, "AccessDenied");
    world.journal.broken.store(true, Ordering::SeqCst);
    let unrecorded = world.send(ask("GET", "/data/k")).await;
    assert_eq!((unrecorded.status.as_u16(), unrecorded.is_file), (503, false));
}

#[tokio::test]
async fn an_answer_under_way_keeps_the_bytes_it_began_with() {
    let world = world().await;
    world.takes_files.store(true, Ordering::SeqCst);
    let request = ask("GET", "/data/k");
    let request = world.sign(&request).body(http_body_util::Full::new(bytes::Bytes::new())).unwrap();
    let answer = world.stream(request).await;
    let slice = answer.extensions().get::<stoa_blob::FileSlice>().cloned().unwrap();
    world.send(ask("PUT", "/data/k").body(vec![7; SIZE])).await.ok();
    world.send(ask("DELETE", "/data/k")).await.ok();
    for entry in std::fs::read_dir(world.folder.path().join("blobs")).unwrap() {
        for blob in std::fs::read_dir(entry.unwrap().path()).unwrap() {
            std::fs::remove_file(blob.unwrap().path()).unwrap();
        }
    }
    let mut bytes = vec![0; SIZE];
    std::os::unix::fs::FileExt::read_exact_at(&*slice.file, &mut bytes, slice.start).unwrap();
    assert!(bytes == sample(SIZE));
}

#[tokio::test]
async fn without_data_events_only_failures_and_management_are_recorded() {
    let world = World::made(crate::support::START, false);
    world.make("data").await;
    let count = |name: &str| world.records().iter().filter(|record| record.event_name == name).count();
    assert_eq!(count("CreateBucket"), 2);
    world.send(ask("PUT", "/data/k").body("x")).await.ok();
    world.send(ask("GET", "/data/k")).await.ok();
    world.send(ask("GET", "/data?list-type=2")).await.ok();
    world.send(ask("DELETE", "/data/k")).await.ok();
    assert_eq!(["PutObject", "GetObject", "ListObjects", "DeleteObject"].map(count), [0; 4]);
    assert_eq!(world.send(ask("GET", "/data/k")).await.status, 404);
    assert_eq!(world.send(ask("GET", "/data/k").by("BOB")).await.status, 403);
    assert_eq!(world.send(ask("PUT", "/data/k").by("READER").body("x")).await.status, 403);
    assert_eq!((count("GetObject"), count("PutObject")), (2, 1));
}
