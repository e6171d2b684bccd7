//! Multipart uploads from begin to end, and what is refused on the way.

use stoa_kernel::ports::*;

use crate::support::{World, body, code};

const FIVE: usize = 5 << 20;

async fn begin(world: &World, algorithm: Option<ChecksumAlgorithm>, composite: bool) -> UploadName {
    let (cx, permit) = world.alice();
    let checks = BodyChecks { algorithm, ..Default::default() };
    let write = WriteObject { bucket: "data".into(), key: "big".into(), checks, ..Default::default() };
    let record = world.s3.create_upload(&cx, &permit, write, composite).await.unwrap();
    UploadName { bucket: record.bucket, key: record.key, id: record.id }
}

async fn part(world: &World, upload: &UploadName, number: u32, bytes: &[u8]) -> ClaimedPart {
    let (cx, permit) = world.alice();
    let put = world.s3.put_part(&cx, &permit, upload, number, BodyChecks::default(), body(bytes));
    let record = put.await.unwrap();
    ClaimedPart { number, etag: record.etag, checksum: record.checksum.map(|checksum| checksum.value) }
}

async fn complete(
    world: &World,
    upload: &UploadName,
    parts: Vec<ClaimedPart>,
) -> Result<ObjectRecord, stoa_kernel::ApiError> {
    let (cx, permit) = world.alice();
    world.s3.complete_upload(&cx, &permit, upload, CompleteUpload { parts, ..Default::default() }).await
}

#[tokio::test]
async fn parts_become_one_object_and_completing_again_is_fine() {
    let world = World::with_bucket("data").await;
    let upload = begin(&world, None, false).await;
    let (first, second) = (vec![b'a'; FIVE], vec![b'b'; 1000]);
    let two = part(&world, &upload, 2, &second).await;
    let one = part(&world, &upload, 1, b"to be replaced").await;
    let one_again = part(&world, &upload, 1, &first).await;
    assert_ne!(one.etag, one_again.etag);
    let (record, parts) = world.s3.upload_parts(&upload, 0, 10).await.unwrap();
    assert_eq!((record.key.as_str(), parts.len(), parts[0].size), ("big", 2, FIVE as u64));
    assert_eq!(world.s3.upload_parts(&upload, 1, 10).await.unwrap().1[0].number, 2);

    let object = complete(&world, &upload, vec![one_again.clone(), two.clone()]).await.unwrap();
    let whole = [first, second].concat();
    // Python: md5(md5(b'a' * 5242880).digest() + md5(b'b' * 1000).digest()).hexdigest() + '-2'
    assert_eq!(object.entry.etag, "8c6f96fe400c627d9394af6161f5921d-2");
    assert_eq!(object.parts, Some(2));
    assert!(world.read("data", "big").await.unwrap() == whole);
    let single = world.put("data", "single", &whole).await.unwrap();
    assert_eq!(object.checksum, single.checksum, "the CRC of the whole, combined from the parts");

    let again = complete(&world, &upload, vec![one_again, two]).await.unwrap();
    assert_eq!(again, object);
    assert_eq!(code(world.s3.upload_parts(&upload, 0, 10).await), "NoSuchUpload");
    let left = world.store.count(&stoa_store::Query::of("s3:part")).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn composite_checksums_are_of_the_parts() {
    let world = World::with_bucket("data").await;
    let upload = begin(&world, Some(ChecksumAlgorithm::Crc32), true).await;
    let one = part(&world, &upload, 1, b"123456789").await;
    assert_eq!(one.checksum.as_deref(), Some("y/Q5Jg=="));
    let object = complete(&world, &upload, vec![one]).await.unwrap();
    // Python: base64(crc32(bytes.fromhex('cbf43926'))) + '-1'
    assert_eq!(object.checksum.unwrap().value, "7kxlUA==-1");
}

#[tokio::test]
async fn refusals() {
    let world = World::with_bucket("data").await;
    let upload = begin(&world, None, false).await;
    let one = part(&world, &upload, 1, b"small").await;
    let two = part(&world, &upload, 2, b"small").await;
    let wrong = ClaimedPart { etag: "0".repeat(32), ..one.clone() };
    assert_eq!(code(complete(&world, &upload, vec![]).await), "InvalidRequest");
    assert_eq!(code(complete(&world, &upload, vec![wrong]).await), "InvalidPart");
    assert_eq!(code(complete(&world, &upload, vec![two.clone(), one.clone()]).await), "InvalidPartOrder");
    assert_eq!(code(complete(&world, &upload, vec![one.clone(), two]).await), "EntityTooSmall");
    let other = UploadName { key: "other".into(), ..upload.clone() };
    assert_eq!(code(complete(&world, &other, vec![one]).await), "NoSuchUpload");
    let (cx, permit) = world.alice();
    for number in [0, 10_001] {
        let put = world.s3.put_part(&cx, &permit, &upload, number, BodyChecks::default(), body(b""));
        assert_eq!(code(put.await), "InvalidArgument");
    }
}

#[tokio::test]
async fn an_aborted_upload_is_gone_and_takes_no_more() {
    let world = World::with_bucket("data").await;
    let (upload, other) = (begin(&world, None, false).await, begin(&world, None, false).await);
    let one = part(&world, &upload, 1, b"x").await;
    let listed = world.s3.uploads("data", "b", None, 10).await.unwrap();
    assert_eq!(listed.len(), 2);
    let rest = world.s3.uploads("data", "", Some((&listed[0].key, &listed[0].id)), 10).await.unwrap();
    assert_eq!(rest, listed[1..]);
    let (cx, permit) = world.alice();
    world.s3.abort_upload(&cx, &permit, &upload).await.unwrap();
    assert_eq!(code(world.s3.abort_upload(&cx, &permit, &upload).await), "NoSuchUpload");
    assert_eq!(code(complete(&world, &upload, vec![one]).await), "NoSuchUpload");
    let put = world.s3.put_part(&cx, &permit, &upload, 2, BodyChecks::default(), body(b"x"));
    assert_eq!(code(put.await), "NoSuchUpload");
    // An unfinished upload does not keep its bucket.
    part(&world, &other, 1, b"y").await;
    world.s3.delete_bucket(&cx, &permit, "data").await.unwrap();
    for kind in ["s3:upload", "s3:part", "s3:bucket"] {
        assert_eq!(world.store.count(&stoa_store::Query::of(kind)).await.unwrap(), 0, "{kind}");
    }
}

#[tokio::test]
async fn no_part_is_left_behind_by_a_completion() {
    let world = World::with_bucket("data").await;
    for _ in 0..10 {
        let upload = begin(&world, None, false).await;
        let one = part(&world, &upload, 1, &vec![b'a'; FIVE]).await;
        let two = part(&world, &upload, 2, b"end").await;
        let (cx, permit) = world.alice();
        let late = async {
            let mut taken = 0;
            for number in 3..40 {
                let put = world.s3.put_part(&cx, &permit, &upload, number, BodyChecks::default(), body(b"late")).await;
                taken += u32::from(put.is_ok());
            }
            taken
        };
        let (done, _) = tokio::join!(complete(&world, &upload, vec![one.clone(), two.clone()]), late);
        if done.is_err() {
            assert_eq!(code(done), "OperationAborted");
            complete(&world, &upload, vec![one, two]).await.unwrap();
        }
        assert_eq!(world.store.count(&stoa_store::Query::of("s3:part")).await.unwrap(), 0);
        assert_eq!(world.store.count(&stoa_store::Query::of("s3:upload")).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn an_upload_whose_completion_failed_takes_parts_again() {
    let world = World::with_bucket("data").await;
    let upload = begin(&world, None, false).await;
    let one = part(&world, &upload, 1, b"all").await;
    world.put("data", "big", b"there").await.unwrap();
    let (cx, permit) = world.alice();
    let condition = WriteCondition { absent: true, etag: None };
    let wanted = CompleteUpload { parts: vec![one.clone()], condition, ..Default::default() };
    let failed = world.s3.complete_upload(&cx, &permit, &upload, wanted).await;
    assert_eq!(code(failed), "PreconditionFailed");
    let again = part(&world, &upload, 1, b"another").await;
    assert_eq!(code(complete(&world, &upload, vec![one]).await), "InvalidPart");
    complete(&world, &upload, vec![again]).await.unwrap();
    assert_eq!(world.read("data", "big").await.unwrap().as_ref(), b"another");
}
