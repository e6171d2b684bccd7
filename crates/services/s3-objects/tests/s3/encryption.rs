//! Sealed objects: what is on the disk, what comes back, who may open it, and that nothing tampered with comes back.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::StreamExt;
use stoa_kernel::ApiError;
use stoa_kernel::ports::*;

use crate::support::{KEY_ARN, World, body, code};

const FRAME: usize = 64 << 10;
const FIVE: usize = 5 << 20;
/// Stands in no ciphertext by chance.
const MARK: &[u8] = b"this must not be seen on the disk";

fn content(size: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..size).map(|at| (at * 7 % 253) as u8).collect();
    bytes.iter_mut().zip(MARK).for_each(|(place, byte)| *place = *byte);
    bytes
}

fn asking(method: &str) -> ObjectAttributes {
    ObjectAttributes { encryption: Some(method.to_owned()), ..Default::default() }
}

async fn put(world: &World, key: &str, bytes: &[u8], attributes: ObjectAttributes) -> Result<ObjectRecord, ApiError> {
    let (cx, permit) = world.alice();
    let write = WriteObject { bucket: "data".into(), key: key.into(), attributes, ..Default::default() };
    world.s3.put_object(&cx, &permit, write, body(bytes)).await
}

async fn record(world: &World, key: &str) -> ObjectRecord {
    let (cx, _) = world.alice();
    world.s3.object_for_read(&cx, "data", key).await.unwrap().unwrap()
}

/// What comes of reading a range: all of it, or an error at some point.
async fn range(world: &World, key: &str, start: u64, length: u64) -> Result<Vec<u8>, ApiError> {
    let (cx, _) = world.alice();
    let record = record(world, key).await;
    let mut pieces = world.s3.read(&cx, &record.entry.bytes(), start, length).await?;
    let mut all = Vec::new();
    while let Some(piece) = pieces.next().await {
        all.extend_from_slice(&piece.map_err(ApiError::internal)?);
    }
    Ok(all)
}

async fn whole(world: &World, key: &str) -> Result<Vec<u8>, ApiError> {
    range(world, key, 0, u64::MAX).await
}

async fn encrypt_bucket(world: &World, encryption: Option<BucketEncryption>) {
    let (cx, permit) = world.alice();
    world.s3.change_setting(&cx, &permit, "data", SettingChange::Encryption(encryption)).await.unwrap();
}

#[tokio::test]
async fn an_object_is_sealed_on_the_disk_and_looks_like_any_other() {
    let world = World::with_bucket("data").await;
    let bytes = content(3 * FRAME + 100);
    let plain = world.put("data", "plain", &bytes).await.unwrap();
    assert!(plain.entry.sealed.is_none() && world.on_disk(MARK));
    world.forget_blob(&plain.entry.digest).await;
    let sealed = put(&world, "sealed", &bytes, asking("AES256")).await.unwrap();
    assert!(!world.on_disk(MARK));
    assert_eq!((sealed.entry.size, &sealed.entry.etag), (plain.entry.size, &plain.entry.etag));
    assert_eq!(sealed.checksum, plain.checksum);
    assert_eq!(sealed.attributes, ObjectAttributes::default(), "what was asked for is no attribute");
    let how = sealed.entry.sealed.as_deref().unwrap();
    assert_eq!((how.method(), how.kms_key_arn.as_deref(), how.bucket_key), ("AES256", None, false));
    assert!(whole(&world, "sealed").await.unwrap() == bytes);
    for (start, length) in [(0, 1), (FRAME - 1, 2), (FRAME, FRAME), (100, 2 * FRAME), (bytes.len() - 1, 9), (9, 0)] {
        let end = (start + length).min(bytes.len());
        let read = range(&world, "sealed", start as u64, length as u64).await.unwrap();
        assert!(read == bytes[start..end], "{start} {length}");
    }
    let list = ListObjects { bucket: "data".into(), prefix: "sealed".into(), limit: 5, ..Default::default() };
    assert_eq!(world.s3.list_objects(&list).await.unwrap().objects[0].size, bytes.len() as u64);
    // Twice the same bytes are two blobs under two keys.
    let again = put(&world, "again", &bytes, asking("AES256")).await.unwrap();
    assert_ne!(again.entry.digest, sealed.entry.digest);
    assert_ne!(again.entry.sealed.unwrap().key, how.key);
    for size in [0, 1, FRAME] {
        let bytes = content(size);
        put(&world, "size", &bytes, asking("AES256")).await.unwrap();
        assert!(whole(&world, "size").await.unwrap() == bytes, "{size}");
    }
}

#[tokio::test]
async fn checks_are_of_the_bytes_that_came() {
    let world = World::with_bucket("data").await;
    let put = |checks: BodyChecks| {
        let (cx, permit) = world.alice();
        let attributes = asking("AES256");
        let write = WriteObject { bucket: "data".into(), key: "k".into(), attributes, checks, ..Default::default() };
        let s3 = &world.s3;
        async move { s3.put_object(&cx, &permit, write, body(b"123456789")).await }
    };
    let sha256 = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225";
    let mut given = [0; 32];
    hex::decode_to_slice(sha256, &mut given).unwrap();
    let checks = BodyChecks { sha256: Some(given), length: Some(9), ..Default::default() };
    assert_eq!(put(checks).await.unwrap().entry.size, 9);
    given[0] ^= 1;
    let wrong = BodyChecks { sha256: Some(given), ..Default::default() };
    assert_eq!(code(put(wrong).await), "XAmzContentSHA256Mismatch");
    let checks = BodyChecks { algorithm: Some(ChecksumAlgorithm::Sha256), ..Default::default() };
    let made = put(checks).await.unwrap().checksum.unwrap();
    assert_eq!(made.value, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=");
    assert_eq!(code(put(BodyChecks { length: Some(8), ..Default::default() }).await), "IncompleteBody");
    assert_eq!(code(put(BodyChecks { md5: Some([0; 16]), ..Default::default() }).await), "BadDigest");
}

#[tokio::test]
async fn kms_is_asked_in_the_callers_name_and_with_the_right_context() {
    let world = World::with_bucket("data").await;
    let bytes = content(100);
    let sealed = put(&world, "k", &bytes, asking("aws:kms")).await.unwrap();
    let how = sealed.entry.sealed.as_deref().unwrap();
    assert_eq!((how.method(), how.kms_key_arn.as_deref()), ("aws:kms", Some(KEY_ARN)));
    assert_eq!(sealed.entry.etag.len(), 32);
    assert_ne!(sealed.entry.etag, world.put("data", "plain", &bytes).await.unwrap().entry.etag, "it is not the MD5");
    let pair = |arn: &str| BTreeMap::from([("aws:s3:arn".to_owned(), arn.to_owned())]);
    assert_eq!(world.keys.last_context(), pair("arn:aws:s3:::data/k"));
    assert_eq!(whole(&world, "k").await.unwrap(), bytes);
    assert_eq!(world.keys.last_context(), pair("arn:aws:s3:::data/k"));

    let own = ObjectAttributes {
        bucket_key: Some(true),
        encryption_context: Some("eyJ0ZWFtIjoicmVkIn0=".to_owned()),
        kms_key_id: Some("mine".to_owned()),
        ..asking("aws:kms")
    };
    let sealed = put(&world, "own", &bytes, own).await.unwrap();
    assert!(sealed.entry.sealed.unwrap().bucket_key);
    let mut context = pair("arn:aws:s3:::data");
    context.insert("team".to_owned(), "red".to_owned());
    assert_eq!(world.keys.last_context(), context);
    assert_eq!(world.keys.last_key(), Some("mine".to_owned()));
    assert_eq!(whole(&world, "own").await.unwrap(), bytes);

    // {"aws:s3:arn":"arn:aws:s3:::x"}
    let lie = Some("eyJhd3M6czM6YXJuIjoiYXJuOmF3czpzMzo6OngifQ==".to_owned());
    let lie = ObjectAttributes { encryption_context: lie, ..asking("aws:kms") };
    assert_eq!(code(put(&world, "lie", &bytes, lie).await), "InvalidArgument");
    let (cx, _) = world.alice();
    let entry = record(&world, "k").await.entry;
    world.s3.may_open(&cx, entry.sealed.as_deref().unwrap()).await.unwrap();
    for (refusal, told) in
        [("AccessDeniedException", "AccessDeniedException"), ("DisabledException", "KMS.DisabledException")]
    {
        *world.keys.refuses.lock() = Some(refusal);
        assert_eq!(code(whole(&world, "k").await), told);
        assert_eq!(code(put(&world, "new", &bytes, asking("aws:kms")).await), told);
        assert_eq!(code(world.s3.may_open(&cx, entry.sealed.as_deref().unwrap()).await), told);
    }
    assert_eq!(world.read("data", "plain").await.unwrap(), Bytes::from(bytes));
}

#[tokio::test]
async fn a_key_of_another_region_seals_nothing() {
    let world = World::with_bucket("data").await;
    *world.keys.region.lock() = "eu-west-1";
    let refused = put(&world, "k", b"x", asking("aws:kms")).await;
    assert_eq!(code(refused), "KMS.NotFoundException");
}

#[tokio::test]
async fn the_buckets_default_seals_what_says_nothing_and_only_from_then_on() {
    let world = World::with_bucket("data").await;
    let before = world.put("data", "before", MARK).await.unwrap();
    assert_eq!(world.s3.bucket_settings("data").await.unwrap().encryption, None);
    encrypt_bucket(&world, Some(BucketEncryption::Aes256)).await;
    assert_eq!(world.put("data", "k", MARK).await.unwrap().entry.sealed.unwrap().method(), "AES256");
    let kms = BucketEncryption::Kms { key: Some("theirs".to_owned()), bucket_key: true };
    encrypt_bucket(&world, Some(kms.clone())).await;
    assert_eq!(world.s3.bucket_settings("data").await.unwrap().encryption, Some(kms));
    let sealed = world.put("data", "k", MARK).await.unwrap().entry.sealed.unwrap();
    assert_eq!(
        (sealed.method(), sealed.bucket_key, world.keys.last_key().as_deref()),
        ("aws:kms", true, Some("theirs"))
    );
    let own = put(&world, "k", MARK, asking("AES256")).await.unwrap();
    assert_eq!(own.entry.sealed.unwrap().method(), "AES256");
    assert_eq!(record(&world, "before").await, before);
    encrypt_bucket(&world, None).await;
    assert!(world.put("data", "k", MARK).await.unwrap().entry.sealed.is_none());

    let world = World::with_default(Some(BucketEncryption::Aes256)).await;
    assert_eq!(world.s3.bucket_settings("data").await.unwrap().encryption, Some(BucketEncryption::Aes256));
    assert_eq!(world.put("data", "k", MARK).await.unwrap().entry.sealed.unwrap().method(), "AES256");
}

#[tokio::test]
async fn uploads_are_sealed_part_by_part_and_as_a_whole() {
    for method in ["AES256", "aws:kms"] {
        let world = World::with_bucket("data").await;
        let (cx, permit) = world.alice();
        let write =
            WriteObject { bucket: "data".into(), key: "big".into(), attributes: asking(method), ..Default::default() };
        let upload = world.s3.create_upload(&cx, &permit, write, false).await.unwrap();
        assert_eq!(upload.sealed.as_ref().unwrap().method(), method);
        let name = UploadName { bucket: upload.bucket, key: upload.key, id: upload.id };
        let parts = [content(FIVE), content(70_000)];
        let mut claims = Vec::new();
        for (number, part) in (1..).zip(&parts) {
            let put = world.s3.put_part(&cx, &permit, &name, number, BodyChecks::default(), body(part)).await.unwrap();
            assert_eq!((put.size, put.sealed.is_some()), (part.len() as u64, true));
            claims.push(ClaimedPart { number, etag: put.etag, checksum: None });
        }
        let listed = world.s3.upload_parts(&name, 0, 10).await.unwrap().1;
        assert_eq!(listed[1].size, 70_000);
        let complete = CompleteUpload { parts: claims.clone(), ..Default::default() };
        let object = world.s3.complete_upload(&cx, &permit, &name, complete).await.unwrap();
        assert!(!world.on_disk(MARK), "neither parts nor whole");
        let all = parts.concat();
        assert_eq!((object.entry.size, object.part_sizes.clone()), (all.len() as u64, vec![FIVE as u64, 70_000]));
        assert!(object.entry.etag.ends_with("-2"));
        assert!(whole(&world, "big").await.unwrap() == all);
        let border = range(&world, "big", FIVE as u64 - 10, 20).await.unwrap();
        assert!(border == all[FIVE - 10..FIVE + 10]);
        let plain = world.put("data", "plain", &all).await.unwrap();
        assert_eq!(object.checksum, plain.checksum);

        // Of one part, which becomes the object as it is; and without the key there is nothing to add.
        let write =
            WriteObject { bucket: "data".into(), key: "one".into(), attributes: asking(method), ..Default::default() };
        let upload = world.s3.create_upload(&cx, &permit, write, false).await.unwrap();
        let name = UploadName { bucket: upload.bucket, key: upload.key, id: upload.id };
        let put = world.s3.put_part(&cx, &permit, &name, 1, BodyChecks::default(), body(MARK)).await.unwrap();
        *world.keys.refuses.lock() = Some("AccessDeniedException");
        let claims = vec![ClaimedPart { number: 1, etag: put.etag, checksum: None }];
        let complete = || CompleteUpload { parts: claims.clone(), ..Default::default() };
        if method == "aws:kms" {
            let part = world.s3.put_part(&cx, &permit, &name, 2, BodyChecks::default(), body(MARK)).await;
            assert_eq!(code(part), "AccessDeniedException");
            assert_eq!(code(world.s3.complete_upload(&cx, &permit, &name, complete()).await), "AccessDeniedException");
        }
        *world.keys.refuses.lock() = None;
        world.s3.complete_upload(&cx, &permit, &name, complete()).await.unwrap();
        assert_eq!(whole(&world, "one").await.unwrap(), MARK);
    }
}

#[tokio::test]
async fn copies_are_sealed_as_they_ask_and_not_as_their_source() {
    let world = World::with_bucket("data").await;
    let bytes = content(2 * FRAME);
    world.put("data", "none", &bytes).await.unwrap();
    put(&world, "AES256", &bytes, asking("AES256")).await.unwrap();
    put(&world, "aws:kms", &bytes, asking("aws:kms")).await.unwrap();
    let md5 = record(&world, "none").await.entry.etag;
    for from in ["none", "AES256", "aws:kms"] {
        for to in ["none", "AES256", "aws:kms"] {
            let (cx, permit) = world.alice();
            let source = record(&world, from).await;
            let attributes = if to == "none" { ObjectAttributes::default() } else { asking(to) };
            let write = WriteObject { bucket: "data".into(), key: "copy".into(), attributes, ..Default::default() };
            let copy = world.s3.copy_object(&cx, &permit, &source, write, false).await.unwrap();
            assert_eq!(copy.entry.sealed.as_ref().map_or("none", |sealed| sealed.method()), to, "{from}");
            assert_eq!(copy.checksum, source.checksum);
            assert_eq!(copy.entry.etag == md5, to != "aws:kms", "{from} {to}");
            if let (Some(of), Some(by)) = (&source.entry.sealed, &copy.entry.sealed) {
                assert_ne!(of.key, by.key);
            }
            assert!(whole(&world, "copy").await.unwrap() == bytes, "{from} {to}");
        }
    }
    // Reading the source is using its key.
    *world.keys.refuses.lock() = Some("AccessDeniedException");
    let (cx, permit) = world.alice();
    let source = record(&world, "aws:kms").await;
    let write = WriteObject { bucket: "data".into(), key: "copy".into(), ..Default::default() };
    assert_eq!(code(world.s3.copy_object(&cx, &permit, &source, write, false).await), "AccessDeniedException");
}

#[tokio::test]
async fn what_was_done_to_the_file_is_an_error_and_never_other_bytes() {
    let world = World::with_bucket("data").await;
    let bytes = content(4 * FRAME);
    let sealed = put(&world, "k", &bytes, asking("AES256")).await.unwrap();
    let other = put(&world, "other", &bytes, asking("AES256")).await.unwrap();
    let good = world.blob(&sealed.entry.digest);
    let foreign = world.blob(&other.entry.digest);
    let (head, frame) = (48, FRAME + 16);
    let swapped =
        [&good[..head], &good[head + frame..head + 2 * frame], &good[head..head + frame], &good[head + 2 * frame..]];
    let flipped = |place: usize| {
        let mut bytes = good.clone();
        bytes[place] ^= 4;
        bytes
    };
    let cases = [
        ("a bit of the first frame", flipped(head + 5), true),
        ("a bit of the last frame", flipped(good.len() - 20), true),
        ("a bit of a tag", flipped(head + 2 * frame - 1), true),
        ("a bit of the header", flipped(20), true),
        ("cut off between frames", good[..head + 3 * frame].to_vec(), true),
        ("cut off within a frame", good[..head + 3 * frame + 9].to_vec(), true),
        ("cut off within the header", good[..10].to_vec(), true),
        ("nothing", Vec::new(), true),
        ("frames in another order", swapped.concat(), true),
        ("a frame left out", [&good[..head + frame], &good[head + 2 * frame..]].concat(), true),
        ("another object's", foreign, true),
        ("the bytes as they were", bytes.clone(), true),
        ("something behind the end", [&good[..], b"more"].concat(), false),
        ("untouched", good.clone(), false),
    ];
    for (what, file, refused) in cases {
        world.overwrite(&sealed.entry.digest, &file);
        let read = whole(&world, "k").await;
        assert_eq!(read.is_err(), refused, "{what}");
        if let Ok(read) = read {
            assert!(read == bytes, "{what}");
        }
        for start in [0, FRAME, 2 * FRAME + 5, 4 * FRAME - 1] {
            if let Ok(read) = range(&world, "k", start as u64, 10).await {
                assert!(read == bytes[start..(start + 10).min(bytes.len())], "{what} at {start}");
            }
        }
    }
}

#[tokio::test]
async fn damage_does_not_get_into_copies_and_joined_parts() {
    let world = World::with_bucket("data").await;
    let (cx, permit) = world.alice();
    let source = put(&world, "k", &content(4 * FRAME), asking("AES256")).await.unwrap();
    let mut file = world.blob(&source.entry.digest);
    let end = file.len() - 20;
    file[end] ^= 1;
    world.overwrite(&source.entry.digest, &file);
    let write = WriteObject { bucket: "data".into(), key: "copy".into(), ..Default::default() };
    assert_eq!(code(world.s3.copy_object(&cx, &permit, &source, write, false).await), "InternalFailure");
    let write =
        WriteObject { bucket: "data".into(), key: "big".into(), attributes: asking("AES256"), ..Default::default() };
    let upload = world.s3.create_upload(&cx, &permit, write, false).await.unwrap();
    let name = UploadName { bucket: upload.bucket, key: upload.key, id: upload.id };
    let before = world.files();
    let one = world.s3.put_part(&cx, &permit, &name, 1, BodyChecks::default(), body(&content(FIVE))).await.unwrap();
    let part = world.files().into_iter().find(|file| !before.contains(file)).unwrap();
    let two = world.s3.put_part(&cx, &permit, &name, 2, BodyChecks::default(), body(b"end")).await.unwrap();
    let mut file = world.blob(&part);
    file[FIVE / 2] ^= 1;
    world.overwrite(&part, &file);
    let claim = |number: u32, part: &PartRecord| ClaimedPart { number, etag: part.etag.clone(), checksum: None };
    let complete = CompleteUpload { parts: vec![claim(1, &one), claim(2, &two)], ..Default::default() };
    assert_eq!(code(world.s3.complete_upload(&cx, &permit, &name, complete).await), "InternalFailure");
    for key in ["copy", "big"] {
        assert!(world.s3.object_for_read(&cx, "data", key).await.unwrap().is_none(), "{key}");
    }
}

#[tokio::test]
async fn a_master_key_that_is_replaced_still_opens_what_it_sealed() {
    let world = World::with_bucket("data").await;
    put(&world, "k", MARK, asking("AES256")).await.unwrap();
    let foreign = world.under_key([2; 32], &[]);
    assert_eq!(code(range(&foreign, "k", 0, 9).await), "InternalFailure");
    let replaced = world.under_key([2; 32], &[[1; 32]]);
    assert_eq!(whole(&replaced, "k").await.unwrap(), MARK);
    // As `stoa keys rotate-master` does it: in whatever document.
    replaced.reseal([2; 32], [1; 32]).await;
    let after = world.under_key([2; 32], &[]);
    assert_eq!(whole(&after, "k").await.unwrap(), MARK);
}
