//! What happens to objects as events of EventBridge's shape, put into the outbox by the transaction that does it.
//!
//! INVARIANT: an event is in the outbox exactly when what it tells is in the store: a crash leaves both or neither.

use serde_json::{Value as Json, json};
use stoa_kernel::{Cx, PrincipalIdentity};
use stoa_store::{OutboxEvent, Transaction};
use stoa_types::{IdSource, Partition, Timestamp, uuid_v4};

use crate::documents::Bucket;

/// What consumers of the outbox find these under.
const TOPIC: &str = "s3.object";

/// Who does something to objects, when and by which operation.
#[derive(Clone)]
pub(crate) struct Act<'a> {
    pub now: Timestamp,
    pub ids: &'a dyn IdSource,
    /// `PutObject`, `Lifecycle Expiration`: what an event gives as its reason.
    pub reason: &'static str,
    request_id: &'a str,
    requester: &'a str,
    source_ip: Option<String>,
}

impl<'a> Act<'a> {
    /// A call's act, at this time.
    pub fn of(cx: &'a Cx, now: Timestamp, reason: &'static str) -> Act<'a> {
        let requester = match &cx.principal.identity {
            PrincipalIdentity::Service { name } => name,
            _ => cx.principal.account.as_str(),
        };
        let source_ip = Some(cx.connection.peer.to_string());
        Act { now, ids: &*cx.platform.ids, reason, request_id: &cx.request_id, requester, source_ip }
    }
    /// S3's own, by a lifecycle rule.
    pub fn of_lifecycle(ids: &'a dyn IdSource, now: Timestamp) -> Act<'a> {
        Act { now, ids, reason: "Lifecycle Expiration", request_id: "", requester: "s3.amazonaws.com", source_ip: None }
    }
}

/// What happened.
#[derive(Clone, Copy)]
pub(crate) enum What {
    Created,
    /// For good.
    Deleted,
    MarkerCreated,
    TagsAdded,
    TagsDeleted,
}

impl What {
    fn detail_type(self) -> &'static str {
        match self {
            What::Created => "Object Created",
            What::Deleted | What::MarkerCreated => "Object Deleted",
            What::TagsAdded => "Object Tags Added",
            What::TagsDeleted => "Object Tags Deleted",
        }
    }
}

/// The object that it happened to.
pub(crate) struct About<'a> {
    pub key: &'a str,
    pub size: Option<u64>,
    pub etag: Option<&'a str>,
    /// Its version, where the bucket keeps any.
    pub version: Option<&'a str>,
}

/// Adds the event to a transaction, where the bucket's owner asked for events.
pub(crate) fn emit(
    transaction: Transaction,
    bucket: &Bucket,
    act: &Act<'_>,
    what: What,
    about: &About<'_>,
) -> Transaction {
    if !bucket.body.event_bridge {
        return transaction;
    }
    transaction.emit(event(bucket, act, what, about))
}

fn event(bucket: &Bucket, act: &Act<'_>, what: What, about: &About<'_>) -> OutboxEvent {
    let arn = format!("arn:{}:s3:::{}", Partition::of(&bucket.region), bucket.name());
    let body = json!({
        "version": "0",
        "id": uuid_v4(act.ids),
        "detail-type": what.detail_type(),
        "source": "aws.s3",
        "account": bucket.owner.as_str(),
        "time": act.now.iso8601(),
        "region": bucket.region.as_str(),
        "resources": [&arn],
        "detail": detail(bucket, act, what, about),
    });
    OutboxEvent {
        topic: TOPIC.to_owned(),
        subject: format!("{arn}/{}", about.key),
        at: act.now,
        body: body.to_string(),
    }
}

fn detail(bucket: &Bucket, act: &Act<'_>, what: What, about: &About<'_>) -> Json {
    let mut object = json!({ "key": about.key });
    let mut detail = json!({
        "version": "0",
        "bucket": { "name": bucket.name() },
        "requester": act.requester,
    });
    let put = |place: &mut Json, name: &str, value: Json| {
        if let Json::Object(members) = place {
            members.insert(name.to_owned(), value);
        }
    };
    if let Some(size) = about.size {
        put(&mut object, "size", json!(size));
    }
    if let Some(etag) = about.etag {
        put(&mut object, "etag", json!(etag));
    }
    if let Some(version) = about.version {
        put(&mut object, "version-id", json!(version));
    }
    if !matches!(what, What::TagsAdded | What::TagsDeleted) {
        // Of two events of a key the later has the greater one; equal ones came within a millisecond.
        put(&mut object, "sequencer", json!(format!("{:016X}", act.now.millis())));
        put(&mut detail, "reason", json!(act.reason));
    }
    if !act.request_id.is_empty() {
        put(&mut detail, "request-id", json!(act.request_id));
    }
    if let Some(address) = &act.source_ip {
        put(&mut detail, "source-ip-address", json!(address));
    }
    match what {
        What::Deleted => put(&mut detail, "deletion-type", json!("Permanently Deleted")),
        What::MarkerCreated => put(&mut detail, "deletion-type", json!("Delete Marker Created")),
        What::Created | What::TagsAdded | What::TagsDeleted => {}
    }
    put(&mut detail, "object", object);
    detail
}
