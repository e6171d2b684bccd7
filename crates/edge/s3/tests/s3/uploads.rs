//! Multipart uploads over the wire, the way SDKs make them.

use crate::support::{World, ask};

const FIVE: usize = 5 << 20;

#[tokio::test]
async fn as_the_sdk_does_it() {
    let world = World::with_bucket().await;
    let begun = ask("POST", "/data/big?uploads").with("x-amz-checksum-algorithm", "CRC32").with("content-type", "a/b");
    let begun = world.send(begun).await.ok();
    assert_eq!(begun.header("x-amz-checksum-algorithm"), "CRC32");
    let id = begun.all("UploadId")[0].to_owned();
    let mut parts = String::new();
    for (number, bytes) in [(1, vec![1_u8; FIVE]), (2, vec![2_u8; 77])] {
        let target = format!("/data/big?partNumber={number}&uploadId={id}");
        let put = world.send(ask("PUT", &target).body(bytes)).await.ok();
        let (etag, crc) = (put.header("etag"), put.header("x-amz-checksum-crc32"));
        parts += &format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><ChecksumCRC32>{crc}</ChecksumCRC32></Part>"
        );
    }
    let listed = world.send(ask("GET", &format!("/data/big?uploadId={id}&max-parts=1"))).await.ok();
    assert_eq!((listed.all("PartNumber"), listed.all("IsTruncated")), (vec!["1"], vec!["true"]));
    let uploads = world.send(ask("GET", "/data?uploads")).await.ok();
    assert_eq!(uploads.all("UploadId"), [id.as_str()]);
    assert_eq!(world.send(ask("GET", "/data/big")).await.code(), "NoSuchKey");
    let xml = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    let target = format!("/data/big?uploadId={id}");
    let done = world.send(ask("POST", &target).body(xml)).await.ok();
    assert!(done.all("ETag")[0].contains("-2"), "{}", done.text());
    assert!(done.all("ChecksumCRC32")[0].ends_with("-2"));
    let got = world.send(ask("GET", "/data/big").with("x-amz-checksum-mode", "ENABLED")).await.ok();
    assert!(got.body == [vec![1_u8; FIVE], vec![2; 77]].concat());
    assert_eq!((got.header("content-type"), got.header("x-amz-checksum-type")), ("a/b", "COMPOSITE"));
    assert_eq!(world.send(ask("DELETE", &target)).await.code(), "NoSuchUpload");
}

#[tokio::test]
async fn parts_copied_and_an_upload_aborted() {
    let world = World::with_bucket().await;
    world.send(ask("PUT", "/data/source").body(vec![3_u8; FIVE + 10])).await.ok();
    let begun = world.send(ask("POST", "/data/copy?uploads")).await.ok();
    let id = begun.all("UploadId")[0].to_owned();
    let mut parts = String::new();
    for (number, range) in [(1, format!("bytes=0-{}", FIVE - 1)), (2, format!("bytes={FIVE}-{}", FIVE + 9))] {
        let target = format!("/data/copy?partNumber={number}&uploadId={id}");
        let copy = ask("PUT", &target).with("x-amz-copy-source", "data/source").with("x-amz-copy-source-range", range);
        let copied = world.send(copy).await.ok();
        let etag = copied.all("ETag")[0].to_owned();
        parts += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let xml = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    world.send(ask("POST", &format!("/data/copy?uploadId={id}")).body(xml)).await.ok();
    assert_eq!(world.send(ask("GET", "/data/copy")).await.body.len(), FIVE + 10);

    let begun = world.send(ask("POST", "/data/none?uploads")).await.ok();
    let id = begun.all("UploadId")[0].to_owned();
    assert_eq!(world.send(ask("DELETE", &format!("/data/none?uploadId={id}"))).await.status, 204);
    let late = world.send(ask("PUT", &format!("/data/none?partNumber=1&uploadId={id}")).body("x")).await;
    assert_eq!(late.code(), "NoSuchUpload");
}
