//! What is measured over: documents written straight into the store, in the form that the services write them in. A
//! server that could not read one of them would answer with an error, which ends the measurement.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use stoa_store::{Document, Key, Store, Transaction};
use stoa_store_sqlite::{Settings, SqliteStore};
use stoa_types::{AccountId, FixedClock, Region, Timestamp};

use crate::wire::Outcome;

pub const RULES: &str = "name matches ruled-*-* and licence is apache-2.0 and size below 20 GB and not gated";
/// Documents in one transaction.
const BATCH: usize = 2000;
/// 2026-11-20.
const IMPORTED: i64 = 1_795_132_800_000;

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub models: usize,
    pub hubs: usize,
    pub references: usize,
}

pub fn model_id(number: usize) -> String {
    let framework = ["pytorch", "jax", "huggingface", "sklearn"].get(number % 4).copied().unwrap_or("jax");
    format!("{framework}-textgeneration-model{number:05}")
}

pub fn hub_name(number: usize) -> String {
    format!("bench-hub-{number:04}")
}

/// A manifest as importing a folder stores it, of the length that real ones have.
pub fn manifest(id: &str, version: &str) -> Value {
    json!({
        "id": id, "version": version, "display_name": format!("The model {id}"),
        "description": "A text generation model of medium size that answers questions and follows instructions, \
            tuned on public data and evaluated by its authors on the usual benchmarks.",
        "task": "Text Generation", "framework": id.split('-').next().unwrap_or("jax"), "provider": "Acme Research",
        "licence": "apache-2.0", "gated": false, "eula": null,
        "keywords": ["text-generation", "instruct", "english"],
        "default_instance_type": "ml.g5.2xlarge",
        "supported_instance_types": ["ml.g5.2xlarge", "ml.g5.4xlarge", "ml.g5.12xlarge", "ml.p4d.24xlarge"],
        "image": "stoa/inference:1", "environment": {"SM_NUM_GPUS": "1", "MAX_INPUT_LENGTH": "4096"},
        "content_types": ["application/json"], "accept_types": ["application/json"],
        "example_payloads": {
            "hello": {"content_type": "application/json", "body": {"inputs": "Hello"}, "prompt_key": "inputs"},
        },
        "min_memory_mb": 24_576,
    })
}

fn model_body(id: &str, number: usize) -> Value {
    let digest = |file: usize| format!("{:064x}", number * 8 + file);
    let file = |index: usize, path: &str, size: u64| json!({"path": path, "digest": digest(index), "size": size, "md5": format!("{number:032x}")});
    // Two KiB, as the card of a small model.
    let card = format!("# {id}\n\n{}", "What it is, what it is for, how it was made and where it fails. ".repeat(32));
    json!({
        "manifest": manifest(id, "1.0.0"), "card": card, "eula": null,
        "files": [
            file(0, "config.json", 700), file(1, "model-00001-of-00002.safetensors", 4_900_000_000),
            file(2, "model-00002-of-00002.safetensors", 4_900_000_000), file(3, "tokenizer.json", 1_800_000),
        ],
    })
}

/// Writes everything; the server is not running.
pub fn write(database: &Path, account: &str, size: Size) -> Outcome<()> {
    let clock = Arc::new(FixedClock::at(Timestamp::from_millis(IMPORTED)));
    let store = SqliteStore::open(database, clock, Settings::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut batch = Batch { store: &store, waiting: Transaction::new() };
        let now = Timestamp::from_millis(IMPORTED);
        for number in 0..size.models {
            let id = model_id(number);
            let key = key("sagemaker:public-model", AccountId::aws(), None, format!("{id}/1.0.0"));
            let document = Document::new(key, &id, now, &model_body(&id, number))?;
            batch.add(document.with_parent(&id).with_status("Available")).await?;
        }
        let owner: AccountId = account.parse()?;
        let region: Region = crate::aws::REGION.parse()?;
        for number in 0..size.hubs {
            let name = hub_name(number);
            let own = |kind, id| key(kind, owner.clone(), Some(region.clone()), id);
            let hub =
                Document::new(own("sagemaker:hub", name.clone()), &name, now, &json!({"description": "measured"}))?;
            batch.add(hub.with_status("InService")).await?;
            let rules = json!({"rules": RULES, "set_by": "bench", "changes": 0, "left_out": 0});
            let rules = Document::new(own("sagemaker:hub-rules", name.clone()), &name, now, &rules)?;
            batch.add(rules.with_parent(&name).with_status("Applied")).await?;
            for place in 0..size.references {
                // Every hub has model 0, and others that differ from hub to hub.
                let step = size.models / size.references.max(1);
                let at = if place == 0 { 0 } else { (place * step + number) % size.models };
                let source = model_id(at);
                let key = own("sagemaker:hub-reference", format!("{name}/{source}"));
                let document = Document::new(key, &source, now, &json!({"source": source}))?;
                batch.add(document.with_parent(&name).with_status("Available")).await?;
            }
        }
        batch.commit().await
    })
}

fn key(kind: &'static str, account: AccountId, region: Option<Region>, id: String) -> Key {
    Key { kind, account, region, id }
}

struct Batch<'a> {
    store: &'a SqliteStore,
    waiting: Transaction,
}

impl Batch<'_> {
    async fn add(&mut self, document: Document) -> Outcome<()> {
        self.waiting = std::mem::take(&mut self.waiting).put(document);
        if self.waiting.changes.len() >= BATCH { self.commit().await } else { Ok(()) }
    }

    async fn commit(&mut self) -> Outcome<()> {
        Ok(self.store.commit(std::mem::take(&mut self.waiting)).await?)
    }
}
