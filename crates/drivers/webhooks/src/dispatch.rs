//! From the outbox to the webhooks, as a reconciler.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stoa_store::{Document, Key, OutboxEvent, Store, StoreError, Transaction};
use stoa_types::{AccountId, Clock};
use stoa_work::{PassError, PassReport, Reconciler, failpoint};

use crate::Webhook;

const KIND: &str = "events:webhook";
/// Events read at once; a webhook's position is written after so many at the latest.
const BATCH: usize = 100;
/// Events that wait for a webhook at most; the oldest go first.
pub(crate) const MOST_WAITING: u64 = 100_000;
/// When a webhook that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// How far a webhook has come.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    #[serde(default)]
    done: u64,
}

/// Posts events.
pub struct Dispatcher {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    webhooks: Vec<Webhook>,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Dispatcher").field("webhooks", &self.webhooks.len()).finish_non_exhaustive()
    }
}

/// What came of a webhook's turn.
struct Turn {
    done: u64,
    posted: u64,
    failed: bool,
}

/// Whether an event has the shape that webhooks are told: EventBridge's.
fn is_told(event: &OutboxEvent) -> bool {
    #[derive(Deserialize)]
    struct Shape<'e> {
        #[serde(rename = "detail-type", borrow)]
        _kind: std::borrow::Cow<'e, str>,
    }
    serde_json::from_str::<Shape<'_>>(&event.body).is_ok()
}

impl Dispatcher {
    /// How often the outbox is looked at.
    pub const PERIOD: Duration = Duration::from_secs(1);

    /// To these webhooks.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, webhooks: Vec<Webhook>) -> Dispatcher {
        Dispatcher { store, clock, webhooks }
    }

    fn key(webhook: &Webhook) -> Key {
        Key { kind: KIND, account: AccountId::aws(), region: None, id: webhook.url().to_owned() }
    }

    async fn progress(&self, webhook: &Webhook) -> Result<u64, StoreError> {
        match self.store.get(&Dispatcher::key(webhook)).await? {
            Some(document) => Ok(document.decode::<Progress>()?.done),
            None => Ok(0),
        }
    }

    async fn set_progress(&self, webhook: &Webhook, done: u64) -> Result<(), StoreError> {
        let key = Dispatcher::key(webhook);
        let document = Document::new(key, webhook.url(), self.clock.now(), &Progress { done })?;
        self.store.commit(Transaction::new().put(document)).await
    }

    /// Posts what a webhook does not have yet, until it fails or has all.
    async fn turn(&self, webhook: &Webhook) -> Result<Turn, PassError> {
        let mut turn = Turn { done: self.progress(webhook).await?, posted: 0, failed: false };
        loop {
            let events = self.store.outbox(turn.done, BATCH).await?;
            let before = turn.done;
            for (sequence, event) in &events {
                if is_told(event) {
                    if let Err(error) = webhook.post(&event.body).await {
                        tracing::warn!(url = webhook.url(), %error, sequence, "an event could not be posted");
                        turn.failed = true;
                        break;
                    }
                    failpoint("webhooks-after-post")?;
                    turn.posted += 1;
                }
                turn.done = *sequence;
            }
            if turn.done != before {
                self.set_progress(webhook, turn.done).await?;
            }
            if turn.failed || events.len() < BATCH {
                return Ok(turn);
            }
        }
    }

    /// Forgets what nobody waits for.
    async fn forget_all(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        loop {
            let events = self.store.outbox(0, 1000).await?;
            let Some((last, _)) = events.last() else { return Ok(count) };
            self.store.outbox_done(*last).await?;
            count += events.len() as u64;
        }
    }

    /// Forgets the oldest events where too many wait for a webhook that does not answer.
    async fn forget_oldest(&self, mut done: u64, most: u64) -> Result<(), StoreError> {
        loop {
            let beyond = self.store.outbox(done.saturating_add(most), 1000).await?;
            let Some((last, _)) = beyond.last() else { return Ok(()) };
            done = last.saturating_sub(most);
            tracing::error!(through = done, "events were forgotten that a webhook never took");
            self.store.outbox_done(done).await?;
        }
    }

    pub(crate) async fn pass_with(&self, most: u64) -> Result<PassReport, PassError> {
        let mut report = PassReport::default();
        if self.webhooks.is_empty() {
            report.changed = self.forget_all().await?;
            return Ok(report);
        }
        let turns = self.webhooks.iter().map(|webhook| self.turn(webhook));
        let mut least = u64::MAX;
        for turn in futures_util::future::join_all(turns).await {
            let turn = turn?;
            report.examined += 1;
            report.changed += turn.posted;
            least = least.min(turn.done);
            if turn.failed {
                report.failed += 1;
                report.look_again(RETRY);
            }
        }
        self.store.outbox_done(least).await?;
        self.forget_oldest(least, most).await?;
        Ok(report)
    }
}

#[async_trait]
impl Reconciler for Dispatcher {
    fn name(&self) -> &'static str {
        "events.webhooks"
    }

    async fn pass(&self) -> Result<PassReport, PassError> {
        self.pass_with(MOST_WAITING).await
    }
}
