//! Bundles: out of one catalog and into another, and everything that a file somebody brings may try.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use md5::Md5;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use stoa_sagemaker_hub::{SecretKey, TrustedKey, verify_bundle};

use crate::driving;
use crate::faults::{blob_file, faulty};
use crate::support::*;

const ID: &str = "acme-tabular-flowers";

fn key(seed: u8) -> SecretKey {
    SecretKey::parse(&SecretKey::new_pem(&[seed; 32])).unwrap()
}

/// A world with two versions, and a bundle of them.
async fn exported(key: Option<&SecretKey>) -> (World, PathBuf) {
    let world = empty_world();
    world.import(ID, "1.0.0").await;
    world.import(ID, "1.1.0").await;
    let out = world.folder.path().join("out.stoa");
    world.catalog.export_bundle(&out, &[], key).await.unwrap();
    (world, out)
}

/// A change to a JSON document, and the words of its refusal.
type Case = (fn(&mut Json), &'static [&'static str]);

/// An entry of a tar: type, name, content.
type Raw = (u8, String, Vec<u8>);

fn entries(path: &Path) -> Vec<Raw> {
    let mut archive = tar::Archive::new(std::fs::File::open(path).unwrap());
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        found.push((b'0', entry.path().unwrap().display().to_string(), bytes));
    }
    found
}

/// Writes what no `tar` would: names and types as they are given, sizes as declared.
fn write(path: &Path, entries: &[Raw]) {
    let mut out = Vec::new();
    for (kind, name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_mode(0o644);
        header.set_size(if *kind == b'0' { bytes.len() as u64 } else { 0 });
        if *kind != b'0' {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        out.extend_from_slice(header.as_bytes());
        if *kind == b'0' {
            out.extend_from_slice(bytes);
            out.resize(out.len().next_multiple_of(512), 0);
        }
    }
    out.extend_from_slice(&[0; 1024]);
    std::fs::write(path, out).unwrap();
}

fn manifest_of(entries: &[Raw]) -> Json {
    serde_json::from_slice(&entries[0].2).unwrap()
}

/// The bundle with other documents, and a manifest to match: what a forger without the key can make.
fn forged(path: &Path, edit: impl Fn(&mut Json)) {
    let mut all = entries(path);
    let mut manifest = manifest_of(&all);
    let documents = all.iter_mut().filter(|(_, name, _)| name.starts_with("models/"));
    for ((_, name, bytes), model) in documents.zip(manifest["models"].as_array_mut().unwrap()) {
        let mut body: Json = serde_json::from_slice(bytes).unwrap();
        edit(&mut body);
        *bytes = body.to_string().into_bytes();
        let sha = hex::encode(Sha256::digest(&*bytes));
        *name = format!("models/{sha}.json");
        model["document"] = json!({ "sha256": sha, "size": bytes.len() });
    }
    all[0].2 = manifest.to_string().into_bytes();
    write(path, &all);
}

/// Neither verified nor imported, with these words, and nothing of it is visible.
async fn is_refused(target: &World, path: &Path, words: &[&str]) {
    refused(verify_bundle(path, &[]).await, "ValidationException", words);
    refused(target.catalog.import_bundle(path, &[]).await, "ValidationException", words);
    assert!(target.catalog.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn models_travel_whole_and_signed() {
    let signing = key(1);
    let (source, out) = exported(Some(&signing)).await;
    let trusted = [TrustedKey::parse(&signing.public().to_string()).unwrap()];
    let report = verify_bundle(&out, &trusted).await.unwrap();
    // The labels are the same bytes in both versions, and travel once.
    assert_eq!((report.models.len(), report.blobs), (2, 3));
    assert!(report.signer.trusted);
    let target = empty_world();
    let done = target.catalog.import_bundle(&out, &trusted).await.unwrap();
    assert_eq!((done.imported.len(), done.blobs_stored, done.blobs_there), (2, 3, 0));
    assert_eq!(target.catalog.list().await.unwrap(), source.catalog.list().await.unwrap());
    let again = target.catalog.import_bundle(&out, &trusted).await.unwrap();
    assert_eq!((again.imported.len(), again.unchanged.len(), again.blobs_stored), (0, 2, 0));
    // Without keys the signature must still hold; other keys, or none in the bundle, are refused.
    assert!(!verify_bundle(&out, &[]).await.unwrap().signer.trusted);
    refused(verify_bundle(&out, &[key(2).public()]).await, "ValidationException", &["not among the trusted keys"]);
    let (_other, unsigned) = exported(None).await;
    refused(verify_bundle(&unsigned, &trusted).await, "ValidationException", &["not signed"]);
    assert_eq!(verify_bundle(&unsigned, &[]).await.unwrap().signer.key, None);
}

#[tokio::test]
async fn what_is_exported_is_chosen_by_name() {
    let (world, out) = exported(None).await;
    let one = world.folder.path().join("one.stoa");
    let done = world.catalog.export_bundle(&one, &[format!("{ID}@1.1.0")], None).await.unwrap();
    assert_eq!(done.models.len(), 1);
    assert_eq!(done.bytes, std::fs::metadata(&one).unwrap().len());
    assert_eq!(verify_bundle(&one, &[]).await.unwrap().models[0].version, "1.1.0");
    let missing = world.catalog.export_bundle(&world.folder.path().join("x"), &["nobody@1.0.0".to_owned()], None).await;
    refused(missing, "ResourceNotFound", &["nobody@1.0.0"]);
    refused(world.catalog.export_bundle(&out, &[], None).await, "ValidationException", &["is there already"]);
}

#[tokio::test]
async fn a_gated_model_brings_its_licence() {
    let world = world().await;
    let out = world.folder.path().join("gated.stoa");
    world.catalog.export_bundle(&out, &[GATED.to_owned()], None).await.unwrap();
    let target = empty_world();
    target.catalog.import_bundle(&out, &[]).await.unwrap();
    assert!(target.catalog.list().await.unwrap()[0].gated);
    forged(&out, |body| body["eula"] = Json::Null);
    is_refused(&empty_world(), &out, &["licence"]).await;
}

#[tokio::test]
async fn an_import_that_broke_off_goes_on() {
    let (_source, out) = exported(None).await;
    let target = empty_world();
    let whole = std::fs::read(&out).unwrap();
    // The last model's blob is damaged: what was before it stays, and is not read again.
    let mut damaged = entries(&out);
    let last = damaged.iter().rposition(|(_, name, _)| name.starts_with("blobs/")).unwrap();
    damaged[last].2[0] ^= 1;
    write(&out, &damaged);
    let name = damaged[last].1.clone();
    refused(
        target.catalog.import_bundle(&out, &[]).await,
        "ValidationException",
        &[&name, "model.onnx of acme-tabular-flowers 1.1.0", "altered or damaged"],
    );
    refused(verify_bundle(&out, &[]).await, "ValidationException", &[&name, "altered or damaged"]);
    let listed = target.catalog.list().await.unwrap();
    assert_eq!(listed.len(), 1, "the model before it is whole");
    std::fs::write(&out, whole).unwrap();
    let done = target.catalog.import_bundle(&out, &[]).await.unwrap();
    assert_eq!((done.imported.len(), done.unchanged.len()), (1, 1));
    assert_eq!((done.blobs_stored, done.blobs_there), (1, 2));
}

#[tokio::test]
async fn a_version_with_other_content_refuses_the_whole_bundle() {
    let (_source, out) = exported(None).await;
    let target = empty_world();
    let folder = target.model_folder(ID, "1.1.0");
    std::fs::write(folder.join("artifact/model.onnx"), "of this site").unwrap();
    target.catalog.import_dir(&folder).await.unwrap();
    let refusal = target.catalog.import_bundle(&out, &[]).await;
    refused(refusal, "ValidationException", &["1.1.0", "other content", "nothing of the bundle"]);
    assert_eq!(target.catalog.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_signed_manifest_cannot_be_changed() {
    let target = empty_world();
    let (_source, out) = exported(Some(&key(1))).await;
    let whole = entries(&out);
    forged(&out, |body| body["card"] = json!("another card"));
    is_refused(&target, &out, &["signature", "altered"]).await;
    let mut swapped = whole.clone();
    swapped[1].2 = serde_json::to_vec(&json!({ "key": key(2).public().to_string(), "signature": "AAAA" })).unwrap();
    write(&out, &swapped);
    is_refused(&target, &out, &["signature", "altered"]).await;
    swapped[1].2 = b"{}".to_vec();
    write(&out, &swapped);
    is_refused(&target, &out, &["stoa-bundle.sig"]).await;
}

#[tokio::test]
async fn entries_that_the_manifest_does_not_have_next_are_refused() {
    let target = empty_world();
    let (_source, out) = exported(None).await;
    let good = entries(&out);
    let with = |at: usize, raw: Raw| {
        let mut all = good.clone();
        all.insert(at, raw);
        write(&out, &all);
    };
    for name in ["/etc/passwd", "../../etc/passwd", "blobs/../../x", "other"] {
        for at in [1, 2, good.len() - 1] {
            with(at, (b'0', name.to_owned(), b"x".to_vec()));
            is_refused(&target, &out, &["should come next", name]).await;
        }
        with(good.len(), (b'0', name.to_owned(), b"x".to_vec()));
        is_refused(&target, &out, &["not in the bundle's manifest"]).await;
    }
    // A second entry of a name, and names in another order.
    with(2, good[1].clone());
    is_refused(&target, &out, &["should come next"]).await;
    with(good.len(), good[1].clone());
    is_refused(&target, &out, &["not in the bundle's manifest"]).await;
    let mut turned = good.clone();
    turned.swap(1, 2);
    write(&out, &turned);
    is_refused(&target, &out, &["should come next"]).await;
    // Hard and symbolic links, devices, folders, pipes, long names, PAX headers: all but plain files.
    for kind in [b'1', b'2', b'3', b'4', b'5', b'6', b'L', b'x', b'g', b'S'] {
        for at in [0, 1, good.len()] {
            with(at, (kind, good[1].1.clone(), Vec::new()));
            is_refused(&target, &out, &["plain files only"]).await;
        }
    }
}

#[tokio::test]
async fn sizes_are_what_was_declared() {
    let target = empty_world();
    let (_source, out) = exported(None).await;
    let good = entries(&out);
    let longer = |at: usize| {
        let mut all = good.clone();
        all[at].2.push(b'x');
        write(&out, &all);
    };
    longer(1);
    is_refused(&target, &out, &["are declared"]).await;
    longer(good.len() - 1);
    is_refused(&target, &out, &["are declared"]).await;
    // The file ends early, at any of many places; and something follows its end.
    write(&out, &good);
    let whole = std::fs::read(&out).unwrap();
    for end in (0..whole.len() - 1024).step_by(1999) {
        std::fs::write(&out, &whole[..end]).unwrap();
        is_refused(&target, &out, &[]).await;
    }
    let mut more = whole.clone();
    more.extend_from_slice(b"more");
    std::fs::write(&out, &more).unwrap();
    is_refused(&target, &out, &["follows the end"]).await;
    // A manifest that declares the world is refused before a byte of it is asked for.
    let mut huge = good.clone();
    let mut manifest = manifest_of(&good);
    manifest["models"][0]["document"]["size"] = json!(1_u64 << 40);
    huge[0].2 = manifest.to_string().into_bytes();
    write(&out, &huge);
    is_refused(&target, &out, &["at most"]).await;
    manifest = manifest_of(&good);
    manifest["models"][0]["blobs"][0]["size"] = json!(u64::MAX);
    huge[0].2 = manifest.to_string().into_bytes();
    write(&out, &huge);
    is_refused(&target, &out, &["are declared"]).await;
}

#[tokio::test]
async fn what_is_no_bundle_is_told_by_name() {
    let target = empty_world();
    let world = empty_world();
    let path = world.folder.path().join("x");
    for (bytes, word) in [
        (b"".to_vec(), "cut off"),
        (vec![b'x'; 2000], "no bundle"),
        ([&[0x1f, 0x8b][..], &[7; 2000]].concat(), "gzip"),
        ([&[0x28, 0xb5, 0x2f, 0xfd][..], &[7; 2000]].concat(), "zstd"),
        (vec![0; 2000], "no bundle"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        is_refused(&target, &path, &[word]).await;
    }
    is_refused(&target, world.folder.path(), &[]).await;
    is_refused(&target, &world.folder.path().join("nobody"), &["nobody"]).await;
}

#[tokio::test]
async fn documents_are_judged_as_those_of_folders_are() {
    let target = empty_world();
    let (_source, out) = exported(None).await;
    let whole = std::fs::read(&out).unwrap();
    let cases: Vec<Case> = vec![
        (|body| body["files"][0]["path"] = json!("../../etc/cron.d/x"), &["plain relative path"]),
        (|body| body["files"][0]["path"] = json!("/etc/x"), &["plain relative path"]),
        (|body| body["files"][0]["path"] = json!("zz"), &["order of path"]),
        (|body| body["files"][1] = body["files"][0].clone(), &["none is there twice"]),
        (|body| body["files"] = json!([]), &["files are expected"]),
        (|body| body["files"][0]["size"] = json!(7), &["its blob has"]),
        (|body| body["files"][0]["digest"] = json!("0".repeat(64)), &["not in the bundle"]),
        (|body| body["files"][0]["md5"] = json!("x"), &["no MD5"]),
        (|body| body["manifest"]["description"] = json!(""), &["description"]),
        (|body| body["manifest"]["id"] = json!("acme-other-model"), &["its document is of acme-other-model"]),
        (|body| body["manifest"]["image"] = json!("a b"), &["image"]),
        (|body| body["card"] = json!(" "), &["card"]),
        (|body| body["manifest"]["version"] = json!("1"), &["version"]),
    ];
    for (edit, words) in cases {
        std::fs::write(&out, &whole).unwrap();
        forged(&out, edit);
        is_refused(&target, &out, words).await;
    }
    let edit_manifest = |edit: fn(&mut Json)| {
        std::fs::write(&out, &whole).unwrap();
        let mut all = entries(&out);
        let mut manifest = manifest_of(&all);
        edit(&mut manifest);
        all[0].2 = manifest.to_string().into_bytes();
        write(&out, &all);
    };
    let cases: Vec<Case> = vec![
        (|manifest| manifest["format"] = json!(2), &["format 2"]),
        (|manifest| manifest["more"] = json!(2), &["more"]),
        (|manifest| manifest["models"][1] = manifest["models"][0].clone(), &["listed twice"]),
        (|manifest| manifest["models"][0]["blobs"][0]["sha256"] = json!("../x"), &["no SHA-256"]),
        (|manifest| manifest["models"][0]["blobs"][1] = manifest["models"][0]["blobs"][0].clone(), &["listed twice"]),
    ];
    for (edit, words) in cases {
        edit_manifest(edit);
        is_refused(&target, &out, words).await;
    }
}

/// Marks a version that is there, as its folder's author does.
async fn mark(world: &World, version: &str, key: &str, value: Json) {
    let folder = world.model_folder(ID, version);
    change(&folder, |manifest| manifest[key] = value);
    assert_eq!(world.catalog.import_dir(&folder).await.unwrap().marked.len(), 1);
}

#[tokio::test]
async fn a_bundle_brings_marks_and_takes_none_away() {
    let signing = key(1);
    let (source, old) = exported(Some(&signing)).await;
    let trusted = [signing.public()];
    let target = empty_world();
    target.catalog.import_bundle(&old, &trusted).await.unwrap();
    mark(&target, "1.0.0", "vulnerabilities", json!(["CVE-2026-0001"])).await;
    mark(&target, "1.1.0", "deprecated", json!("Use 1.2.0.")).await;
    let marked = target.catalog.list().await.unwrap();
    // The bundle of before the marks, played once more.
    let again = target.catalog.import_bundle(&old, &trusted).await.unwrap();
    assert_eq!((again.unchanged.len(), again.marked.len()), (2, 0));
    assert_eq!(target.catalog.list().await.unwrap(), marked);
    // What the other site found comes beside what is known here.
    mark(&source, "1.0.0", "vulnerabilities", json!(["CVE-2026-0002", "CVE-2026-0001"])).await;
    mark(&source, "1.1.0", "deprecated", json!("Use another.")).await;
    let new = source.folder.path().join("new.stoa");
    source.catalog.export_bundle(&new, &[], Some(&signing)).await.unwrap();
    let done = target.catalog.import_bundle(&new, &trusted).await.unwrap();
    assert_eq!((done.imported.len(), done.unchanged.len(), done.marked.len()), (0, 1, 1));
    let listed = target.catalog.list().await.unwrap();
    assert_eq!(listed[0].vulnerabilities, ["CVE-2026-0001", "CVE-2026-0002"]);
    assert_eq!(listed[1].deprecated.as_deref(), Some("Use 1.2.0."), "what this site says stays");
    let fresh = empty_world();
    fresh.catalog.import_bundle(&new, &trusted).await.unwrap();
    assert_eq!(fresh.catalog.list().await.unwrap(), source.catalog.list().await.unwrap());
}

#[tokio::test]
async fn marks_beyond_what_a_hub_document_holds_refuse_the_bundle() {
    let many = |from: u32| json!((from..from + 1000).map(|number| format!("{number:0>200}")).collect::<Vec<_>>());
    let (source, _) = exported(None).await;
    let target = empty_world();
    target.import(ID, "1.0.0").await;
    mark(&source, "1.0.0", "vulnerabilities", many(0)).await;
    mark(&target, "1.0.0", "vulnerabilities", many(5000)).await;
    let out = source.folder.path().join("new.stoa");
    source.catalog.export_bundle(&out, &[], None).await.unwrap();
    let refusal = target.catalog.import_bundle(&out, &[]).await;
    refused(refusal, "ValidationException", &["1.0.0", "hub document", "327680 are allowed", "nothing of the bundle"]);
    assert_eq!(target.catalog.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_document_stands_on_blobs_before_it_only() {
    let (_source, out) = exported(None).await;
    let mut all = entries(&out);
    let mut manifest = manifest_of(&all);
    // What both versions have moves to the later one, and is damaged there.
    let shared = hex::encode(Sha256::digest(b"[]"));
    let at = all.iter().position(|(_, name, _)| *name == format!("blobs/{shared}")).unwrap();
    let mut entry = all.remove(at);
    entry.2 = b"{}".to_vec();
    let last = all.len() - 1;
    all.insert(last, entry);
    let blobs = manifest["models"][0]["blobs"].as_array_mut().unwrap();
    let listed = blobs.iter().position(|blob| blob["sha256"] == json!(shared)).unwrap();
    let moved = blobs.remove(listed);
    manifest["models"][1]["blobs"].as_array_mut().unwrap().push(moved);
    all[0].2 = manifest.to_string().into_bytes();
    write(&out, &all);
    is_refused(&empty_world(), &out, &["1.0.0: sub/labels.json", &shared, "not in the bundle before it"]).await;
}

#[tokio::test]
async fn a_blob_of_no_file_is_refused() {
    let (_source, out) = exported(None).await;
    let mut all = entries(&out);
    let mut manifest = manifest_of(&all);
    let more = hex::encode(Sha256::digest(b"more"));
    manifest["models"][0]["blobs"].as_array_mut().unwrap().insert(0, json!({ "sha256": more, "size": 4 }));
    all[0].2 = manifest.to_string().into_bytes();
    all.insert(1, (b'0', format!("blobs/{more}"), b"more".to_vec()));
    write(&out, &all);
    is_refused(&empty_world(), &out, &[&more, "is of none of its files"]).await;
}

#[tokio::test]
async fn two_exports_to_one_file_leave_one_bundle() {
    let (world, _) = exported(None).await;
    let out = world.folder.path().join("one.stoa");
    let (one, other, all) = ([format!("{ID}@1.0.0")], [format!("{ID}@1.1.0")], []);
    let export = |models| world.catalog.export_bundle(&out, models, None);
    let (first, second, third) = tokio::join!(export(&all), export(&one), export(&other));
    let (done, refused): (Vec<_>, Vec<_>) = [first, second, third].into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), refused.len()), (1, 2));
    assert!(refused.iter().all(|result| result.as_ref().unwrap_err().message().contains("is there already")));
    assert_eq!(verify_bundle(&out, &[]).await.unwrap().models, done[0].as_ref().unwrap().models);
    assert!(!world.folder.path().join("one.stoa.partial").exists());
}

#[tokio::test]
async fn an_export_writes_over_nothing_that_came_meanwhile() {
    let (world, _) = exported(None).await;
    let (blobs, catalog) = faulty(&world);
    let out = world.folder.path().join("one.stoa");
    let other = out.clone();
    *blobs.at_read.lock() = Some(Box::new(move || std::fs::write(other, "somebody else's").unwrap()));
    refused(catalog.export_bundle(&out, &[], None).await, "ValidationException", &["one.stoa is there already"]);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "somebody else's");
    assert!(!world.folder.path().join("one.stoa.partial").exists());
    // What an export that broke off left is written anew, and a link there leads nowhere.
    let victim = world.folder.path().join("victim");
    std::fs::write(&victim, "whole").unwrap();
    std::os::unix::fs::symlink(&victim, world.folder.path().join("two.stoa.partial")).unwrap();
    catalog.export_bundle(&world.folder.path().join("two.stoa"), &[], None).await.unwrap();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "whole");
}

#[tokio::test]
async fn an_export_names_the_blob_that_is_damaged_or_gone() {
    let (world, _) = exported(None).await;
    let digest = hex::encode(Sha256::digest(b"weights of 1.1.0"));
    let file = blob_file(&world, &digest);
    let out = world.folder.path().join("two.stoa");
    let words = [digest.as_str(), "stoa blobs verify"];
    for bytes in [Some("weights of 1.1.1"), Some("short"), None] {
        match bytes {
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        refused(world.catalog.export_bundle(&out, &[], None).await, "ValidationException", &words);
        assert!(!out.exists() && !world.folder.path().join("two.stoa.partial").exists());
    }
}

#[tokio::test]
async fn a_full_disk_is_no_error_of_the_server() {
    let (_source, out) = exported(None).await;
    let target = empty_world();
    let (blobs, catalog) = faulty(&target);
    blobs.full.store(true, Ordering::Relaxed);
    let refusal = catalog.import_bundle(&out, &[]).await;
    refused(refusal, "ValidationException", &["the disk that the blobs are on is full", "run the import again"]);
    blobs.full.store(false, Ordering::Relaxed);
    assert_eq!(catalog.import_bundle(&out, &[]).await.unwrap().imported.len(), 2);
}

#[tokio::test]
async fn etags_are_of_the_bytes() {
    let target = empty_world();
    let (_source, out) = exported(None).await;
    let whole = std::fs::read(&out).unwrap();
    forged(&out, |body| {
        if body["manifest"]["version"] == json!("1.1.0") {
            body["files"][0]["md5"] = json!("0".repeat(32));
        }
    });
    let words = ["model.onnx of acme-tabular-flowers 1.1.0", "MD5"];
    refused(verify_bundle(&out, &[]).await, "ValidationException", &words);
    refused(target.catalog.import_bundle(&out, &[]).await, "ValidationException", &words);
    assert_eq!(target.catalog.list().await.unwrap().len(), 1, "the model before it is whole");
    // Two documents that say different things of one file are not read any further.
    std::fs::write(&out, &whole).unwrap();
    forged(&out, |body| {
        if body["manifest"]["version"] == json!("1.1.0") {
            body["files"][1]["md5"] = json!("0".repeat(32));
        }
    });
    is_refused(&empty_world(), &out, &["1.1.0: sub/labels.json", "another MD5"]).await;
    // Blobs that are there already are no excuse.
    std::fs::write(&out, &whole).unwrap();
    let target = empty_world();
    let blobs = stoa_blob_fs::FsBlobs::open(target.folder.path()).unwrap();
    for bytes in ["weights of 1.0.0", "weights of 1.1.0", "[]"] {
        stoa_blob::put_bytes(&blobs, bytes).await.unwrap();
    }
    forged(&out, |body| body["files"][0]["md5"] = json!(hex::encode(Md5::digest(b"other"))));
    is_refused(&target, &out, &["model.onnx of acme-tabular-flowers 1.0.0", "MD5"]).await;
}

#[tokio::test]
async fn a_bundle_cannot_make_public_what_it_does_not_hold() {
    let target = empty_world();
    let blobs = stoa_blob_fs::FsBlobs::open(target.folder.path()).unwrap();
    let secret = b"secret weights 1";
    let digest = stoa_blob::put_bytes(&blobs, secret.as_slice()).await.unwrap().digest;
    // Who knows the digest, size and MD5 of a private object names it, and brings other bytes.
    let (_source, out) = exported(None).await;
    let md5 = hex::encode(Md5::digest(secret));
    forged(&out, |body| {
        if body["manifest"]["version"] == json!("1.0.0") {
            body["files"][0]["digest"] = json!(digest.as_str());
            body["files"][0]["md5"] = json!(md5);
        }
    });
    let mut all = entries(&out);
    let mut manifest = manifest_of(&all);
    let real = hex::encode(Sha256::digest(b"weights of 1.0.0"));
    let at = all.iter().position(|(_, name, _)| *name == format!("blobs/{real}")).unwrap();
    all[at].1 = format!("blobs/{}", digest.as_str());
    let blobs = manifest["models"][0]["blobs"].as_array_mut().unwrap();
    blobs.iter_mut().find(|blob| blob["sha256"] == json!(real)).unwrap()["sha256"] = json!(digest.as_str());
    all[0].2 = manifest.to_string().into_bytes();
    write(&out, &all);
    is_refused(&target, &out, &[digest.as_str(), "altered or damaged"]).await;
}

#[tokio::test]
async fn licences_are_texts_of_a_plain_name() {
    let world = world().await;
    let out = world.folder.path().join("gated.stoa");
    world.catalog.export_bundle(&out, &[GATED.to_owned()], None).await.unwrap();
    let whole = std::fs::read(&out).unwrap();
    let cases: Vec<Case> = vec![
        (|body| body["eula"]["path"] = json!("../x"), &["licence", "../x"]),
        (|body| body["eula"]["path"] = json!("other.txt"), &["licence", "other.txt"]),
        (|body| body["eula"] = body["files"][0].clone(), &["licence"]),
    ];
    for (edit, words) in cases {
        std::fs::write(&out, &whole).unwrap();
        forged(&out, edit);
        is_refused(&empty_world(), &out, words).await;
    }
    let with = |text: &[u8]| {
        std::fs::write(&out, &whole).unwrap();
        let (sha, md5) = (hex::encode(Sha256::digest(text)), hex::encode(Md5::digest(text)));
        let mut old = String::new();
        let mut all = entries(&out);
        for (_, name, bytes) in &mut all {
            if name.starts_with("models/") {
                let body: Json = serde_json::from_slice(bytes).unwrap();
                old = body["eula"]["digest"].as_str().unwrap().to_owned();
            }
        }
        let mut manifest = manifest_of(&all);
        let entry = all.iter_mut().find(|(_, name, _)| *name == format!("blobs/{old}")).unwrap();
        *entry = (b'0', format!("blobs/{sha}"), text.to_vec());
        for blob in manifest["models"][0]["blobs"].as_array_mut().unwrap() {
            if blob["sha256"] == json!(old) {
                *blob = json!({ "sha256": sha, "size": text.len() });
            }
        }
        all[0].2 = manifest.to_string().into_bytes();
        write(&out, &all);
        forged(&out, |body| {
            let path = body["eula"]["path"].clone();
            body["eula"] = json!({ "path": path, "digest": sha, "size": text.len(), "md5": md5 });
        });
    };
    for (text, word) in [
        (b" \n".to_vec(), "is empty"),
        (vec![0xff, 0xfe, b'x'], "is no text"),
        (vec![b'x'; (1 << 20) + 1], "at most 1048576 bytes"),
    ] {
        with(&text);
        is_refused(&empty_world(), &out, &["licence", word]).await;
    }
    with(b"Other terms.");
    assert_eq!(empty_world().catalog.import_bundle(&out, &[]).await.unwrap().imported.len(), 1);
}

#[tokio::test]
async fn a_bundle_takes_no_repository_from_another_model() {
    let source = empty_world();
    let claim = |world: &World, id: &str| {
        let folder = world.model_folder(id, "1.0.0");
        change(&folder, |manifest| manifest["huggingface"] = json!({ "repository": "org/flowers" }));
        folder
    };
    source.catalog.import_dir(&claim(&source, "acme-tabular-aaa")).await.unwrap();
    let out = source.folder.path().join("out.stoa");
    source.catalog.export_bundle(&out, &[], None).await.unwrap();
    let target = empty_world();
    target.catalog.import_dir(&claim(&target, ID)).await.unwrap();
    let refusal = target.catalog.import_bundle(&out, &[]).await;
    let words = ["acme-tabular-aaa 1.0.0", "org/flowers", &format!("is {ID}'s"), "nothing of the bundle"];
    refused(refusal, "ValidationException", &words);
    assert_eq!(target.catalog.list().await.unwrap().len(), 1);
    // Where it is there already, it stays.
    assert_eq!(source.catalog.import_bundle(&out, &[]).await.unwrap().unchanged.len(), 1);
}

/// The fuzz target's check, over its corpus and over bundles made from it; the corpus is a bundle that is right.
#[tokio::test]
async fn any_bytes_are_a_bundle_or_refused_in_words() {
    let kept = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fuzz/corpus/bundle/signed"));
    let (world, out) = exported(Some(&key(1))).await;
    if std::env::var_os("STOA_MAKE_CORPUS").is_some() {
        std::fs::copy(&out, kept).unwrap();
    }
    assert_eq!(verify_bundle(kept, &[key(1).public()]).await.unwrap().models.len(), 2);
    let (whole, file) = (std::fs::read(kept).unwrap(), world.folder.path().join("made"));
    driving::verifying(&whole, &file).await;
    // xorshift: the same bytes on every machine.
    let mut state = 0x5EED_0003_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 1).unwrap()
    };
    // What is not content: headers and the manifest, which are at the beginning of entries.
    let places: Vec<usize> = (0..whole.len()).filter(|at| *at % 512 < 160 || *at < 4096).collect();
    for _ in 0..400 {
        let mut made = whole.clone();
        for _ in 0..1 + next() % 3 {
            let at = places[next() % places.len()].min(made.len() - 1);
            match next() % 4 {
                0 => made[at] = next() as u8,
                1 => made[at] ^= 1 << (next() % 8),
                2 => made.truncate(at.max(512)),
                _ => drop(made.splice(at..at, [b'0'; 512])),
            }
        }
        driving::verifying(&made, &file).await;
    }
}
