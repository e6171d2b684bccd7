//! Data folders of before the index of blobs: the documents that name blobs are written once more, with the digests
//! beside the body, so that the index knows them.
//!
//! Runs before anything is served and before anything is collected. INVARIANT: the note is written last, so a crash in
//! the middle repeats the pass; documents that have their digests already are left as they are.

use std::error::Error;

use serde_json::Value;
use stoa_blob::Digest;
use stoa_store::{Document, Expect, Key, Query, Store, Transaction};
use stoa_types::{AccountId, Clock};

/// The kinds whose bodies named blobs when there was no index. New kinds write their digests themselves.
const KINDS: [&str; 4] = ["s3:object", "s3:part", "sagemaker:public-model", "sagemaker:endpoint"];
const BATCH: usize = 500;

fn note_key() -> Key {
    Key { kind: "stoa:note", account: AccountId::aws(), region: None, id: "blob-names/1".to_owned() }
}

/// Does it, unless it was done.
pub async fn index(store: &dyn Store, clock: &dyn Clock) -> Result<(), Box<dyn Error>> {
    if store.get(&note_key()).await?.is_some() {
        return Ok(());
    }
    let mut count = 0_u64;
    for kind in KINDS {
        let mut query = Query::of(kind).limit(BATCH);
        loop {
            let page = store.query(&query).await?;
            let changed: Vec<Document> = page.documents.iter().filter_map(|document| named(document)).collect();
            count += changed.len() as u64;
            let transaction = changed.into_iter().fold(Transaction::new(), Transaction::update);
            if !transaction.changes.is_empty() {
                store.commit(transaction).await?;
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
    }
    if count > 0 {
        tracing::info!(documents = count, "blobs of an older data folder are in the index now");
    }
    let note = Document::new(note_key(), "blob-names", clock.now(), &count)?;
    let noted = Transaction::new().require(note_key(), Expect::Absent).create(note);
    Ok(store.commit(noted).await?)
}

/// The document with its digests, where it lacks them.
fn named(document: &Document) -> Option<Document> {
    let body: Value = serde_json::from_str(&document.body).ok()?;
    let mut digests = Vec::new();
    places(document.key.kind).iter().for_each(|place| gather(&body, place, &mut digests));
    let with = document.clone().with_blobs(digests);
    (with.blobs != document.blobs).then_some(with)
}

/// Where bodies of a kind have digests: members by name, `*` for every entry of a list. Nothing else is looked at: user
/// metadata, environments and manifests may have members of any name.
fn places(kind: &str) -> &'static [&'static [&'static str]] {
    match kind {
        "s3:object" | "s3:part" => &[&["digest"]],
        "sagemaker:public-model" => &[&["files", "*", "digest"], &["eula", "digest"]],
        "sagemaker:endpoint" => {
            &[&["current", "variants", "*", "files", "*", "digest"], &["next", "variants", "*", "files", "*", "digest"]]
        }
        _ => &[],
    }
}

/// The digests at a place.
fn gather(value: &Value, place: &[&str], found: &mut Vec<String>) {
    match (place, value) {
        ([], Value::String(text)) if Digest::parse(text).is_some() => found.push(text.clone()),
        (["*", rest @ ..], Value::Array(entries)) => entries.iter().for_each(|entry| gather(entry, rest, found)),
        ([name, rest @ ..], Value::Object(members)) => {
            if let Some(member) = members.get(*name) {
                gather(member, rest, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    //! An old folder's documents get their digests, once.

    use std::sync::Arc;

    use serde_json::json;
    use stoa_store::{BlobName, MemoryStore};
    use stoa_types::{FixedClock, Timestamp};

    use super::*;

    #[tokio::test]
    async fn old_documents_get_their_digests_once() {
        let clock = Arc::new(FixedClock::at(Timestamp::from_millis(0)));
        let store = MemoryStore::new(clock.clone());
        let key = |kind, id: &str| Key { kind, account: AccountId::aws(), region: None, id: id.to_owned() };
        let (one, two) = ("1".repeat(64), "2".repeat(64));
        // Text of users, in whose words a digest is no name of a blob.
        let users = json!({ "digest": "3".repeat(64), "files": [{ "digest": "4".repeat(64) }] });
        let object = json!({ "digest": one, "attributes": { "metadata": users }, "sealed": { "context": users } });
        let model = json!({
            "files": [{ "digest": one, "path": "a" }], "eula": { "digest": two, "path": "b" }, "digest": "no digest",
            "manifest": { "hosting": users, "huggingface": users },
        });
        let variant = json!({ "container": { "environment": users }, "files": [{ "digest": two }] });
        let endpoint = json!({ "current": { "variants": [variant] }, "next": { "variants": [{ "files": null }] } });
        let old = [
            Document::new(key("s3:object", "b/k"), "k", clock.now(), &object).unwrap(),
            Document::new(key("sagemaker:public-model", "m/1"), "m", clock.now(), &model).unwrap(),
            Document::new(key("sagemaker:endpoint", "e"), "e", clock.now(), &endpoint).unwrap(),
            Document::new(key("other", "o"), "o", clock.now(), &json!({ "digest": one })).unwrap(),
        ];
        store.commit(old.into_iter().fold(Transaction::new(), Transaction::create)).await.unwrap();
        index(&store, &*clock).await.unwrap();
        let names = store.blob_names(&BlobName::before(""), 10).await.unwrap();
        let found: Vec<_> = names.iter().map(|name| (name.digest.as_str(), name.kind.as_str())).collect();
        let wanted = [
            (one.as_str(), "s3:object"),
            (&one, "sagemaker:public-model"),
            (&two, "sagemaker:endpoint"),
            (&two, "sagemaker:public-model"),
        ];
        assert_eq!(found, wanted);
        index(&store, &*clock).await.unwrap();
        assert_eq!(store.get(&key("s3:object", "b/k")).await.unwrap().unwrap().generation, 2, "written once");
    }
}
