//! Objects: bytes and names, checks, conditions, copies, listings.

use std::collections::BTreeSet;

use stoa_kernel::ports::*;

use crate::support::{World, body, code};

fn expecting(algorithm: ChecksumAlgorithm, value: &str) -> BodyChecks {
    let value = value.to_owned();
    BodyChecks { algorithm: Some(algorithm), expected: Some(Box::new(move || Some(value))), ..Default::default() }
}

#[tokio::test]
async fn bytes_come_back_and_are_told_apart() {
    let world = World::with_bucket("data").await;
    let first = world.put("data", "a/../k é\n", b"hello").await.unwrap();
    assert_eq!(first.entry.etag, "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(first.entry.size, 5);
    assert_eq!(world.read("data", "a/../k é\n").await.unwrap(), "hello");
    assert_eq!(world.read("data", "k é\n").await, None);
    world.put("data", "a/../k é\n", b"again").await.unwrap();
    assert_eq!(world.read("data", "a/../k é\n").await.unwrap(), "again");
    world.delete("data", "a/../k é\n").await.unwrap();
    assert_eq!(world.read("data", "a/../k é\n").await, None);
    world.delete("data", "a/../k é\n").await.unwrap();
    assert_eq!(code(world.put("data", &"k".repeat(1025), b"").await), "KeyTooLongError");
    assert_eq!(code(world.put("absent", "k", b"").await), "NoSuchBucket");
}

#[tokio::test]
async fn checksums_are_the_published_ones() {
    let world = World::with_bucket("data").await;
    // Of `123456789`, from the catalogue of CRCs and the NIST.
    let known = [
        (ChecksumAlgorithm::Crc32, "y/Q5Jg=="),
        (ChecksumAlgorithm::Crc32c, "4waSgw=="),
        (ChecksumAlgorithm::Crc64Nvme, "rosUhgp5mIg="),
        (ChecksumAlgorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
        (ChecksumAlgorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    ];
    for (algorithm, value) in known {
        let put = |value: &str| {
            let checks = expecting(algorithm, value);
            world.put_with("data", "k", b"123456789", checks, WriteCondition::default())
        };
        let record = put(value).await.unwrap();
        assert_eq!(record.checksum, Some(Checksum { algorithm, value: value.to_owned(), composite: false }));
        world.delete("data", "k").await.unwrap();
        assert_eq!(code(put("AAAAAA==").await), "BadDigest");
        assert_eq!(world.read("data", "k").await, None);
    }
    let default = world.put("data", "k", b"123456789").await.unwrap();
    assert_eq!(default.checksum.unwrap().value, "rosUhgp5mIg=");
}

#[tokio::test]
async fn nothing_gets_a_name_that_fails_a_check() {
    let world = World::with_bucket("data").await;
    let checks = [
        (BodyChecks { length: Some(6), ..Default::default() }, "IncompleteBody"),
        (BodyChecks { md5: Some([0; 16]), ..Default::default() }, "BadDigest"),
        (BodyChecks { sha256: Some([0; 32]), ..Default::default() }, "XAmzContentSHA256Mismatch"),
        (BodyChecks { expected: Some(Box::new(|| None)), ..Default::default() }, "MalformedTrailerError"),
    ];
    for (checks, wanted) in checks {
        assert_eq!(code(world.put_with("data", "k", b"hello", checks, WriteCondition::default()).await), wanted);
        assert_eq!(world.read("data", "k").await, None);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_the_old_object() {
    use futures_util::StreamExt;
    let world = World::with_bucket("data").await;
    world.put("data", "k", b"old").await.unwrap();
    let (cx, permit) = world.alice();
    let put = |cause: Box<dyn std::error::Error + Send + Sync>| {
        let broken = body(&[1; 3_000_000]).chain(futures_util::stream::iter([Err(cause)])).boxed();
        let write = WriteObject { bucket: "data".into(), key: "k".into(), ..Default::default() };
        world.s3.put_object(&cx, &permit, write, broken)
    };
    assert_eq!(code(put("the peer went away".into()).await), "IncompleteBody");
    let told = stoa_kernel::ApiError::new("SignatureDoesNotMatch", 403, "a chunk");
    assert_eq!(code(put(Box::new(told)).await), "SignatureDoesNotMatch");
    assert_eq!(world.read("data", "k").await.unwrap(), "old");
}

#[tokio::test]
async fn conditions() {
    let world = World::with_bucket("data").await;
    let put = |bytes: &'static [u8], absent, etag: Option<&str>| {
        let condition = WriteCondition { absent, etag: etag.map(str::to_owned) };
        world.put_with("data", "k", bytes, BodyChecks::default(), condition)
    };
    assert_eq!(code(put(b"1", false, Some("*")).await), "NoSuchKey");
    let first = put(b"1", true, None).await.unwrap();
    assert_eq!(code(put(b"2", true, None).await), "PreconditionFailed");
    assert_eq!(code(put(b"2", false, Some("other")).await), "PreconditionFailed");
    put(b"2", false, Some(&first.entry.etag)).await.unwrap();
    assert_eq!(code(put(b"3", false, Some(&first.entry.etag)).await), "PreconditionFailed");
    assert_eq!(world.read("data", "k").await.unwrap(), "2");
}

#[tokio::test]
async fn only_one_of_many_makes_an_absent_object() {
    let world = World::with_bucket("data").await;
    let put = |index: usize| {
        let condition = WriteCondition { absent: true, etag: None };
        let bytes: &'static [u8] = Box::leak(vec![index as u8; 10].into_boxed_slice());
        world.put_with("data", "k", bytes, BodyChecks::default(), condition)
    };
    let results = futures_util::future::join_all((0..10).map(put)).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

#[tokio::test]
async fn copies_share_the_blob_and_take_or_replace_what_it_carries() {
    let world = World::with_bucket("data").await;
    let (cx, permit) = world.alice();
    let attributes = ObjectAttributes { content_type: Some("text/plain".into()), ..Default::default() };
    let write = WriteObject { bucket: "data".into(), key: "a".into(), attributes, ..Default::default() };
    let source = world.s3.put_object(&cx, &permit, write, body(b"hello")).await.unwrap();
    let to = |key: &str| WriteObject { bucket: "data".into(), key: key.into(), ..Default::default() };
    let copy = world.s3.copy_object(&cx, &permit, &source, to("b"), false).await.unwrap();
    assert_eq!((&copy.entry.digest, &copy.entry.etag), (&source.entry.digest, &source.entry.etag));
    assert_eq!(copy.attributes, source.attributes);
    let replaced = world.s3.copy_object(&cx, &permit, &source, to("c"), true).await.unwrap();
    assert_eq!(replaced.attributes.content_type, None);
    let mut hashed = to("d");
    hashed.checks.algorithm = Some(ChecksumAlgorithm::Sha256);
    let hashed = world.s3.copy_object(&cx, &permit, &source, hashed, false).await.unwrap();
    assert_eq!(hashed.checksum.unwrap().value, "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
    let manifest = world.s3.object_for_read(&cx, "jumpstart-cache-prod-us-west-2", "specs/a").await.unwrap().unwrap();
    world.s3.copy_object(&cx, &permit, &manifest, to("e"), false).await.unwrap();
    assert_eq!(world.read("data", "e").await.unwrap(), "{}");
}

async fn pages(world: &World, prefix: &str, delimiter: &str, limit: usize) -> (Vec<String>, Vec<String>, usize) {
    let (mut keys, mut prefixes, mut count, mut after) = (Vec::new(), Vec::new(), 0, None);
    loop {
        let list = ListObjects {
            bucket: "data".into(),
            prefix: prefix.into(),
            delimiter: delimiter.into(),
            after: after.take(),
            limit,
        };
        let page = world.s3.list_objects(&list).await.unwrap();
        assert!(page.objects.len() + page.prefixes.len() <= limit);
        keys.extend(page.objects.into_iter().map(|entry| entry.key));
        prefixes.extend(page.prefixes);
        count += 1;
        match page.next {
            Some(next) => after = Some(next),
            None => return (keys, prefixes, count),
        }
    }
}

/// What a listing must be, said naively.
fn naive(keys: &[String], prefix: &str, delimiter: &str) -> (Vec<String>, Vec<String>) {
    let (mut plain, mut rolled) = (BTreeSet::new(), BTreeSet::new());
    for key in keys.iter().filter(|key| key.starts_with(prefix)) {
        match key[prefix.len()..].find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(at) => rolled.insert(key[..prefix.len() + at + delimiter.len()].to_owned()),
            None => plain.insert(key.clone()),
        };
    }
    (plain.into_iter().collect(), rolled.into_iter().collect())
}

#[tokio::test]
async fn listings_are_what_they_naively_are() {
    let world = World::with_bucket("data").await;
    let mut keys = Vec::new();
    for name in ["a", "a/", "a/1", "a0", "b/x/1", "b/x/2", "b/y", "c--d--e", "c--f", "z", "é/ü", "\u{ffff}"] {
        keys.push(name.to_owned());
    }
    keys.extend((0..450).map(|index| format!("deep/{index:03}")));
    for key in &keys {
        world.put("data", key, b"").await.unwrap();
    }
    for prefix in ["", "a", "a/", "b/", "b/x/", "deep/", "deep/1", "c--", "none", "é"] {
        for delimiter in ["", "/", "--", "1"] {
            for limit in [1, 2, 7, 1000] {
                if limit == 1 && prefix.is_empty() && delimiter.is_empty() {
                    continue;
                }
                let (plain, rolled, _) = pages(&world, prefix, delimiter, limit).await;
                assert_eq!((plain, rolled), naive(&keys, prefix, delimiter), "{prefix:?} {delimiter:?} {limit}");
            }
        }
    }
    let (_, _, count) = pages(&world, "a", "", 2).await;
    assert_eq!(count, 2, "four keys are two full pages, and the second knows that it is the last");
}
