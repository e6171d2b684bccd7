//! The derived JumpStart buckets.

use md5::{Digest, Md5};
use stoa_kernel::Principal;
use stoa_kernel::ports::{ObjectSource, PRESIGNING_PRINCIPAL};
use stoa_types::AccountId;

use crate::support::*;

const OPEN: &str = "jumpstart-cache-prod-us-west-2";
const PRIVATE: &str = "jumpstart-private-cache-prod-us-west-2";

#[tokio::test]
async fn they_are_in_every_region_and_aws_s() {
    let world = world().await;
    for bucket in [OPEN, PRIVATE, "jumpstart-cache-prod-eu-central-1", "jumpstart-cache-prod-us-stoa-1"] {
        assert_eq!(world.hubs.bucket_owner(bucket).await.unwrap(), Some(AccountId::aws()), "{bucket}");
    }
    for bucket in ["own-bucket", "jumpstart-cache-prod-", "jumpstart-cache-prod-Nowhere"] {
        assert_eq!(world.hubs.bucket_owner(bucket).await.unwrap(), None, "{bucket}");
        assert_eq!(world.hubs.object(bucket, "models_manifest.json").await.unwrap(), None);
        assert!(world.hubs.objects(bucket, "", None, 10).await.unwrap().is_empty());
    }
    let here = world.hubs.object(OPEN, "models_manifest.json").await.unwrap().unwrap();
    let there = world.hubs.object("jumpstart-cache-prod-eu-central-1", "models_manifest.json").await.unwrap().unwrap();
    assert_eq!(here.inline, there.inline);
    // Specs carry the region they are read in.
    let key = format!("community_models/{IRIS}/specs_v1.1.0.json");
    let text = |entry: stoa_kernel::ports::ObjectEntry| String::from_utf8(entry.inline.unwrap().to_vec()).unwrap();
    let spec = text(world.hubs.object("jumpstart-cache-prod-eu-central-1", &key).await.unwrap().unwrap());
    assert!(spec.contains("\"eu-central-1\"") && !spec.contains(REGION));
}

#[tokio::test]
async fn etags_and_digests_are_of_the_bytes() {
    let world = world().await;
    let entry = world.hubs.object(OPEN, "models_manifest.json").await.unwrap().unwrap();
    let bytes = entry.inline.clone().unwrap();
    assert_eq!(entry.etag, hex::encode(Md5::digest(&bytes)));
    assert_eq!(entry.digest, hex::encode(sha2::Sha256::digest(&bytes)));
    assert_eq!(entry.size, bytes.len() as u64);
    let key = format!("{TINY}/artifacts/inference-prepack/v1.0.0/config.json");
    let entry = world.hubs.object(OPEN, &key).await.unwrap().unwrap();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../catalog/sample");
    let bytes = std::fs::read(format!("{sample}/{TINY}/1.0.0/artifact/config.json")).unwrap();
    assert_eq!((entry.inline, entry.size), (None, bytes.len() as u64));
    assert_eq!(entry.digest, hex::encode(sha2::Sha256::digest(&bytes)));
    assert_eq!(entry.etag, hex::encode(Md5::digest(&bytes)));
    // One that other tools look for and that is not there.
    assert_eq!(world.hubs.object(OPEN, "hf_model_id_map_cache.json").await.unwrap(), None);
}

#[tokio::test]
async fn listings_go_on_by_key_within_the_prefix() {
    let world = world().await;
    let prefix = format!("{TINY}/artifacts/");
    let all = world.hubs.objects(OPEN, &prefix, None, 1000).await.unwrap();
    let keys: Vec<&str> = all.iter().map(|entry| entry.key.rsplit('/').next().unwrap()).collect();
    assert_eq!(keys, ["config.json", "model.onnx", "tokenizer.json"]);
    let first = world.hubs.objects(OPEN, &prefix, None, 1).await.unwrap();
    let rest = world.hubs.objects(OPEN, &prefix, Some(&first[0].key), 1000).await.unwrap();
    assert_eq!(rest, all[1..]);
    let before = world.hubs.objects(OPEN, &prefix, Some("a"), 1000).await.unwrap();
    assert_eq!(before, all, "a position before the prefix");
    assert!(world.hubs.objects(OPEN, &prefix, Some("zzz"), 1000).await.unwrap().is_empty());
    let whole = world.hubs.objects(OPEN, "", None, 10_000).await.unwrap();
    assert!(whole.windows(2).all(|pair| pair[0].key < pair[1].key));
    assert!(
        whole.iter().all(|entry| !entry.key.starts_with(&format!("{GATED}/artifacts"))),
        "gated content is elsewhere"
    );
    let private = world.hubs.objects(PRIVATE, "", None, 10_000).await.unwrap();
    assert!(!private.is_empty() && private.iter().all(|entry| entry.key.starts_with(GATED)));
}

/// The whole bucket is in order of key, every key leads to its object, and a listing from any place under any prefix is
/// that part of the whole. `acme-tabular-a-b/` comes before `acme-tabular-a/`, and 1.10.0 before 1.9.0.
#[tokio::test]
async fn every_listing_is_a_part_of_the_whole_bucket() {
    let world = world().await;
    for (id, version) in [
        ("acme-tabular-a", "1.9.0"),
        ("acme-tabular-a", "1.10.0"),
        ("acme-tabular-a-b", "1.0.0"),
        ("acme-tabular-ab", "1.0.0"),
    ] {
        world.import(id, version).await;
    }
    let twice = world.model_folder("acme-tabular-a", "1.11.0");
    change(&twice, |manifest| {
        manifest["gated"] = true.into();
        manifest["eula"] = "EULA.txt".into();
    });
    std::fs::write(twice.join("EULA.txt"), "terms").unwrap();
    world.catalog.import_dir(&twice).await.unwrap();
    let mut all = 0;
    for bucket in [OPEN, PRIVATE] {
        let whole = world.hubs.objects(bucket, "", None, 10_000).await.unwrap();
        assert!(whole.windows(2).all(|pair| pair[0].key < pair[1].key));
        all += whole.len();
        for entry in &whole {
            assert_eq!(world.hubs.object(bucket, &entry.key).await.unwrap().as_ref(), Some(entry), "{}", entry.key);
        }
        let keys: Vec<&str> = whole.iter().map(|entry| entry.key.as_str()).collect();
        let mut prefixes = vec![
            "",
            "a",
            "acme-tabular-a",
            "community_models",
            "models",
            "n",
            "zzz",
            "community_models/acme-tabular-a/",
        ];
        prefixes.extend(
            keys.iter()
                .step_by(3)
                .flat_map(|key| [*key, &key[..key.len() / 2], key.split_inclusive('/').next().unwrap()]),
        );
        for prefix in prefixes {
            for after in [None, Some(""), Some("acme-tabular-a/"), Some("b"), Some("community_models/n"), Some("zzz")]
                .into_iter()
                .chain(keys.iter().step_by(5).map(|key| Some(*key)))
            {
                for limit in [1, 4, 1000] {
                    let page = world.hubs.objects(bucket, prefix, after, limit).await.unwrap();
                    let shown: Vec<&str> = page.iter().map(|entry| entry.key.as_str()).collect();
                    let part =
                        keys.iter().filter(|key| key.starts_with(prefix) && after.is_none_or(|after| **key > after));
                    let part: Vec<&str> = part.take(limit).copied().collect();
                    assert_eq!(shown, part, "{bucket} {prefix:?} {after:?} {limit}");
                }
            }
        }
    }
    // Five versions of ours with a spec, a card and two files each, and two licences of the gated one.
    assert!(all > 5 * 4 + 2, "{all}");
    for other in [
        "community_models/acme-tabular-a/specs_v01.9.0.json",
        "acme-tabular-a/v1.9.0/eula.txt",
        "acme-tabular-ab/eula.txt",
        "acme-tabular-a/artifacts/inference-prepack/v1.11.0/model.onnx",
        "acme-tabular-a/artifacts/inference-prepack/v01.9.0/model.onnx",
        "acme-tabular-a/artifacts/inference-prepack/v1.9.0/nothing",
        "acme-tabular-nobody/v1.0.0/README.md",
        "acme-tabular-a/",
        "community_models/",
        "",
    ] {
        assert_eq!(world.hubs.object(OPEN, other).await.unwrap(), None, "{other}");
    }
}

#[tokio::test]
async fn gated_content_opens_only_for_urls_that_were_granted() {
    let world = world().await;
    let admin = world.admin();
    let key = format!("{GATED}/artifacts/inference-prepack/v1.0.0/model.onnx");
    let refusal = world.hubs.check_read(&admin, PRIVATE, &key).await;
    refused(refusal, "AccessDenied", &["eula.txt", "CreateHubContentPresignedUrls"]);
    refused(world.hubs.check_read(&admin, PRIVATE, "nothing").await, "AccessDenied", &[]);
    let service = world.cx(Principal::service(PRESIGNING_PRINCIPAL, AccountId::aws()), REGION);
    world.hubs.check_read(&service, PRIVATE, &key).await.unwrap();
    let other = world.cx(Principal::service("lambda.amazonaws.com", AccountId::aws()), REGION);
    refused(world.hubs.check_read(&other, PRIVATE, &key).await, "AccessDenied", &[]);
    // The licence itself is open.
    for key in [format!("{GATED}/eula.txt"), format!("{GATED}/v1.0.0/eula.txt")] {
        world.hubs.check_read(&admin, OPEN, &key).await.unwrap();
        assert!(world.hubs.object(OPEN, &key).await.unwrap().is_some());
    }
}
