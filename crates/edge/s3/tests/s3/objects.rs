//! Objects over the wire: bytes, headers, ranges, conditions, copies, checks.

use crate::support::{Answer, World, ask};

#[tokio::test]
async fn what_is_put_is_what_is_got() {
    let world = World::with_bucket().await;
    let put = ask("PUT", "/data/dir/deep/..%2F%2E%2E/k%20%2B.txt")
        .with("content-type", "text/plain")
        .with("cache-control", "no-cache")
        .with("content-encoding", "gzip")
        .with("x-amz-meta-owner", "me")
        .with("x-amz-server-side-encryption", "AES256")
        .body("hello world");
    let put = world.send(put).await.ok();
    assert_eq!(put.header("etag"), "\"5eb63bbbe01eeed093cb22bb8f5acdc3\"");
    assert_eq!(put.header("x-amz-checksum-type"), "FULL_OBJECT");
    assert!(!put.header("x-amz-checksum-crc64nvme").is_empty());
    for method in ["GET", "HEAD"] {
        let got = world.send(ask(method, "/data/dir/deep/..%2F%2E%2E/k%20%2B.txt")).await.ok();
        let body = if method == "GET" { "hello world" } else { "" };
        assert_eq!(got.text(), body);
        let expected = [
            ("content-length", "11"),
            ("content-type", "text/plain"),
            ("cache-control", "no-cache"),
            ("content-encoding", "gzip"),
            ("x-amz-meta-owner", "me"),
            ("accept-ranges", "bytes"),
            ("x-amz-server-side-encryption", "AES256"),
            ("etag", "\"5eb63bbbe01eeed093cb22bb8f5acdc3\""),
            ("last-modified", "Mon, 21 Sep 2026 14:13:20 GMT"),
            ("x-amz-checksum-crc64nvme", ""),
        ];
        for (name, value) in expected {
            assert_eq!(got.header(name), value, "{method} {name}");
        }
    }
    let asked = ask("HEAD", "/data/dir/deep/..%2F%2E%2E/k%20%2B.txt").with("x-amz-checksum-mode", "ENABLED");
    let asked = world.send(asked).await.ok();
    assert_eq!(asked.header("x-amz-checksum-crc64nvme"), put.header("x-amz-checksum-crc64nvme"));
    let record = world.records().into_iter().find(|record| record.event_name == "GetObject").unwrap();
    assert_eq!(record.request_parameters["key"], "dir/deep/../../k +.txt");
    assert!(record.read_only && !record.management_event && record.event_category == "Data");
    assert_eq!(world.send(ask("DELETE", "/data/dir/deep/..%2F%2E%2E/k%20%2B.txt")).await.status, 204);
    let gone = world.send(ask("GET", "/data/dir/deep/..%2F%2E%2E/k%20%2B.txt")).await;
    assert_eq!((gone.status.as_u16(), gone.code()), (404, "NoSuchKey"));
}

#[tokio::test]
async fn ranges() {
    let world = World::with_bucket().await;
    world.send(ask("PUT", "/data/k").body("0123456789")).await.ok();
    let cases = [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=3-5", "345", "bytes 3-5/10"),
        ("bytes=8-100", "89", "bytes 8-9/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
    ];
    for (range, body, content_range) in cases {
        let got = world.send(ask("GET", "/data/k").with("range", range)).await;
        assert_eq!((got.status.as_u16(), got.text()), (206, body), "{range}");
        assert_eq!(got.header("content-range"), content_range);
        let head = world.send(ask("HEAD", "/data/k").with("range", range)).await;
        assert_eq!((head.status.as_u16(), head.header("content-length")), (206, body.len().to_string().as_str()));
    }
    let beyond = world.send(ask("GET", "/data/k").with("range", "bytes=10-")).await;
    assert_eq!((beyond.status.as_u16(), beyond.code()), (416, "InvalidRange"));
    let big = vec![7_u8; 3_000_000];
    world.send(ask("PUT", "/data/big").body(big.clone())).await.ok();
    let got = world.send(ask("GET", "/data/big").with("range", "bytes=1-2999998")).await;
    assert_eq!(got.body, big[1..2_999_999]);
}

#[tokio::test]
async fn conditions() {
    let world = World::with_bucket().await;
    let etag = world.send(ask("PUT", "/data/k").body("1")).await.ok().header("etag").to_owned();
    let get = |name: &'static str, value: &str| world.send(ask("GET", "/data/k").with(name, value));
    let unchanged = get("if-none-match", &etag).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.body.len()), (304, 0));
    assert_eq!(unchanged.header("etag"), etag);
    assert!(world.records().last().unwrap().error.is_none());
    get("if-none-match", "\"other\"").await.ok();
    get("if-match", &etag).await.ok();
    assert_eq!(get("if-match", "\"other\"").await.code(), "PreconditionFailed");
    assert_eq!(get("if-modified-since", "Mon, 21 Sep 2026 14:13:20 GMT").await.status, 304);
    get("if-modified-since", "Mon, 21 Sep 2026 14:13:19 GMT").await.ok();
    assert_eq!(get("if-unmodified-since", "Mon, 21 Sep 2026 14:13:19 GMT").await.status, 412);
    let put = |name: &'static str, value: &str| world.send(ask("PUT", "/data/k").with(name, value).body("2"));
    assert_eq!(put("if-none-match", "*").await.code(), "PreconditionFailed");
    assert_eq!(put("if-match", "\"other\"").await.code(), "PreconditionFailed");
    put("if-match", &etag).await.ok();
}

#[tokio::test]
async fn bodies_that_are_not_what_they_say() {
    let world = World::with_bucket().await;
    let put = |name: &'static str, value: &'static str| ask("PUT", "/data/k").with(name, value).body("hello");
    assert_eq!(world.send(put("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")).await.status, 200);
    let refused = [
        ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==", "BadDigest"),
        ("content-md5", "nonsense", "InvalidDigest"),
        ("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCA=", "BadDigest"),
        ("x-amz-checksum-crc32", "NhCmhQ==", "BadDigest"),
        ("x-amz-checksum-crc32", "NhCmhh==", "InvalidRequest"),
        ("content-md5", "", "InvalidDigest"),
        ("content-length", "6", "IncompleteBody"),
        ("x-amz-tagging", "a=b&a=c", "InvalidArgument"),
        ("x-amz-acl", "public-read", "AccessControlListNotSupported"),
    ];
    for (name, value, code) in refused {
        let refused = world.send(put(name, value).payload("UNSIGNED-PAYLOAD")).await;
        assert_eq!(refused.code(), code, "{name}: {value}");
    }
    let hash = "0".repeat(64);
    let lied = world.send(ask("PUT", "/data/k").body("hello").payload(&hash)).await;
    assert_eq!((lied.status.as_u16(), lied.code()), (400, "XAmzContentSHA256Mismatch"));
    let xml = "<Delete><Object><Key>k</Key></Object></Delete>";
    let lied = world.send(ask("POST", "/data?delete").body(xml).payload(&hash)).await;
    assert_eq!((lied.status.as_u16(), lied.code()), (400, "XAmzContentSHA256Mismatch"));
    world.send(ask("GET", "/data/k")).await.ok();
    let long = format!("/data/{}", "k".repeat(1025));
    assert_eq!(world.send(ask("PUT", &long)).await.code(), "KeyTooLongError");
}

#[tokio::test]
async fn copies() {
    let world = World::with_bucket().await;
    world.make("other").await;
    world.send(ask("PUT", "/data/a%20b").with("content-type", "text/plain").body("hello")).await.ok();
    let copy = |target: &'static str| ask("PUT", target).with("x-amz-copy-source", "data/a%20b");
    let copied = world.send(copy("/other/c")).await.ok();
    assert_eq!(copied.all("ETag")[0].replace("&quot;", "\""), "\"5d41402abc4b2a76b9719d911017c592\"");
    let got = world.send(ask("GET", "/other/c")).await.ok();
    assert_eq!((got.text(), got.header("content-type")), ("hello", "text/plain"));
    world.send(copy("/other/c").with("x-amz-metadata-directive", "REPLACE").with("content-type", "a/b")).await.ok();
    assert_eq!(world.send(ask("HEAD", "/other/c")).await.header("content-type"), "a/b");
    assert_eq!(world.send(copy("/data/a%20b")).await.code(), "InvalidRequest");
    assert_eq!(world.send(ask("PUT", "/other/d").with("x-amz-copy-source", "/data/none")).await.code(), "NoSuchKey");
    let stale = copy("/other/d").with("x-amz-copy-source-if-match", "\"x\"");
    assert_eq!(world.send(stale).await.code(), "PreconditionFailed");
    let wrong = copy("/other/d").with("x-amz-source-expected-bucket-owner", "444455556666");
    assert_eq!(world.send(wrong).await.code(), "AccessDenied");
}

#[tokio::test]
async fn many_are_removed_each_by_its_own_decision() {
    let world = World::with_bucket().await;
    for key in ["a", "b", "protected"] {
        world.send(ask("PUT", &format!("/data/{key}")).body("x")).await.ok();
    }
    let xml = "<Delete><Object><Key>a</Key></Object><Object><Key>none</Key></Object><Object><Key>protected</Key></Object></Delete>";
    let answer: Answer = world.send(ask("POST", "/data?delete").body(xml)).await.ok();
    assert_eq!(answer.all("Key"), ["a", "none", "protected"]);
    assert_eq!(answer.all("Code"), ["AccessDenied"]);
    let left = world.send(ask("GET", "/data?list-type=2")).await.ok();
    assert_eq!(left.all("Key"), ["b", "protected"]);
    let record = world.records().into_iter().rfind(|record| record.event_name == "DeleteObjects").unwrap();
    assert_eq!(record.additional_event_data["stoaRefusal"]["action"], "s3:DeleteObject");
}
