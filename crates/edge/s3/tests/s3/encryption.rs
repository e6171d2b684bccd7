//! Encryption over the wire: headers, the bucket's configuration, customer keys, and readers without the key.

use crate::support::{KEY_ARN, World, ask};

const SSE: &str = "x-amz-server-side-encryption";
const KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";
const CONFIGURATION: &str = "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>";

#[tokio::test]
async fn answers_say_what_was_done_and_nothing_else() {
    let world = World::with_bucket().await;
    let missing = world.send(ask("GET", "/data?encryption")).await;
    assert_eq!((missing.status.as_u16(), missing.code()), (404, "ServerSideEncryptionConfigurationNotFoundError"));
    world.send(ask("PUT", "/data/plain").body("x")).await.ok();
    let plain = world.send(ask("HEAD", "/data/plain")).await.ok();
    assert_eq!([plain.header(SSE), plain.header(KEY), plain.header(BUCKET_KEY)], ["", "", ""]);

    assert_eq!(world.send(ask("PUT", "/data?encryption").body(CONFIGURATION)).await.ok().status, 200);
    let shown = world.send(ask("GET", "/data?encryption")).await.ok();
    assert_eq!(shown.all("SSEAlgorithm"), ["aws:kms"]);
    assert_eq!((shown.all("KMSMasterKeyID"), shown.all("BucketKeyEnabled")), (vec!["k"], vec!["true"]));
    let answers = [
        world.send(ask("PUT", "/data/k").body("hello")).await.ok(),
        world.send(ask("HEAD", "/data/k")).await.ok(),
        world.send(ask("GET", "/data/k")).await.ok(),
        world.send(ask("PUT", "/data/copy").with("x-amz-copy-source", "/data/plain")).await.ok(),
        world.send(ask("POST", "/data/big?uploads")).await.ok(),
    ];
    for answer in &answers {
        assert_eq!([answer.header(SSE), answer.header(KEY), answer.header(BUCKET_KEY)], ["aws:kms", KEY_ARN, "true"]);
    }
    assert_eq!(answers[2].text(), "hello");
    assert_eq!(world.send(ask("DELETE", "/data?encryption")).await.status, 204);
    assert_eq!(world.send(ask("PUT", "/data/k").body("hello")).await.ok().header(SSE), "");
}

#[tokio::test]
async fn whoever_reads_needs_the_key_but_for_a_head() {
    let world = World::with_bucket().await;
    let put = ask("PUT", "/data/k").with(SSE, "aws:kms").body("hello");
    world.send(put).await.ok();
    // READER may get objects and nothing else.
    let get = world.send(ask("GET", "/data/k").by("READER")).await;
    assert_eq!((get.status.as_u16(), get.code()), (403, "AccessDenied"));
    assert!(get.all("Message")[0].contains("kms:Decrypt"), "{get:?}");
    let attributes = ask("GET", "/data/k?attributes").with("x-amz-object-attributes", "Checksum");
    assert_eq!(world.send(attributes.by("READER")).await.status, 403);
    assert_eq!(world.send(ask("HEAD", "/data/k").by("READER")).await.ok().header("content-length"), "5");
    let with_checksum = ask("HEAD", "/data/k").with("x-amz-checksum-mode", "ENABLED");
    assert_eq!(world.send(with_checksum.by("READER")).await.status, 403);
    let record = world.records().into_iter().rfind(|record| record.event_name == "GetObject").unwrap();
    assert_eq!(record.error.unwrap().error_code, "AccessDenied");
}

#[tokio::test]
async fn customer_keys_are_turned_off() {
    let world = World::with_bucket().await;
    let algorithm = "x-amz-server-side-encryption-customer-algorithm";
    let put = world.send(ask("PUT", "/data/k").with(algorithm, "AES256").body("x")).await;
    assert_eq!((put.status.as_u16(), put.code()), (403, "AccessDenied"));
    assert!(put.all("Message")[0].contains("SSE-C"), "{put:?}");
    world.send(ask("PUT", "/data/k").body("x")).await.ok();
    let get = world.send(ask("GET", "/data/k").with(algorithm, "AES256")).await;
    assert_eq!((get.status.as_u16(), get.code()), (400, "InvalidRequest"));
    let source = "x-amz-copy-source-server-side-encryption-customer-algorithm";
    let copy = ask("PUT", "/data/c").with("x-amz-copy-source", "/data/k").with(source, "AES256");
    assert_eq!(world.send(copy).await.code(), "InvalidRequest");
}

#[tokio::test]
async fn configurations_that_cannot_be_are_refused() {
    let world = World::with_bucket().await;
    let cases = [
        ("aws:kms", "aws:kms:dsse", "NotImplemented"),
        ("aws:kms", "AES256", "InvalidArgument"),
        ("aws:kms", "rot13", "MalformedXML"),
        ("<Rule>", "<Rule></Rule><Rule>", "MalformedXML"),
    ];
    for (from, to, code) in cases {
        let body = CONFIGURATION.replace(from, to);
        let put = world.send(ask("PUT", "/data?encryption").body(body)).await;
        assert_eq!(put.code(), code, "{to}");
    }
    for (header, code) in [("aws:kms:dsse", "NotImplemented"), ("rot13", "InvalidArgument")] {
        assert_eq!(world.send(ask("PUT", "/data/k").with(SSE, header).body("x")).await.code(), code);
    }
}
