//! Who may: signatures, presigned URLs, decisions, owners, hosts, and the record of each.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use stoa_audit::Phase;

use crate::support::{ALICE, BOB, World, ask};

#[tokio::test]
async fn callers_that_cannot_prove_who_they_are() {
    let world = World::with_bucket().await;
    world.send(ask("PUT", "/data/k").body("x")).await.ok();
    let before = world.records().len();
    let nobody = world.raw("GET", "127.0.0.1", "/data/k").await;
    assert_eq!((nobody.status.as_u16(), nobody.code()), (403, "AccessDenied"));
    let unknown = world.send(ask("GET", "/data/k").by("NOBODY")).await;
    assert_eq!((unknown.status.as_u16(), unknown.code()), (403, "InvalidAccessKeyId"));
    let mut forged = world.sign(&ask("GET", "/data/k")).body(Full::new(Bytes::new())).unwrap();
    *forged.uri_mut() = "/data/other".parse().unwrap();
    let forged = world.answer(forged).await;
    assert_eq!((forged.status.as_u16(), forged.code()), (403, "SignatureDoesNotMatch"));
    let mut late = ask("GET", "/data/k");
    late.headers = Vec::new();
    let late = world.sign(&late).body(Full::new(Bytes::new())).unwrap();
    world.clock.advance_millis(16 * 60 * 1000);
    assert_eq!(world.answer(late).await.code(), "RequestTimeTooSkewed");
    let version_2 = world.raw("GET", "127.0.0.1", "/data/k?AWSAccessKeyId=A&Signature=B&Expires=1").await;
    assert_eq!(version_2.code(), "InvalidRequest");
    let stray = world.raw("GET", "127.0.0.1", "/data/k?Signature=B").await;
    assert_eq!(stray.code(), "AccessDenied");

    let records = world.records();
    assert_eq!(records.len(), before + 6, "every refusal is recorded, none twice");
    for record in &records[before..] {
        assert_eq!(record.event_name, "GetObject");
        assert_eq!(record.user_identity.kind, "Unknown");
        assert!(record.error.is_some());
    }
    assert_eq!(records[before + 1].user_identity.access_key_id, "NOBODY");
}

#[tokio::test]
async fn sessions_need_their_token_and_end() {
    let world = World::with_bucket().await;
    let list = |token: Option<&'static str>| {
        let mut ask = ask("GET", "/data?list-type=2").by("SESSION");
        ask.token = token;
        world.send(ask)
    };
    list(Some("the+token/=")).await.ok();
    assert_eq!(list(Some("another")).await.code(), "InvalidToken");
    assert_eq!(list(None).await.code(), "InvalidAccessKeyId");
    let mut with_token = ask("GET", "/data").by("ADMIN");
    with_token.token = Some("the+token/=");
    assert_eq!(world.send(with_token).await.code(), "InvalidToken");
    world.clock.advance_millis(3_600_000);
    assert_eq!(list(Some("the+token/=")).await.code(), "ExpiredToken");
}

#[tokio::test]
async fn presigned_urls() {
    let world = World::with_bucket().await;
    world.send(ask("PUT", "/data/dir/k%20.txt").body("hello")).await.ok();
    let host = "127.0.0.1:4566";
    let path = "/data/dir/k%20.txt";
    let url = world.presigned("ADMIN", None, "GET", host, path, 60);
    let got = world.raw("GET", host, &url).await.ok();
    assert_eq!(got.text(), "hello");
    let record = world.records().pop().unwrap();
    assert_eq!(record.additional_event_data["AuthenticationMethod"], "QueryString");
    assert_eq!(record.user_identity.user_name.as_deref(), Some("ADMIN"));
    assert_eq!(world.raw("PUT", host, &url).await.code(), "SignatureDoesNotMatch");
    let extended = url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000");
    assert_eq!(world.raw("GET", host, &extended).await.code(), "SignatureDoesNotMatch");
    let session = world.presigned("SESSION", Some("the+token/="), "GET", host, path, 7200);
    world.raw("GET", host, &session).await.ok();

    let put = world.presigned("ADMIN", None, "PUT", host, "/data/up", 60);
    let request = Request::put(put).header("host", host).header("content-length", 3);
    world.answer(request.body(Full::new(Bytes::from("new"))).unwrap()).await.ok();
    assert_eq!(world.send(ask("GET", "/data/up")).await.text(), "new");

    world.clock.advance_millis(61_000);
    let expired = world.raw("GET", host, &url).await;
    assert_eq!((expired.status.as_u16(), expired.code()), (403, "AccessDenied"));
    world.clock.advance_millis(3_600_000);
    assert_eq!(world.raw("GET", host, &session).await.code(), "ExpiredToken");
    let week = world.presigned("ADMIN", None, "GET", host, path, 604_801);
    assert_eq!(world.raw("GET", host, &week).await.status, 400);
}

/// What boto3 makes by default for the older regions, as it made it.
#[tokio::test]
async fn presigned_urls_of_version_2() {
    let url = "/data/k?response-content-type=a%2Fb&AWSAccessKeyId=SESSION&Signature=f3VIuK%2BKCHdaKGb0QeVCqe3L%2B8I%3D&x-amz-security-token=the%2Btoken%2F%3D&Expires=1790000060";
    let world = World::with_bucket().await;
    world.send(ask("PUT", "/data/k").body("hello")).await.ok();
    let host = "127.0.0.1:4566";
    let got = world.raw("GET", host, url).await.ok();
    assert_eq!((got.text(), got.header("content-type")), ("hello", "a/b"));
    assert_eq!(world.records().pop().unwrap().additional_event_data["SignatureVersion"], "SigV2");
    assert_eq!(world.raw("GET", host, &url.replace("a%2Fb", "c")).await.code(), "SignatureDoesNotMatch");
    assert_eq!(world.raw("DELETE", host, url).await.code(), "SignatureDoesNotMatch");
    assert_eq!(world.raw("GET", "data.localhost", url).await.code(), "SignatureDoesNotMatch");
    assert_eq!(
        world.raw("GET", host, &url.replace("x-amz-security-token=the", "x-amz-security-token=a")).await.code(),
        "InvalidToken"
    );
    world.clock.advance_millis(61_000);
    let expired = world.raw("GET", host, url).await;
    assert_eq!((expired.status.as_u16(), expired.code()), (403, "AccessDenied"));
}

#[tokio::test]
async fn decisions_see_action_resource_and_keys() {
    let world = World::with_bucket().await;
    world.send(ask("PUT", "/data/k").with("x-amz-acl", "private").body("x")).await.ok();
    let last = || world.authority.decided.lock().last().cloned().unwrap();
    assert_eq!(last(), ("s3:PutObject".to_owned(), "arn:aws:s3:::data/k".to_owned()));
    let has =
        |key: &str, value: &str| world.authority.keys_of_last.lock().contains(&(key.to_owned(), value.to_owned()));
    assert!(has("s3:x-amz-acl", "private") && has("s3:authtype", "REST-HEADER") && has("aws:securetransport", "true"));
    world.send(ask("GET", "/data?list-type=2&prefix=a%20b%2F&delimiter=%2F&max-keys=7")).await.ok();
    assert_eq!(last(), ("s3:ListBucket".to_owned(), "arn:aws:s3:::data".to_owned()));
    assert!(has("s3:prefix", "a b/") && has("s3:delimiter", "/") && has("s3:max-keys", "7"));
    let twice = world.send(ask("GET", "/data?list-type=2&prefix=a&prefix=b")).await;
    assert_eq!(twice.code(), "InvalidArgument");
    world.send(ask("GET", "/")).await.ok();
    assert_eq!(last(), ("s3:ListAllMyBuckets".to_owned(), "*".to_owned()));
}

#[tokio::test]
async fn a_missing_key_is_told_only_to_those_who_may_list() {
    let world = World::with_bucket().await;
    world.send(ask("PUT", "/data/k").body("x")).await.ok();
    world.send(ask("GET", "/data/k").by("READER")).await.ok();
    let hidden = world.send(ask("GET", "/data/none").by("READER")).await;
    assert_eq!((hidden.status.as_u16(), hidden.code()), (403, "AccessDenied"));
    assert_eq!(world.send(ask("HEAD", "/data/none").by("READER")).await.status, 403);
    assert_eq!(world.send(ask("HEAD", "/data/none")).await.status, 404);
    let denied = world.send(ask("PUT", "/data/k").by("READER").body("y")).await;
    assert_eq!(denied.code(), "AccessDenied");
    assert!(denied.text().contains("is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::data/k"));
    let record = world.records().pop().unwrap();
    assert_eq!(record.additional_event_data["stoaRefusal"]["resource"], "arn:aws:s3:::data/k");
    assert_eq!((record.phase, record.recipient_account_id.as_str()), (Phase::Complete, ALICE));
    assert_eq!(world.send(ask("GET", "/data/k")).await.text(), "x");
}

#[tokio::test]
async fn another_account_is_another_account() {
    let world = World::with_bucket().await;
    world.send(ask("PUT", "/data/k").body("x")).await.ok();
    for (method, target) in [("GET", "/data/k"), ("PUT", "/data/k"), ("GET", "/data?list-type=2"), ("DELETE", "/data")]
    {
        assert_eq!(world.send(ask(method, target).by("BOB")).await.code(), "AccessDenied", "{method} {target}");
    }
    let copied = world.send(ask("PUT", "/bobs").by("BOB")).await;
    assert_eq!(copied.code(), "IllegalLocationConstraintException");
    assert_eq!(world.send(ask("GET", "/none").by("BOB")).await.code(), "NoSuchBucket");
    for (owner, status) in [(ALICE, 200), (BOB, 403)] {
        let head = ask("HEAD", "/data/k").with("x-amz-expected-bucket-owner", owner);
        assert_eq!(world.send(head).await.status, status);
        let put = ask("PUT", "/data/k").with("x-amz-expected-bucket-owner", owner).body("y");
        assert_eq!(world.send(put).await.status, status);
    }
}

#[tokio::test]
async fn buckets_in_host_names() {
    let world = World::with_bucket().await;
    for host in ["data.s3.us-west-2.amazonaws.com", "data.localhost:4566", "data.stoa.test", "data.s3.amazonaws.com"] {
        world.send(ask("PUT", "/dir/k").at(host).body(host.to_owned())).await.ok();
        assert_eq!(world.send(ask("GET", "/data/dir/k")).await.text(), host);
        assert_eq!(world.send(ask("GET", "/?list-type=2").at(host)).await.ok().all("Key"), ["dir/k"]);
        let url = world.presigned("ADMIN", None, "GET", host, "/dir/k", 60);
        assert_eq!(world.raw("GET", host, &url).await.ok().text(), host);
    }
    for host in ["s3.us-west-2.amazonaws.com", "localhost:4566", "s3.localhost:4566", "stoa:4566", "stoa.test"] {
        world.send(ask("GET", "/data/dir/k").at(host)).await.ok();
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_happen() {
    let world = World::with_bucket().await;
    world.send(ask("PUT", "/data/k").body("old")).await.ok();
    world.journal.broken.store(true, Ordering::SeqCst);
    let put = world.send(ask("PUT", "/data/k").body("new")).await;
    assert_eq!((put.status.as_u16(), put.code()), (503, "ServiceUnavailable"));
    let get = world.send(ask("GET", "/data/k")).await;
    assert_eq!((get.status.as_u16(), get.code()), (503, "ServiceUnavailable"));
    world.journal.broken.store(false, Ordering::SeqCst);
    assert_eq!(world.send(ask("GET", "/data/k")).await.text(), "old");
}

#[tokio::test]
async fn what_is_not_built_says_so_after_the_decision() {
    let world = World::with_bucket().await;
    let answer = world.send(ask("GET", "/data?website")).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (501, "NotImplemented"));
    assert_eq!(world.authority.decided.lock().last().unwrap().0, "s3:GetBucketWebsite");
    assert_eq!(world.send(ask("GET", "/data?website").by("READER")).await.code(), "AccessDenied");
    assert_eq!(world.records().last().unwrap().event_name, "GetBucketWebsite");
    assert_eq!(world.send(ask("GET", "/data/k?uploadId=x&versionId=y&partNumber=0")).await.status.as_u16() / 100, 4);
}
