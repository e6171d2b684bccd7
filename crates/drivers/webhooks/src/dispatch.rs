//! From the outbox to the webhooks: a reconciler for each, and one that forgets what all have.
//!
//! INVARIANT: a webhook's turn reads and writes its own progress alone, so none waits for another.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stoa_store::{Document, Key, OutboxEvent, Store, StoreError, Transaction};
use stoa_types::{AccountId, Clock, Timestamp};
use stoa_work::{PassError, PassReport, Reconciler, failpoint};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::Webhook;

const KIND: &str = "events:webhook";
/// Events read at once.
const BATCH: usize = 100;
/// Events that wait for a webhook at most; the oldest go first.
pub(crate) const MOST_WAITING: u64 = 100_000;
/// How long a webhook is posted to before its progress is written and its pass ends.
const TURN: Duration = Duration::from_secs(5);
/// When a webhook that failed is tried again; it doubles with each failure in a row.
const FIRST_PAUSE_MILLIS: i64 = 1_000;
const LONGEST_PAUSE_MILLIS: i64 = 300_000;
/// Posts under way, to all webhooks together.
const AT_ONCE: usize = 32;

/// How far a webhook has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    #[serde(default)]
    done: u64,
    /// Failures since an event was taken.
    #[serde(default)]
    failures: u32,
    /// Nothing is posted before.
    #[serde(default)]
    not_before: Option<Timestamp>,
}

impl Progress {
    /// How long to wait. A clock that was set back makes nobody wait longer than the longest pause.
    pub fn pause(&self, now: Timestamp) -> Option<Duration> {
        let left = self.not_before?.millis().saturating_sub(now.millis()).min(LONGEST_PAUSE_MILLIS);
        u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_millis)
    }

    pub fn failed(&mut self, now: Timestamp) {
        let pause = (FIRST_PAUSE_MILLIS << self.failures.min(16)).min(LONGEST_PAUSE_MILLIS);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now.plus_millis(pause));
    }
}

/// Posts events.
pub struct Dispatcher {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    webhooks: Vec<Webhook>,
    posts: Semaphore,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Dispatcher").field("webhooks", &self.webhooks.len()).finish_non_exhaustive()
    }
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
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, webhooks: Vec<Webhook>) -> Arc<Dispatcher> {
        Arc::new(Dispatcher { store, clock, webhooks, posts: Semaphore::new(AT_ONCE) })
    }

    /// What is to be run side by side: the deliveries to each webhook, and the forgetting.
    pub fn reconcilers(self: &Arc<Dispatcher>) -> Vec<Arc<dyn Reconciler>> {
        let mut all: Vec<Arc<dyn Reconciler>> = vec![Arc::new(Forgetting(Arc::clone(self)))];
        for webhook in &self.webhooks {
            all.push(Arc::new(Delivery { dispatcher: Arc::clone(self), webhook: webhook.clone() }));
        }
        all
    }

    fn key(webhook: &Webhook) -> Key {
        Key { kind: KIND, account: AccountId::aws(), region: None, id: webhook.url().to_owned() }
    }

    async fn progress(&self, webhook: &Webhook) -> Result<Progress, StoreError> {
        match self.store.get(&Dispatcher::key(webhook)).await? {
            Some(document) => document.decode(),
            None => Ok(Progress::default()),
        }
    }

    async fn set_progress(&self, webhook: &Webhook, progress: &Progress) -> Result<(), StoreError> {
        let key = Dispatcher::key(webhook);
        let document = Document::new(key, webhook.url(), self.clock.now(), progress)?;
        self.store.commit(Transaction::new().put(document)).await
    }

    /// Posts some of what a webhook does not have yet; ends with the first event that is not taken.
    async fn deliver(&self, webhook: &Webhook) -> Result<PassReport, PassError> {
        let mut report = PassReport { examined: 1, ..PassReport::default() };
        let before = self.progress(webhook).await?;
        if let Some(pause) = before.pause(self.clock.now()) {
            report.look_again(pause);
            return Ok(report);
        }
        let mut now = before.clone();
        let events = self.store.outbox(now.done, BATCH).await?;
        let end = Instant::now() + TURN;
        let mut more = events.len() == BATCH;
        for (sequence, event) in &events {
            if Instant::now() >= end {
                more = true;
                break;
            }
            if is_told(event) {
                // Never closed.
                let _turn = self.posts.acquire().await;
                if let Err(error) = webhook.post(&event.body).await {
                    now.failed(self.clock.now());
                    let (url, failures) = (webhook.url(), now.failures);
                    tracing::warn!(url, %error, sequence, failures, "an event could not be posted");
                    report.failed = 1;
                    break;
                }
                failpoint("webhooks-after-post")?;
                report.changed += 1;
                (now.failures, now.not_before) = (0, None);
            }
            now.done = *sequence;
        }
        if now != before {
            self.set_progress(webhook, &now).await?;
        }
        if let Some(pause) = now.pause(self.clock.now()) {
            report.look_again(pause);
        } else if more {
            report.look_again(Duration::ZERO);
        }
        Ok(report)
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

    /// Forgets what all webhooks have, and what is too much.
    pub(crate) async fn forget(&self, most: u64) -> Result<PassReport, PassError> {
        let mut report = PassReport::default();
        if self.webhooks.is_empty() {
            report.changed = self.forget_all().await?;
            return Ok(report);
        }
        let mut least = u64::MAX;
        for webhook in &self.webhooks {
            least = least.min(self.progress(webhook).await?.done);
            report.examined += 1;
        }
        self.store.outbox_done(least).await?;
        self.forget_oldest(least, most).await?;
        Ok(report)
    }
}

/// The deliveries to one webhook.
struct Delivery {
    dispatcher: Arc<Dispatcher>,
    webhook: Webhook,
}

#[async_trait]
impl Reconciler for Delivery {
    fn name(&self) -> &'static str {
        "events.webhooks"
    }

    async fn pass(&self) -> Result<PassReport, PassError> {
        self.dispatcher.deliver(&self.webhook).await
    }
}

/// The end of what all webhooks have.
struct Forgetting(Arc<Dispatcher>);

#[async_trait]
impl Reconciler for Forgetting {
    fn name(&self) -> &'static str {
        "events.forget"
    }

    async fn pass(&self) -> Result<PassReport, PassError> {
        self.0.forget(MOST_WAITING).await
    }
}
