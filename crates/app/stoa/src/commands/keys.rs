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
use stoa_seal::SealingKey;
use stoa_store::{Document, Query, Store, Transaction};
use stoa_store_sqlite::{Settings, SqliteStore};
use stoa_types::{Clock, IdSource};
use stoa_work::failpoint;

use crate::cli::{DataDirArgs, Outcome};
use crate::clock::{SystemClock, SystemIds};
use crate::data_dir::DataDir;
use crate::master_key::{self, Keeper, MasterKeys};

/// Documents read at once, and written in one transaction.
const BATCH: usize = 500;
/// Where the first release kept secrets in a form that does not say what it is.
const FIRST_FORM: (&str, &str, &[u8]) = ("iam:access-key", "sealed_secret", b"stoa/iam/access-key/v1");

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
    report(&keys, count);
    Ok(())
}

fn report(keys: &MasterKeys, count: Count) {
    println!("{} secrets in {} documents are sealed under the new master key", count.changed, count.documents);
    if count.unreadable > 0 {
        println!(
            "{} texts look like sealed secrets but open under no known key; they are as they were",
            count.unreadable
        );
    }
    match keys.keeper {
        Keeper::DataFolder => println!("the new key is in master.key; back it up"),
        Keeper::Operator(variable) => println!("set {variable} to the new key, and the one for the next key no more"),
    }
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
    let (kind, member, purpose) = FIRST_FORM;
    if document.key.kind == kind {
        let body: serde_json::Value = document.decode()?;
        let sealed = body.get(member).and_then(serde_json::Value::as_str).unwrap_or_default();
        if !sealed.is_empty() && !sealed.starts_with("stoa-sealed.") {
            let secret = key.open(purpose, &document.key.id, sealed)?;
            let fresh = key.seal(purpose, &document.key.id, &secret, ids)?;
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
