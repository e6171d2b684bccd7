//! Importing model folders: what is taken, what is refused, and what a second start costs.

use std::sync::Arc;

use serde_json::{Value, json};
use stoa_kernel::ports::ObjectSource;
use stoa_store::{Document, Key, Transaction};
use stoa_types::{AccountId, Clock};

use crate::faults::faulty;
use crate::support::*;

const ID: &str = "acme-tabular-flowers";

#[tokio::test]
async fn a_folder_becomes_a_public_model_with_every_digest() {
    let world = empty_world();
    let folder = world.model_folder(ID, "1.0.0");
    let done = world.catalog.import_dir(&folder).await.unwrap();
    assert_eq!(done.imported.len(), 1);
    let listed = world.catalog.list().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].id.as_str(), listed[0].version.as_str(), listed[0].gated), (ID, "1.0.0", false));
    use sha2::Digest;
    let digest = |bytes: &[u8]| hex::encode(sha2::Sha256::digest(bytes));
    assert_eq!(listed[0].files["model.onnx"], digest(b"weights of 1.0.0"));
    assert_eq!(listed[0].files["sub/labels.json"], digest(b"[]"));
    assert_eq!(listed[0].size_bytes, 18);
    // The same again changes nothing; other content under the version is refused, and a new version is taken.
    let again = world.catalog.import_dir(&folder).await.unwrap();
    assert_eq!((again.imported.len(), again.unchanged.len()), (0, 1));
    std::fs::write(folder.join("artifact/model.onnx"), "other").unwrap();
    refused(world.catalog.import_dir(&folder).await, "ValidationException", &[ID, "1.0.0", "new version"]);
    assert_eq!(world.catalog.list().await.unwrap(), listed);
    change(&folder, |manifest| manifest["version"] = json!("1.1.0"));
    world.catalog.import_dir(&folder).await.unwrap();
    assert_eq!(world.catalog.list().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_folder_of_folders_is_taken_whole_or_not_at_all() {
    let world = empty_world();
    for version in ["1.0.0", "1.1.0"] {
        world.model_folder(ID, version);
        world.model_folder("acme-tabular-trees", version);
    }
    let root = world.folder.path().join("models");
    let bad = root.join("acme-tabular-trees/1.1.0");
    std::fs::remove_file(bad.join("README.md")).unwrap();
    refused(world.catalog.import_dir(&root).await, "ValidationException", &["1.1.0/README.md", "1 problem"]);
    assert!(world.catalog.list().await.unwrap().is_empty());
    std::fs::write(bad.join("README.md"), "card").unwrap();
    assert_eq!(world.catalog.import_dir(&root).await.unwrap().imported.len(), 4);
    let twice = root.join("copy");
    std::fs::create_dir_all(twice.join("artifact")).unwrap();
    for file in ["manifest.json", "README.md", "artifact/model.onnx"] {
        std::fs::copy(root.join(ID).join("1.0.0").join(file), twice.join(file)).unwrap();
    }
    refused(world.catalog.import_dir(&root).await, "ValidationException", &["is also in"]);
}

#[tokio::test]
async fn bad_manifests_are_refused_with_all_problems_at_once() {
    let world = empty_world();
    let folder = world.model_folder(ID, "1.0.0");
    let good: Value = manifest(ID, "1.0.0");
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({}), &["id: the key is missing", "image: the key is missing"]),
        (json!([]), &["object"]),
        (json!({ "id": "a/b" }), &["id `a/b`"]),
        (json!({ "id": "two-parts", "framework": "two" }), &["three parts"]),
        (json!({ "framework": "other" }), &["framework `other`"]),
        (json!({ "version": "one" }), &["version", "`one`"]),
        (json!({ "gated": true }), &["eula"]),
        (json!({ "eula": "EULA.txt" }), &["eula"]),
        (json!({ "gated": true, "eula": "../secret" }), &["eula `../secret`"]),
        (json!({ "unknown_key": 1 }), &["unknown_key"]),
        (json!({ "default_instance_type": "ml.nobody" }), &["default_instance_type `ml.nobody`"]),
        (
            json!({ "supported_instance_types": ["m5.large"] }),
            &["supported_instance_types `m5.large`", "default_instance_type"],
        ),
        (json!({ "content_types": ["application/x-npy"] }), &["content_types"]),
        (json!({ "accept_types": ["text/csv"] }), &["accept_types"]),
        (json!({ "example_payloads": { "camelCase": { "content_type": "a/b", "body": {} } } }), &["camelCase"]),
        (json!({ "example_payloads": { "x": { "content_type": "a/b", "body": { "maxTokens": 1 } } } }), &["maxTokens"]),
        (
            json!({ "example_payloads": { "x": { "content_type": "a/b", "body": { "a": [1, 2] } } } }),
            &["body.a", "drops"],
        ),
        (json!({ "example_payloads": { "x": { "content_type": "a/b", "body": [] } } }), &["object or a text"]),
        (json!({ "example_payloads": { "x": { "content_type": "a/b", "body": "x", "accept": "y" } } }), &["accept"]),
        (json!({ "environment": { "A B": "1" } }), &["environment `A B`"]),
        (json!({ "image": "a b" }), &["image `a b`"]),
        (json!({ "task": " ", "provider": "" }), &["task", "provider", "2 problems"]),
    ];
    for (edit, words) in cases {
        let mut text = good.clone();
        match edit.as_object() {
            Some(members) if !members.is_empty() => {
                for (key, value) in members {
                    text[key] = value.clone();
                }
            }
            _ => text = edit,
        }
        std::fs::write(folder.join("manifest.json"), text.to_string()).unwrap();
        refused(world.catalog.import_dir(&folder).await, "ValidationException", words);
    }
    std::fs::write(folder.join("manifest.json"), "{").unwrap();
    refused(world.catalog.import_dir(&folder).await, "ValidationException", &["manifest.json", "JSON"]);
    std::fs::remove_file(folder.join("manifest.json")).unwrap();
    refused(world.catalog.import_dir(&folder).await, "ValidationException", &["manifest.json"]);
    refused(world.catalog.import_dir(&folder.join("nobody")).await, "ValidationException", &["nobody"]);
    assert!(world.catalog.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_outside_the_folder_is_ever_read() {
    let world = empty_world();
    let folder = world.model_folder(ID, "1.0.0");
    let secret = world.folder.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let links = ["artifact/leak", "artifact/sub/deep"];
    for link in links {
        std::os::unix::fs::symlink(&secret, folder.join(link)).unwrap();
    }
    refused(world.catalog.import_dir(&folder).await, "ValidationException", &["leak", "deep", "2 problems"]);
    for link in links {
        std::fs::remove_file(folder.join(link)).unwrap();
    }
    for file in ["README.md", "manifest.json"] {
        let path = folder.join(file);
        let text = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&secret, &path).unwrap();
        refused(world.catalog.import_dir(&folder).await, "ValidationException", &[file, "links are not followed"]);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    std::fs::rename(folder.join("artifact"), folder.join("elsewhere")).unwrap();
    refused(world.catalog.import_dir(&folder).await, "ValidationException", &["artifact"]);
    std::os::unix::fs::symlink(folder.join("elsewhere"), folder.join("artifact")).unwrap();
    refused(world.catalog.import_dir(&folder).await, "ValidationException", &["artifact", "links are not followed"]);
    std::fs::remove_file(folder.join("artifact")).unwrap();
    std::fs::create_dir(folder.join("artifact")).unwrap();
    refused(world.catalog.import_dir(&folder).await, "ValidationException", &["no file"]);
    std::fs::write(folder.join("artifact/a\nb"), "x").unwrap();
    refused(world.catalog.import_dir(&folder).await, "ValidationException", &["not plain text"]);
}

#[tokio::test]
async fn a_gated_folder_needs_its_licence() {
    let world = empty_world();
    let folder = world.model_folder(ID, "1.0.0");
    change(&folder, |manifest| {
        manifest["gated"] = json!(true);
        manifest["eula"] = json!("EULA.txt");
    });
    refused(world.catalog.import_dir(&folder).await, "ValidationException", &["EULA.txt", "eula"]);
    std::fs::write(folder.join("EULA.txt"), " \n").unwrap();
    refused(world.catalog.import_dir(&folder).await, "ValidationException", &["EULA.txt", "empty"]);
    std::fs::write(folder.join("EULA.txt"), "terms").unwrap();
    world.catalog.import_dir(&folder).await.unwrap();
    let eula =
        world.hubs.object("jumpstart-cache-prod-us-west-2", &format!("{ID}/v1.0.0/eula.txt")).await.unwrap().unwrap();
    assert_eq!(eula.size, 5);
    let artifact = format!("{ID}/artifacts/inference-prepack/v1.0.0/model.onnx");
    assert!(world.hubs.object("jumpstart-cache-prod-us-west-2", &artifact).await.unwrap().is_none());
    assert!(world.hubs.object("jumpstart-private-cache-prod-us-west-2", &artifact).await.unwrap().is_some());
}

#[tokio::test]
async fn a_large_file_is_streamed() {
    let world = empty_world();
    let folder = world.model_folder(ID, "1.0.0");
    let bytes: Vec<u8> = (0..3_000_001_u32).map(|number| (number % 251) as u8).collect();
    std::fs::write(folder.join("artifact/model.onnx"), &bytes).unwrap();
    std::fs::write(folder.join("artifact/empty"), "").unwrap();
    world.catalog.import_dir(&folder).await.unwrap();
    use sha2::Digest;
    let listed = world.catalog.list().await.unwrap();
    assert_eq!(listed[0].files["model.onnx"], hex::encode(sha2::Sha256::digest(&bytes)));
    assert_eq!(listed[0].files["empty"], hex::encode(sha2::Sha256::digest(b"")));
}

#[tokio::test]
async fn the_sample_is_loaded_once() {
    let world = empty_world();
    let first = world.catalog.import_sample().await.unwrap();
    assert!(first.imported.len() >= 6, "{first:?}");
    assert!(world.catalog.list().await.unwrap().iter().any(|entry| entry.id == GATED && entry.gated));
    let version = world.store.version("sagemaker:");
    let began = world.clock.now();
    let again = world.catalog.import_sample().await.unwrap();
    assert_eq!((again.imported.len(), again.unchanged.len()), (0, 0));
    assert_eq!((world.store.version("sagemaker:"), world.clock.now()), (version, began), "nothing is written");
    // A restart, with a model of one's own beside the samples.
    let folder = world.model_folder(ID, "1.0.0");
    world.catalog.import_dir(&folder).await.unwrap();
    let listed = world.catalog.list().await.unwrap();
    let restarted = open(Arc::clone(&world.store), world.clock.clone(), tempfile::tempdir().unwrap());
    restarted.catalog.import_sample().await.unwrap();
    assert_eq!(restarted.catalog.list().await.unwrap(), listed);
}

/// As if the binary had another set of samples: the next load of them looks at each.
async fn forget_samples(world: &World) {
    let key = Key { kind: "sagemaker:catalog-note", account: AccountId::aws(), region: None, id: "sample".to_owned() };
    let note = Document::new(key, "sample", world.clock.now(), &"another set").unwrap();
    world.store.commit(Transaction::new().put(note)).await.unwrap();
}

#[tokio::test]
async fn a_start_leaves_the_marks_of_samples_alone() {
    let world = world().await;
    let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../catalog/sample").join(IRIS);
    let folder = world.folder.path().join("iris");
    copy(&sample.join("1.0.0"), &folder);
    change(&folder, |manifest| manifest["vulnerabilities"] = json!(["CVE-2026-0001"]));
    assert_eq!(world.catalog.import_dir(&folder).await.unwrap().marked.len(), 1);
    let marked = world.catalog.list().await.unwrap();
    forget_samples(&world).await;
    let again = world.catalog.import_sample().await.unwrap();
    assert_eq!((again.imported.len(), again.marked.len(), again.unchanged.len()), (0, 0, marked.len()));
    assert_eq!(world.catalog.list().await.unwrap(), marked);
    let iris = marked.iter().find(|entry| entry.id == IRIS && entry.version == "1.0.0").unwrap();
    assert_eq!(iris.vulnerabilities, ["CVE-2026-0001"]);
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[tokio::test]
async fn a_repository_belongs_to_one_model() {
    let world = empty_world();
    let claim = |id: &str, version: &str| {
        let folder = world.model_folder(id, version);
        change(&folder, |manifest| manifest["huggingface"] = json!({ "repository": "org/flowers" }));
        folder
    };
    // Two in one folder, and none of them is taken.
    claim(ID, "1.0.0");
    claim("acme-tabular-aaa", "1.0.0");
    let both = world.catalog.import_dir(&world.folder.path().join("models")).await;
    refused(both, "ValidationException", &["org/flowers", ID, "acme-tabular-aaa"]);
    assert!(world.catalog.list().await.unwrap().is_empty());
    for version in ["1.0.0", "1.1.0"] {
        world.catalog.import_dir(&claim(ID, version)).await.unwrap();
    }
    // Also where its id is the first in order.
    let other = world.catalog.import_dir(&claim("acme-tabular-aaa", "1.0.0")).await;
    refused(other, "ValidationException", &["acme-tabular-aaa 1.0.0", "org/flowers", &format!("is {ID}'s")]);
    assert_eq!(world.catalog.import_dir(&claim(ID, "1.0.0")).await.unwrap().unchanged.len(), 1);
    assert_eq!(world.catalog.list().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_full_disk_is_told_as_such() {
    let world = empty_world();
    let (blobs, catalog) = faulty(&world);
    let folder = world.model_folder(ID, "1.0.0");
    blobs.full.store(true, std::sync::atomic::Ordering::Relaxed);
    refused(catalog.import_dir(&folder).await, "ValidationException", &["is full", "run the import again"]);
    blobs.full.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(catalog.import_dir(&folder).await.unwrap().imported.len(), 1);
}
