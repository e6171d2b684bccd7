//! `stoa keys rotate-master`: seals every secret in the store under a new master key.
//!
//! It works on the store itself, so the server must not run. INVARIANT: at every moment each secret is sealed under a
//! key that is kept, old or new, and the store names both (see `master_key.rs`): a server can be started after a crash
//! anywhere in here, and the command, run again, goes on. Secrets are found by their form in whatever document they
//! are, so none can be forgotten.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use serde_json::{Value, json};
use stoa_seal::SealingKey;
use stoa_store::{Document, Query, Store, Transaction};
use stoa_store_sqlite::{Settings, SqliteStore};
use stoa_types::{Clock, IdSource};
use stoa_work::failpoint;

use super::report::print;
use super::trail::Trail;
use crate::cli::{DataDirArgs, Outcome};
use crate::clock::{SystemClock, SystemIds};
use crate::data_dir::DataDir;
use crate::master_key::{self, Keeper, MasterKeys};

/// Documents read at once, and written in one transaction.
const BATCH: usize = 500;
/// Secrets that were kept in a form that does not say what it is.
const FIRST_FORMS: [FirstForm; 2] = [
    FirstForm { kind: "iam:access-key", member: "sealed_secret", owner: "id", purpose: b"stoa/iam/access-key/v1" },
    FirstForm { kind: "iam-mfa:device", member: "sealed_seed", owner: "arn", purpose: b"stoa/iam/mfa-seed/v1" },
];

/// Which member of which documents, sealed for what and for whom.
struct FirstForm {
    kind: &'static str,
    member: &'static str,
    /// The member that names the owner.
    owner: &'static str,
    purpose: &'static [u8],
}

#[derive(Subcommand)]
pub enum KeysCommand {
    /// Seals every secret under a new master key. The server must not run. Sessions and page tokens end.
    RotateMaster(DataDirArgs),
}

/// What was done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    documents: usize,
    changed: usize,
    unreadable: usize,
}

pub fn run(command: &KeysCommand) -> Outcome {
    let KeysCommand::RotateMaster(arguments) = command;
    stoa_work::check_failpoints()?;
    let data_dir = DataDir::new(&arguments.data_dir)?;
    if !data_dir.database().exists() {
        return Err(format!("there is no store at {}; is --data-dir right?", data_dir.database().display()).into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(rotate(&data_dir))?;
    Ok(ExitCode::SUCCESS)
}

async fn rotate(data_dir: &DataDir) -> Result<(), Box<dyn Error>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids = SystemIds;
    let store = SqliteStore::open(&data_dir.database(), Arc::clone(&clock), Settings { cache_bytes: 1 << 20 })?;
    let mut keys = MasterKeys::load(data_dir, &ids)?;
    match keys.keeper {
        Keeper::DataFolder => keys.make_next(data_dir, &ids)?,
        Keeper::Operator(_) if keys.next.is_some() => {}
        Keeper::Operator(variable) => {
            let message = format!("{variable} says the present key; the new one is to be in {variable}_NEXT");
            return Err(message.replace("_FILE_NEXT", "_NEXT_FILE").into());
        }
    }
    failpoint("keys.rotate.made")?;
    let trail = Trail::begin("RotateMasterKey", Value::Null, (data_dir, &*clock, &ids)).await?;
    master_key::check(&store, &keys, &*clock).await?;
    failpoint("keys.rotate.noted")?;
    let sealing = keys.sealing_key();
    let count = reseal_all(&store, &sealing, &ids).await?;
    let left = reseal_all(&store, &sealing, &ids).await?;
    if left.changed > 0 {
        return Err("secrets were sealed under the old key meanwhile; run the command again".into());
    }
    failpoint("keys.rotate.sealed")?;
    master_key::finish(&store, &keys, &*clock).await?;
    failpoint("keys.rotate.finished")?;
    keys.adopt_next(data_dir)?;
    let response = json!({ "secrets": count.changed, "documents": count.documents });
    trail.end(response, &*clock, &ids).await?;
    Ok(report(&keys, count)?)
}

fn report(keys: &MasterKeys, count: Count) -> std::io::Result<()> {
    let Count { changed, documents, unreadable } = count;
    let mut text = format!("{changed} secrets in {documents} documents are sealed under the new master key\n");
    if unreadable > 0 {
        text.push_str(&format!(
            "{unreadable} texts look like sealed secrets but open under no known key; they are as they were\n"
        ));
    }
    text.push_str(&match keys.keeper {
        Keeper::DataFolder => "the new key is in master.key; back it up\n".to_owned(),
        Keeper::Operator(variable) => format!("set {variable} to the new key, and the one for the next key no more\n"),
    });
    print(&text)
}

async fn reseal_all(store: &SqliteStore, key: &SealingKey, ids: &dyn IdSource) -> Result<Count, Box<dyn Error>> {
    let mut count = Count::default();
    for kind in store.kinds()? {
        // A query names its kind for the life of the process; this one ends soon.
        let mut query = Query::of(Box::leak(kind.into_boxed_str())).limit(BATCH);
        loop {
            let page = store.query(&query).await?;
            let mut transaction = Transaction::new();
            for document in &page.documents {
                if let Some(body) = resealed(document, key, ids, &mut count)? {
                    let changed = Document { body: Arc::from(body), ..Document::clone(document) };
                    transaction = transaction.update(changed);
                }
            }
            if !transaction.changes.is_empty() {
                count.documents += transaction.changes.len();
                store.commit(transaction).await?;
                failpoint("keys.rotate.batch")?;
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
    }
    Ok(count)
}

/// A document's body with its secrets under the newest key; none when nothing changes.
fn resealed(
    document: &Document,
    key: &SealingKey,
    ids: &dyn IdSource,
    count: &mut Count,
) -> Result<Option<String>, Box<dyn Error>> {
    if let Some(form) = FIRST_FORMS.iter().find(|form| document.key.kind == form.kind) {
        let body: serde_json::Value = document.decode()?;
        let text = |member: &str| body.get(member).and_then(serde_json::Value::as_str).unwrap_or_default();
        let (sealed, owner) = (text(form.member), text(form.owner));
        if !sealed.is_empty() && !sealed.starts_with("stoa-sealed.") {
            let secret = key.open(form.purpose, owner, sealed)?;
            let fresh = key.seal(form.purpose, owner, &secret, ids)?;
            count.changed += 1;
            return Ok(Some(document.body.replace(sealed, &fresh)));
        }
    }
    let done = key.reseal_in(&document.body, ids)?;
    count.changed += done.changed;
    count.unreadable += done.unreadable;
    if done.unreadable > 0 {
        eprintln!("warning: a text in {} opens under no known key", document.key);
    }
    Ok(done.text)
}

#[cfg(test)]
mod tests {
    //! Secrets of the first release are found and sealed anew.

    use super::*;
    use stoa_store::Key;
    use stoa_types::{AccountId, Timestamp};

    #[test]
    fn an_access_key_of_the_first_release_is_sealed_anew() {
        // As the first release wrote it, under the master key of 32 bytes 0x2a.
        let body = r#"{"id":"AKIA42GIFBLRXDCE25OM","account":"351541218379","user":null,"sealed_secret":"AUdSfR0vyNYTxXAqpvF1dmTpH/NLlU9sdyBsNYfJAtZ4hbmWNPMKdDJaEg+Pcqch33FbHaz/NNWISv+ztjAO6lb/mKB3dZjT5q5t0dI2EIwSpCYhVQ==","active":true,"created":1795656770818}"#;
        let key = Key {
            kind: "iam:access-key",
            account: AccountId::aws(),
            region: None,
            id: "AKIA42GIFBLRXDCE25OM".to_owned(),
        };
        let document = Document::new(key, "n", Timestamp::from_millis(0), &"").unwrap();
        let document = Document { body: Arc::from(body), ..document };
        let sealing = SealingKey::new([0x2b; 32]).with_older([0x2a; 32]);
        let mut count = Count::default();
        let text = resealed(&document, &sealing, &SystemIds, &mut count).unwrap().unwrap();
        assert_eq!(count.changed, 1);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let sealed = value["sealed_secret"].as_str().unwrap();
        let purpose = FIRST_FORMS[0].purpose;
        let opened = SealingKey::new([0x2b; 32]).open(purpose, "AKIA42GIFBLRXDCE25OM", sealed).unwrap();
        assert_eq!(&**opened, b"sjUhupb/E/d09g8F1cLJnkaahno14r6kB1sL9zKn");
        let document = Document { body: Arc::from(text), ..document };
        assert_eq!(resealed(&document, &sealing, &SystemIds, &mut count).unwrap(), None);
    }
}
