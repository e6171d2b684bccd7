//! Lifecycle rules applied, and the events of what happens to objects.

use std::sync::Arc;

use serde_json::Value as Json;
use stoa_kernel::ports::*;
use stoa_s3_objects::LifecycleReconciler;
use stoa_types::SequentialIds;
use stoa_work::{PassReport, Reconciler};

use crate::support::{World, body};

const DAY: i64 = 86_400_000;

fn rule(id: &str) -> LifecycleRule {
    LifecycleRule { id: id.to_owned(), enabled: true, ..LifecycleRule::default() }
}

impl World {
    async fn pass(&self) -> PassReport {
        let ids = Arc::new(SequentialIds::default());
        LifecycleReconciler::new(Arc::clone(&self.s3), self.clock.clone(), ids).pass().await.unwrap()
    }

    async fn rules(&self, rules: &[LifecycleRule]) {
        self.set("data", SettingChange::Lifecycle(Some(rules.to_vec()))).await;
    }

    async fn events(&self) -> Vec<Json> {
        let events = self.store.outbox(0, 1000).await.unwrap();
        events.into_iter().map(|(_, event)| serde_json::from_str(&event.body).unwrap()).collect()
    }

    async fn versions(&self) -> Vec<String> {
        self.all("", "", 100).await.0.into_iter().map(|entry| entry.version).collect()
    }
}

#[tokio::test]
async fn objects_expire_by_age_and_filter() {
    let world = World::with_bucket("data").await;
    let filter = LifecycleFilter { prefix: Some("logs/".to_owned()), greater_than: Some(2), ..Default::default() };
    world.rules(&[LifecycleRule { days: Some(3), filter, ..rule("logs") }]).await;
    let kept = world.put("data", "other", b"long enough").await.unwrap();
    let made = world.put("data", "logs/1", b"long").await.unwrap();
    world.put("data", "logs/2", b"x").await.unwrap();
    assert_eq!(kept.expires, None);
    let (end, by) = made.expires.unwrap();
    assert_eq!((end.millis() % DAY, by.as_str()), (0, "logs"));
    let age = end.millis() - made.entry.last_modified.millis();
    assert!((3 * DAY..4 * DAY).contains(&age), "{age}");
    world.clock.advance_millis(age - 1);
    assert_eq!(world.pass().await.changed, 0);
    world.clock.advance_millis(1);
    let report = world.pass().await;
    assert_eq!((report.examined, report.changed, report.failed), (3, 1, 0));
    assert_eq!(world.read("data", "logs/1").await, None);
    assert!(world.read("data", "logs/2").await.is_some() && world.read("data", "other").await.is_some());
    assert!(report.again_after.is_some_and(|after| after.as_millis() <= DAY as u128));
}

#[tokio::test]
async fn versions_and_markers_expire() {
    let world = World::versioned("data").await;
    let noncurrent = LifecycleRule { noncurrent_days: Some(1), newer_noncurrent: Some(2), ..rule("older") };
    let markers = LifecycleRule { expired_marker: true, ..rule("markers") };
    world.rules(&[noncurrent, markers]).await;
    for index in 0..5_u8 {
        world.put("data", "k", &[index]).await.unwrap();
    }
    let before = world.versions().await;
    world.put("data", "gone", b"x").await.unwrap();
    let marker = world.delete("data", "gone").await.unwrap();
    assert_eq!(world.pass().await.changed, 0, "nothing is old enough");
    world.clock.advance_millis(3 * DAY);
    world.pass().await;
    let after = world.versions().await;
    assert_eq!(after[2..], before[..3], "the newest and two older ones are kept");
    // Two older ones are kept of each key: the marker still hides one.
    assert_eq!(after[0], marker.version.unwrap());
    world
        .rules(&[
            LifecycleRule { noncurrent_days: Some(1), ..rule("older") },
            LifecycleRule { expired_marker: true, ..rule("markers") },
        ])
        .await;
    world.pass().await;
    assert_eq!(world.versions().await, before[..1]);
}

#[tokio::test]
async fn an_expired_object_of_a_versioned_bucket_gets_a_marker() {
    let world = World::versioned("data").await;
    world.rules(&[LifecycleRule { days: Some(1), ..rule("all") }]).await;
    world.put("data", "k", b"x").await.unwrap();
    world.clock.advance_millis(2 * DAY);
    world.pass().await;
    assert_eq!(world.read("data", "k").await, None);
    assert_eq!(world.versions().await.len(), 2);
    assert_eq!(world.pass().await.changed, 0, "once");
    world.set("data", SettingChange::Lifecycle(None)).await;
    world.clock.advance_millis(9 * DAY);
    assert_eq!(world.pass().await, PassReport { again_after: world.pass().await.again_after, ..Default::default() });
}

#[tokio::test]
async fn unfinished_uploads_are_aborted() {
    let world = World::with_bucket("data").await;
    let (cx, permit) = world.alice();
    let filter = LifecycleFilter { prefix: Some("a".to_owned()), ..Default::default() };
    world.rules(&[LifecycleRule { abort_days: Some(2), filter, ..rule("uploads") }]).await;
    for key in ["a", "b"] {
        let write = WriteObject { bucket: "data".into(), key: key.into(), ..Default::default() };
        let upload = world.s3.create_upload(&cx, &permit, write, false).await.unwrap();
        let name = UploadName { bucket: "data".into(), key: key.into(), id: upload.id };
        world.s3.put_part(&cx, &permit, &name, 1, BodyChecks::default(), body(b"part")).await.unwrap();
    }
    world.clock.advance_millis(3 * DAY);
    assert_eq!(world.pass().await.changed, 1);
    let left = world.s3.uploads("data", "", None, 10).await.unwrap();
    assert_eq!(left.iter().map(|upload| upload.key.as_str()).collect::<Vec<_>>(), ["b"]);
}

#[tokio::test]
async fn a_date_and_a_rule_that_is_off() {
    let world = World::with_bucket("data").await;
    let now = stoa_types::Clock::now(&*world.clock).millis();
    let date = stoa_types::Timestamp::from_millis((now / DAY + 1) * DAY);
    let off = LifecycleRule { enabled: false, days: Some(1), ..rule("off") };
    world.put("data", "k", b"x").await.unwrap();
    world.rules(std::slice::from_ref(&off)).await;
    world.clock.advance_millis(DAY * 5);
    assert_eq!(world.pass().await.changed, 0);
    world.rules(&[off, LifecycleRule { date: Some(date), ..rule("date") }]).await;
    assert_eq!(world.pass().await.changed, 1);
}

#[tokio::test]
async fn mutations_are_events_in_the_same_transaction() {
    let world = World::versioned("data").await;
    world.put("data", "silent", b"x").await.unwrap();
    assert!(world.events().await.is_empty());
    world.set("data", SettingChange::EventBridge(true)).await;
    let made = world.put("data", "k", b"hello").await.unwrap();
    let (cx, permit) = world.alice();
    let tags: ObjectTags = [("a".to_owned(), "b".to_owned())].into();
    world.s3.set_object_tags(&cx, &permit, ("data", "k"), None, tags).await.unwrap();
    world.s3.set_object_tags(&cx, &permit, ("data", "k"), None, ObjectTags::new()).await.unwrap();
    let marker = world.delete("data", "k").await.unwrap().version.unwrap();
    world.remove("k", &marker).await;
    let events = world.events().await;
    let types: Vec<_> = events.iter().map(|event| event["detail-type"].as_str().unwrap()).collect();
    let wanted = ["Object Created", "Object Tags Added", "Object Tags Deleted", "Object Deleted", "Object Deleted"];
    assert_eq!(types, wanted);
    let created = &events[0];
    assert_eq!((&created["source"], &created["account"]), (&"aws.s3".into(), &"111122223333".into()));
    assert_eq!(created["resources"][0], "arn:aws:s3:::data");
    let detail = &created["detail"];
    assert_eq!(detail["bucket"]["name"], "data");
    assert_eq!((&detail["object"]["key"], &detail["object"]["size"]), (&"k".into(), &5.into()));
    assert_eq!(detail["object"]["etag"], made.entry.etag);
    assert_eq!(detail["object"]["version-id"], made.version.unwrap());
    assert_eq!((&detail["reason"], &detail["requester"]), (&"PutObject".into(), &"111122223333".into()));
    assert_eq!(detail["source-ip-address"], "127.0.0.1");
    let deletions: Vec<_> =
        events[3..].iter().map(|event| event["detail"]["deletion-type"].as_str().unwrap()).collect();
    assert_eq!(deletions, ["Delete Marker Created", "Permanently Deleted"]);
    // What does not happen is no event.
    let condition = WriteCondition { absent: true, etag: None };
    world.put_with("data", "k", b"x", BodyChecks::default(), condition).await.unwrap_err();
    assert_eq!(world.events().await.len(), 5);
    world.rules(&[LifecycleRule { days: Some(1), ..rule("all") }]).await;
    world.clock.advance_millis(2 * DAY);
    world.pass().await;
    let last = world.events().await.pop().unwrap();
    assert_eq!(last["detail"]["reason"], "Lifecycle Expiration");
    assert_eq!(last["detail"]["requester"], "s3.amazonaws.com");
}
