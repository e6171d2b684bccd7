//! Buckets: unique over accounts, removed only when empty, also when writers race.

use std::sync::Arc;

use stoa_kernel::ports::*;
use stoa_s3_objects::CombinedSource;
use stoa_store::{Key, Transaction};
use stoa_types::AccountId;

use crate::support::{Derived, World, code};

#[tokio::test]
async fn names_are_unique_over_accounts() {
    let world = World::with_bucket("data").await;
    let (cx, permit) = world.alice();
    let bob = world.cx("444455556666");
    assert_eq!(code(world.s3.create_bucket(&cx, &permit, "data", &cx.region).await), "BucketAlreadyOwnedByYou");
    assert_eq!(code(world.s3.create_bucket(&bob, &permit, "data", &cx.region).await), "BucketAlreadyExists");
    let cache = "jumpstart-cache-prod-us-west-2";
    assert_eq!(code(world.s3.create_bucket(&bob, &permit, cache, &cx.region).await), "BucketAlreadyExists");
    assert_eq!(code(world.s3.create_bucket(&bob, &permit, "No", &cx.region).await), "InvalidBucketName");
    let record = world.s3.bucket("data").await.unwrap().unwrap();
    assert_eq!((record.owner.as_str(), record.region), ("111122223333", Some(cx.region.clone())));
}

#[tokio::test]
async fn making_an_own_bucket_again_is_fine_in_the_oldest_region_only() {
    let world = World::new();
    let (cx, permit) = world.alice();
    let region = "us-east-1".parse().unwrap();
    world.s3.create_bucket(&cx, &permit, "data", &region).await.unwrap();
    world.s3.create_bucket(&cx, &permit, "data", &region).await.unwrap();
    assert_eq!(code(world.s3.create_bucket(&cx, &permit, "data", &cx.region).await), "BucketAlreadyOwnedByYou");
}

#[tokio::test]
async fn an_account_lists_its_own_buckets() {
    let world = World::with_bucket("b-two").await;
    let (cx, permit) = world.alice();
    for name in ["a-one", "b-three", "c"] {
        let result = world.s3.create_bucket(&cx, &permit, name, &cx.region).await;
        assert_eq!(result.is_ok(), name != "c");
    }
    let bob = world.cx("444455556666");
    world.s3.create_bucket(&bob, &permit, "b-bob", &cx.region).await.unwrap();
    let names = |records: Vec<BucketRecord>| records.into_iter().map(|record| record.name).collect::<Vec<_>>();
    let account: AccountId = "111122223333".parse().unwrap();
    let all = world.s3.buckets(&account, "", None, 10).await.unwrap();
    assert_eq!(names(all), ["a-one", "b-three", "b-two"]);
    let some = world.s3.buckets(&account, "b-", Some("b-three"), 10).await.unwrap();
    assert_eq!(names(some), ["b-two"]);
}

#[tokio::test]
async fn only_an_empty_bucket_goes() {
    let world = World::with_bucket("data").await;
    let (cx, permit) = world.alice();
    world.put("data", "k", b"1").await.unwrap();
    assert_eq!(code(world.s3.delete_bucket(&cx, &permit, "data").await), "BucketNotEmpty");
    // Refusing left no mark behind.
    world.put("data", "k", b"2").await.unwrap();
    world.delete("data", "k").await.unwrap();
    world.s3.delete_bucket(&cx, &permit, "data").await.unwrap();
    assert_eq!(code(world.put("data", "k", b"3").await), "NoSuchBucket");
    assert_eq!(code(world.s3.delete_bucket(&cx, &permit, "data").await), "NoSuchBucket");
}

#[tokio::test]
async fn a_write_that_straddles_a_deletion_fails_and_a_dead_deletion_is_taken_over() {
    let world = World::with_bucket("data").await;
    let key = Key { kind: "s3:bucket", account: AccountId::aws(), region: None, id: "data".to_owned() };
    let before = world.store.get(&key).await.unwrap().unwrap();
    // A deletion that got as far as its mark and died.
    let mut marked = before.as_ref().clone().with_status("Deleting");
    marked.modified = crate::support::START;
    world.store.commit(Transaction::new().update(marked)).await.unwrap();
    assert_eq!(code(world.put("data", "k", b"1").await), "OperationAborted");
    world.clock.advance_millis(20_000);
    world.put("data", "k", b"1").await.unwrap();
    let after = world.store.get(&key).await.unwrap().unwrap();
    assert_eq!((after.status.as_str(), after.generation), ("Active", before.generation + 2));
}

#[tokio::test]
async fn writers_and_a_deletion_race_without_orphans() {
    for round in 0..20 {
        let world = Arc::new(World::with_bucket("data").await);
        let writers: Vec<_> = (0..8)
            .map(|index| {
                let world = Arc::clone(&world);
                tokio::spawn(async move { world.put("data", &format!("k{index}"), b"x").await })
            })
            .collect();
        let (cx, permit) = world.alice();
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        let deleted = world.s3.delete_bucket(&cx, &permit, "data").await.is_ok();
        let mut written = 0;
        for writer in writers {
            written += usize::from(writer.await.unwrap().is_ok());
        }
        let query = stoa_store::Query::of("s3:object");
        let left = world.store.count(&query).await.unwrap();
        assert_eq!(left as usize, written);
        assert!(!deleted || left == 0, "objects outlived their bucket");
    }
}

#[tokio::test]
async fn derived_buckets_can_only_be_read() {
    let world = World::new();
    let (cx, permit) = world.alice();
    let cache = "jumpstart-cache-prod-us-west-2";
    assert_eq!(world.s3.bucket(cache).await.unwrap().unwrap().owner, AccountId::aws());
    let record = world.s3.object_for_read(&cx, cache, "models_manifest.json").await.unwrap().unwrap();
    assert_eq!(record.attributes.content_type.as_deref(), Some("application/json"));
    assert_eq!(code(world.s3.object_for_read(&cx, cache, "gated/model.tar.gz").await), "AccessDeniedException");
    assert_eq!(code(world.put(cache, "k", b"1").await), "AccessDeniedException");
    assert_eq!(code(world.delete(cache, "specs/a").await), "AccessDeniedException");
    assert_eq!(code(world.s3.delete_bucket(&cx, &permit, cache).await), "AccessDeniedException");
    let list = ListObjects { bucket: cache.into(), delimiter: "/".into(), limit: 10, ..Default::default() };
    let listing = world.s3.list_objects(&list).await.unwrap();
    assert_eq!(listing.prefixes, ["gated/", "specs/"]);
    assert_eq!(listing.objects.len(), 1);
}

#[tokio::test]
async fn several_sources_answer_as_one() {
    let world = World::with_bucket("data").await;
    world.put("data", "k", b"1").await.unwrap();
    let World { s3, .. } = world;
    let all = CombinedSource::new(vec![s3, Arc::new(Derived)]);
    assert_eq!(all.bucket_owner("data").await.unwrap().unwrap().as_str(), "111122223333");
    assert_eq!(all.object("data", "k").await.unwrap().unwrap().size, 1);
    assert!(all.object("jumpstart-cache-prod-us-west-2", "specs/a").await.unwrap().is_some());
    assert_eq!(all.bucket_owner("other").await.unwrap(), None);
}
