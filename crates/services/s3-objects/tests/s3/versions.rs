//! Versions: what writes and deletions leave, how versions are found and listed, and all of it against a naive twin.

use std::collections::BTreeMap;

use stoa_kernel::ports::*;
use stoa_store::Query;

use crate::support::{World, body, code};

impl World {
    pub async fn set(&self, bucket: &str, change: SettingChange) {
        let (cx, permit) = self.alice();
        self.s3.change_setting(&cx, &permit, bucket, change).await.unwrap();
    }

    pub async fn versioned(name: &str) -> World {
        let world = World::with_bucket(name).await;
        world.set(name, SettingChange::Versioning(Versioning::Enabled)).await;
        world
    }

    async fn found(&self, key: &str, version: Option<&str>) -> Option<FoundVersion> {
        let (cx, _) = self.alice();
        self.s3.version_for_read(&cx, ("data", key), version).await.unwrap()
    }

    async fn bytes(&self, key: &str, version: &str) -> Option<String> {
        match self.found(key, Some(version)).await? {
            FoundVersion::Marker(_) => Some("(marker)".to_owned()),
            FoundVersion::Object(record) => {
                let digest = stoa_blob::Digest::parse(&record.entry.digest).unwrap();
                let bytes = stoa_blob::read_all(&*self.blobs, &digest).await.unwrap();
                Some(String::from_utf8(bytes.to_vec()).unwrap())
            }
        }
    }

    pub async fn remove(&self, key: &str, version: &str) -> Deletion {
        let (cx, permit) = self.alice();
        let condition = WriteCondition::default();
        self.s3.delete_version(&cx, &permit, ("data", key), version, &condition).await.unwrap()
    }

    /// Everything that is listed, page by page.
    pub async fn all(&self, prefix: &str, delimiter: &str, limit: usize) -> (Vec<VersionEntry>, Vec<String>) {
        let (mut entries, mut prefixes, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            let list = ListVersions {
                bucket: "data".into(),
                prefix: prefix.into(),
                delimiter: delimiter.into(),
                after: after.take(),
                limit,
            };
            let page = self.s3.list_versions(&list).await.unwrap();
            assert!(page.entries.len() + page.prefixes.len() <= limit);
            entries.extend(page.entries);
            prefixes.extend(page.prefixes);
            match page.next {
                Some(next) => after = Some(next),
                None => return (entries, prefixes),
            }
        }
    }

    async fn count(&self, kind: &'static str) -> u64 {
        self.store.count(&Query::of(kind)).await.unwrap()
    }
}

fn id(record: &ObjectRecord) -> String {
    record.version.clone().unwrap()
}

#[tokio::test]
async fn what_is_written_over_stays() {
    let world = World::with_bucket("data").await;
    assert_eq!(world.put("data", "k", b"before").await.unwrap().version, None);
    world.set("data", SettingChange::Versioning(Versioning::Enabled)).await;
    let second = id(&world.put("data", "k", b"second").await.unwrap());
    let third = id(&world.put("data", "k", b"third").await.unwrap());
    assert!(second.len() == 32 && second != third);
    for (version, bytes) in [("null", "before"), (&*second, "second"), (&*third, "third")] {
        assert_eq!(world.bytes("k", version).await.as_deref(), Some(bytes));
    }
    assert_eq!(world.read("data", "k").await.unwrap(), "third");
    let (cx, _) = world.alice();
    let unknown = world.s3.version_for_read(&cx, ("data", "k"), Some("no-id")).await;
    assert_eq!(code(unknown), "InvalidArgument");
    assert_eq!(world.found("other", Some(&third)).await, None);
}

#[tokio::test]
async fn a_marker_hides_and_its_removal_shows() {
    let world = World::versioned("data").await;
    let first = id(&world.put("data", "k", b"first").await.unwrap());
    let deletion = world.delete("data", "k").await.unwrap();
    let marker = deletion.version.clone().unwrap();
    assert!(deletion.marker);
    assert_eq!(world.read("data", "k").await, None);
    assert!(matches!(world.found("k", None).await, Some(FoundVersion::Marker(found)) if found.version == marker));
    assert_eq!(world.bytes("k", &first).await.as_deref(), Some("first"));
    let (listed, _) = world.all("", "", 10).await;
    let shape: Vec<_> = listed.iter().map(|entry| (entry.version.as_str(), entry.latest)).collect();
    assert_eq!(shape, [(marker.as_str(), true), (first.as_str(), false)]);
    assert_eq!(world.remove("k", &marker).await, Deletion { marker: true, version: Some(marker.clone()) });
    assert_eq!(world.read("data", "k").await.unwrap(), "first");
    assert_eq!(world.remove("k", &marker).await, Deletion { marker: false, version: Some(marker) });
    assert_eq!(world.remove("k", &first).await, Deletion { marker: false, version: Some(first) });
    assert_eq!(world.found("k", None).await, None);
    // Of a key that was never there.
    assert!(world.delete("data", "ghost").await.unwrap().marker);
    assert_eq!(world.all("", "", 10).await.0.len(), 1);
}

#[tokio::test]
async fn a_bucket_with_versions_or_markers_is_not_empty() {
    let world = World::versioned("data").await;
    let (cx, permit) = world.alice();
    let first = id(&world.put("data", "k", b"1").await.unwrap());
    let marker = world.delete("data", "k").await.unwrap().version.unwrap();
    assert_eq!(code(world.s3.delete_bucket(&cx, &permit, "data").await), "BucketNotEmpty");
    world.remove("k", &first).await;
    assert_eq!(code(world.s3.delete_bucket(&cx, &permit, "data").await), "BucketNotEmpty");
    world.remove("k", &marker).await;
    world.s3.delete_bucket(&cx, &permit, "data").await.unwrap();
}

#[tokio::test]
async fn suspended_writes_make_and_replace_the_null_version() {
    let world = World::versioned("data").await;
    let kept = id(&world.put("data", "k", b"kept").await.unwrap());
    world.set("data", SettingChange::Versioning(Versioning::Suspended)).await;
    assert_eq!(id(&world.put("data", "k", b"null 1").await.unwrap()), "null");
    assert_eq!(id(&world.put("data", "k", b"null 2").await.unwrap()), "null");
    assert_eq!(world.all("", "", 10).await.0.len(), 2);
    world.set("data", SettingChange::Versioning(Versioning::Enabled)).await;
    let newest = id(&world.put("data", "k", b"newest").await.unwrap());
    assert_eq!(world.bytes("k", "null").await.as_deref(), Some("null 2"));
    world.set("data", SettingChange::Versioning(Versioning::Suspended)).await;
    // The older null version goes, its place is taken by a null marker.
    let deletion = world.delete("data", "k").await.unwrap();
    assert_eq!(deletion, Deletion { marker: true, version: Some("null".to_owned()) });
    let (listed, _) = world.all("", "", 10).await;
    let versions: Vec<_> = listed.iter().map(|entry| entry.version.as_str()).collect();
    assert_eq!(versions, ["null", &newest, &kept]);
    assert!(world.remove("k", "null").await.marker);
    assert_eq!(world.read("data", "k").await.unwrap(), "newest");
}

#[tokio::test]
async fn conditions_look_at_the_newest() {
    let world = World::versioned("data").await;
    let put = |bytes: &'static [u8], absent, etag: Option<&str>| {
        let condition = WriteCondition { absent, etag: etag.map(str::to_owned) };
        world.put_with("data", "k", bytes, BodyChecks::default(), condition)
    };
    let first = put(b"1", true, None).await.unwrap();
    assert_eq!(code(put(b"2", true, None).await), "PreconditionFailed");
    let second = put(b"2", false, Some(&first.entry.etag)).await.unwrap();
    assert_eq!(code(put(b"3", false, Some(&first.entry.etag)).await), "PreconditionFailed");
    let (cx, permit) = world.alice();
    let old = WriteCondition { absent: false, etag: Some(first.entry.etag.clone()) };
    assert_eq!(code(world.s3.delete_object(&cx, &permit, "data", "k", &old).await), "PreconditionFailed");
    let of_second = world.s3.delete_version(&cx, &permit, ("data", "k"), &id(&second), &old).await;
    assert_eq!(code(of_second), "PreconditionFailed");
    world.delete("data", "k").await.unwrap();
    // Under a marker there is no object.
    assert_eq!(code(put(b"4", false, Some("*")).await), "NoSuchKey");
    put(b"4", true, None).await.unwrap();
}

#[tokio::test]
async fn many_at_once_lose_nothing() {
    let world = World::versioned("data").await;
    let act = |index: usize| {
        let world = &world;
        async move {
            match index % 4 {
                3 => drop(world.delete("data", "k").await.unwrap()),
                _ => drop(world.put("data", "k", &[u8::try_from(index).unwrap()]).await.unwrap()),
            }
        }
    };
    futures_util::future::join_all((0..24).map(act)).await;
    let (listed, _) = world.all("", "", 5).await;
    assert_eq!(listed.len(), 24);
    assert_eq!(listed.iter().filter(|entry| entry.object.is_none()).count(), 6);
    assert_eq!(listed.iter().filter(|entry| entry.latest).count(), 1);
    let absent = |index: u8| {
        let condition = WriteCondition { absent: true, etag: None };
        let bytes: &'static [u8] = Box::leak(vec![index].into_boxed_slice());
        world.put_with("data", "once", bytes, BodyChecks::default(), condition)
    };
    let results = futures_util::future::join_all((0..10).map(absent)).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

#[tokio::test]
async fn tags_and_copies_of_a_version() {
    let world = World::versioned("data").await;
    let (cx, permit) = world.alice();
    let first = id(&world.put("data", "k", b"first").await.unwrap());
    let second = id(&world.put("data", "k", b"second").await.unwrap());
    let tags: ObjectTags = [("stage".to_owned(), "raw".to_owned())].into();
    let set = world.s3.set_object_tags(&cx, &permit, ("data", "k"), Some(&first), tags.clone()).await.unwrap();
    assert_eq!(set.as_deref(), Some(first.as_str()));
    assert_eq!(world.s3.object_tags(("data", "k"), Some(&first)).await.unwrap(), Some(tags));
    assert_eq!(world.s3.object_tags(("data", "k"), None).await.unwrap(), Some(ObjectTags::new()));
    let Some(FoundVersion::Object(source)) = world.found("k", Some(&first)).await else { panic!() };
    let to = WriteObject { bucket: "data".into(), key: "k".into(), ..Default::default() };
    let restored = world.s3.copy_object(&cx, &permit, &source, to, false).await.unwrap();
    assert!(restored.version.is_some_and(|version| version != first && version != second));
    assert_eq!(world.read("data", "k").await.unwrap(), "first");
    assert_eq!(world.all("", "", 10).await.0.len(), 3);
}

#[tokio::test]
async fn the_current_ones_are_listed_as_before() {
    let world = World::versioned("data").await;
    for key in ["a", "b", "b", "c"] {
        world.put("data", key, b"x").await.unwrap();
    }
    world.delete("data", "c").await.unwrap();
    let list = ListObjects { bucket: "data".into(), limit: 10, ..Default::default() };
    let keys: Vec<_> = world.s3.list_objects(&list).await.unwrap().objects.into_iter().map(|entry| entry.key).collect();
    assert_eq!(keys, ["a", "b"]);
    assert_eq!((world.count("s3:object").await, world.count("s3:marker").await), (2, 1));
    assert_eq!(world.count("s3:version").await, 2);
}

/// A key's versions, newest first, as plainly as can be: the id and the bytes, none for a marker.
#[derive(Default)]
struct Twin(BTreeMap<String, Vec<(String, Option<String>)>>);

impl Twin {
    fn push(&mut self, key: &str, version: &str, bytes: Option<String>) {
        let versions = self.0.entry(key.to_owned()).or_default();
        if version == "null" {
            versions.retain(|(id, _)| id != "null");
        }
        versions.insert(0, (version.to_owned(), bytes));
    }
    fn remove(&mut self, key: &str, version: &str) {
        self.0.entry(key.to_owned()).or_default().retain(|(id, _)| id != version);
    }
    fn listed(&self) -> Vec<(String, String, bool, bool)> {
        let each = |(key, versions): (&String, &Vec<(String, Option<String>)>)| {
            let entry = |(at, (id, bytes)): (usize, &(String, Option<String>))| {
                (key.clone(), id.clone(), at == 0, bytes.is_none())
            };
            versions.iter().enumerate().map(entry).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(each).collect()
    }
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[tokio::test]
async fn whatever_happens_it_is_as_the_twin_has_it() {
    for seed in 0..12 {
        let (world, mut twin, mut dice) = (World::versioned("data").await, Twin::default(), Dice(seed));
        let (cx, permit) = world.alice();
        for step in 0..120 {
            let key = ["a", "a/1", "a/2", "b"][dice.roll(4) as usize];
            match dice.roll(10) {
                0..4 => {
                    let bytes = format!("{seed} {step}");
                    let made = id(&world.put("data", key, bytes.as_bytes()).await.unwrap());
                    twin.push(key, &made, Some(bytes));
                }
                4 | 5 => {
                    let made = world.delete("data", key).await.unwrap().version.unwrap();
                    twin.push(key, &made, None);
                }
                6 | 7 => {
                    let versions = twin.0.get(key).cloned().unwrap_or_default();
                    if let Some((version, bytes)) = versions.get(dice.roll(versions.len().max(1) as u64) as usize) {
                        let deletion = world.remove(key, version).await;
                        assert_eq!(deletion.marker, bytes.is_none());
                        twin.remove(key, version);
                    }
                }
                8 => {
                    let wanted = [Versioning::Enabled, Versioning::Suspended][dice.roll(2) as usize];
                    let change = SettingChange::Versioning(wanted);
                    world.s3.change_setting(&cx, &permit, "data", change).await.unwrap();
                }
                _ => world.clock.advance_millis(dice.roll(3) as i64),
            }
        }
        for limit in [1, 3, 1000] {
            let (listed, _) = world.all("", "", limit).await;
            let shape: Vec<_> = listed
                .into_iter()
                .map(|entry| (entry.key, entry.version, entry.latest, entry.object.is_none()))
                .collect();
            assert_eq!(shape, twin.listed(), "seed {seed}, pages of {limit}");
            let (plain, rolled) = world.all("", "/", limit).await;
            let inner = twin.listed().iter().any(|(key, ..)| key.starts_with("a/"));
            assert_eq!(rolled, if inner { vec!["a/".to_owned()] } else { vec![] }, "seed {seed}");
            assert_eq!(plain.len(), twin.listed().iter().filter(|(key, ..)| !key.contains('/')).count());
        }
        for (key, versions) in &twin.0 {
            for (version, bytes) in versions {
                let wanted = bytes.clone().unwrap_or_else(|| "(marker)".to_owned());
                assert_eq!(world.bytes(key, version).await, Some(wanted), "seed {seed} {key} {version}");
            }
            let newest = versions.first().and_then(|(_, bytes)| bytes.clone());
            assert_eq!(world.read("data", key).await.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()), newest);
        }
    }
}

#[tokio::test]
async fn uploads_make_versions_too() {
    let world = World::versioned("data").await;
    let (cx, permit) = world.alice();
    let before = id(&world.put("data", "k", b"before").await.unwrap());
    let write = WriteObject { bucket: "data".into(), key: "k".into(), ..Default::default() };
    let upload = world.s3.create_upload(&cx, &permit, write, false).await.unwrap();
    let name = UploadName { bucket: "data".into(), key: "k".into(), id: upload.id };
    let part = world.s3.put_part(&cx, &permit, &name, 1, BodyChecks::default(), body(b"part")).await.unwrap();
    let parts = vec![ClaimedPart { number: 1, etag: part.etag, checksum: None }];
    let complete = CompleteUpload { parts, ..Default::default() };
    let made = world.s3.complete_upload(&cx, &permit, &name, complete).await.unwrap();
    assert_eq!(world.bytes("k", &id(&made)).await.as_deref(), Some("part"));
    assert_eq!(world.bytes("k", &before).await.as_deref(), Some("before"));
}

#[tokio::test]
async fn a_bucket_is_emptied_page_by_page() {
    let world = World::versioned("data").await;
    for round in 0..5 {
        world.put("data", "a", format!("{round}").as_bytes()).await.unwrap();
        let (cx, permit) = world.alice();
        world.s3.delete_object(&cx, &permit, "data", "b", &WriteCondition::default()).await.unwrap();
    }
    let (mut seen, mut after) = (0, None);
    loop {
        let list = ListVersions { bucket: "data".into(), after: after.take(), limit: 2, ..Default::default() };
        let page = world.s3.list_versions(&list).await.unwrap();
        for entry in &page.entries {
            world.remove(&entry.key, &entry.version).await;
            seen += 1;
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, 10);
    for kind in ["s3:object", "s3:marker", "s3:version"] {
        assert_eq!(world.count(kind).await, 0, "{kind}");
    }
}
