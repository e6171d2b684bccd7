//! Makes every hub refer to what its rules let in, after each change of the rules and of the public hub.
//!
//! A pass compares the public hub with the one of the last pass and judges the models that changed; all of them for a
//! hub whose rules are new, or that it sees for the first time (so after each start). It keeps in memory only what it
//! has seen; all that must last is in the store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt};
use stoa_kernel::ApiError;
use stoa_sagemaker_common::{Version, store_error};
use stoa_store::{Document, Expect, Key, Query, StoreError, Transaction};
use stoa_types::{Clock, Partition, Timestamp};
use stoa_work::{Nudge, PassError, PassReport, Reconciler, failpoint};

use super::plan::{Existing, Plan, Step, plan, wanted};
use super::{
    APPLIED, APPLYING, Cause, ChangeBody, Expression, KEPT_CHANGES, KIND, Ruled, RulesBody, log_key, number_text, parse,
};
use crate::catalog::CatalogIndex;
use crate::hub;
use crate::names::HubName;
use crate::reference::{self, MOST_REFERENCES, ReferenceBody};
use crate::service::Hubs;

/// References that change in one transaction.
const CHUNK: usize = 500;
/// Hubs that are worked on at once; their transactions share commits.
const PARALLEL: usize = 64;
/// When somebody changed a hub meanwhile.
const AGAIN: Duration = Duration::from_millis(50);

/// Rules as they were read, and what they let in of all models once that was asked for.
type Judged = (Option<Arc<Expression>>, Option<Arc<Wanted>>);
type Wanted = BTreeMap<Arc<str>, BTreeSet<Version>>;

/// The reconciler of hub rules.
pub struct HubRulesReconciler {
    hubs: Arc<Hubs>,
    clock: Arc<dyn Clock>,
    seen: tokio::sync::Mutex<Seen>,
}

/// What the last pass saw.
#[derive(Default)]
struct Seen {
    index: Option<Arc<CatalogIndex>>,
    rules_version: Option<u64>,
    /// The generation of the rules that were applied to `index`, by their key.
    applied: HashMap<Key, u64>,
}

/// What a hub is to be looked at for.
struct Task {
    document: Arc<Document>,
    rule: Option<Arc<Expression>>,
    scope: Scope,
}

enum Scope {
    /// What the rule lets in, of all models.
    All(Arc<Wanted>),
    Changed(Arc<BTreeSet<Arc<str>>>),
}

enum Applied {
    /// The generation of the rules now, and how many references changed.
    Done(u64, u64),
    /// Hub or rules were changed meanwhile.
    Again,
}

impl std::fmt::Debug for HubRulesReconciler {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("HubRulesReconciler")
    }
}

impl HubRulesReconciler {
    /// How often it looks when nothing nudges.
    pub const PERIOD: Duration = Duration::from_secs(30);

    /// A reconciler that has seen nothing yet.
    pub fn new(hubs: Arc<Hubs>, clock: Arc<dyn Clock>) -> HubRulesReconciler {
        HubRulesReconciler { hubs, clock, seen: tokio::sync::Mutex::default() }
    }

    /// Told by every change of the public hub and of rules.
    pub fn nudge(&self) -> Nudge {
        self.hubs.parts.catalog.changed()
    }

    /// The hubs to look at.
    async fn tasks(&self, seen: &Seen, index: &Arc<CatalogIndex>) -> Result<(Vec<Task>, u64), ApiError> {
        let documents = self.hubs.all(Query::of(KIND)).await?;
        let changed = seen.index.as_ref().map(|before| Arc::new(before.changed_models(index)));
        let mut judged: HashMap<String, Judged> = HashMap::new();
        let (mut tasks, mut failed) = (Vec::new(), 0);
        for document in documents {
            let body: RulesBody = document.decode().map_err(store_error)?;
            let known = document.status == APPLIED
                && seen.applied.get(&document.key) == Some(&document.generation)
                && body.left_out == 0;
            // Hubs with the same rules share the work of judging the catalog.
            let entry = match judged.entry(body.rules.clone()) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => match parse(&body.rules) {
                    Ok(rule) => entry.insert((rule.map(Arc::new), None)),
                    Err(error) => {
                        tracing::error!(hub = %document.key, %error, "stored rules cannot be read");
                        failed += 1;
                        continue;
                    }
                },
            };
            let scope = match &changed {
                Some(changed) if known => Scope::Changed(Arc::clone(changed)),
                _ => Scope::All(Arc::clone(
                    entry.1.get_or_insert_with(|| Arc::new(wanted(entry.0.as_deref(), index, None))),
                )),
            };
            tasks.push(Task { document, rule: entry.0.clone(), scope });
        }
        Ok((tasks, failed))
    }
}

#[async_trait]
impl Reconciler for HubRulesReconciler {
    fn name(&self) -> &'static str {
        "sagemaker.hub-rules"
    }

    async fn pass(&self) -> Result<PassReport, PassError> {
        let mut seen = self.seen.lock().await;
        // Before the documents are read, so that what is seen can only be newer than it says.
        let rules_version = self.hubs.parts.store.version(KIND);
        let index = self.hubs.parts.catalog.index().await?;
        let same = seen.index.as_ref().is_some_and(|before| Arc::ptr_eq(before, &index));
        if same && seen.rules_version == Some(rules_version) {
            return Ok(PassReport::default());
        }
        let (tasks, failed) = self.tasks(&seen, &index).await?;
        let mut report = PassReport { examined: tasks.len() as u64, failed, ..PassReport::default() };
        let now = self.clock.now();
        let done: Vec<(Key, Result<Applied, ApiError>)> = stream::iter(tasks)
            .map(|task| {
                let index = &index;
                async move {
                    let key = task.document.key.clone();
                    (key, self.hubs.apply_rules(&task, index, now).await)
                }
            })
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        let mut applied = HashMap::new();
        for (key, result) in done {
            match result {
                Ok(Applied::Done(generation, changed)) => {
                    report.changed += changed;
                    applied.insert(key, generation);
                }
                Ok(Applied::Again) => report.look_again(AGAIN),
                Err(error) => {
                    report.failed += 1;
                    report.look_again(Duration::from_secs(1));
                    tracing::warn!(hub = %key, %error, "rules could not be applied");
                }
            }
        }
        // Whoever is to be looked at again is not in `applied`, and is judged whole then.
        let all_done = report.again_after.is_none();
        *seen = Seen { index: Some(index), rules_version: all_done.then_some(rules_version), applied };
        Ok(report)
    }
}

impl Hubs {
    /// Applies a hub's rules, a chunk of references after the other.
    async fn apply_rules(&self, task: &Task, index: &CatalogIndex, now: Timestamp) -> Result<Applied, ApiError> {
        let Some(hub) = hub_of(&task.document.key) else { return Ok(Applied::Done(task.document.generation, 0)) };
        let Some(hub_document) = self.parts.store.get(&hub::key(&hub)).await.map_err(store_error)? else {
            // The hub went, and its rules with it.
            return Ok(Applied::Done(task.document.generation, 0));
        };
        if hub_document.status == hub::DELETING {
            return Ok(Applied::Again);
        }
        let plan = self.plan_rules(&hub, task, index).await?;
        let mut body: RulesBody = task.document.decode().map_err(store_error)?;
        let new = task.document.status == APPLYING;
        if plan.steps.is_empty() && !new && plan.left_out == body.left_out {
            return Ok(Applied::Done(task.document.generation, 0));
        }
        let cause = if new { Cause::Rules } else { Cause::Catalog };
        let (mut generation, mut changed) = (task.document.generation, 0);
        let mut chunks: Vec<&[Step]> = plan.steps.chunks(CHUNK).collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        let last = chunks.len() - 1;
        for (number, steps) in chunks.into_iter().enumerate() {
            body.changes += 1;
            body.left_out = plan.left_out;
            let mut rules = task.document.with_body(task.document.modified, &body).map_err(store_error)?;
            rules.generation = generation;
            let rules = rules.with_status(if number == last { APPLIED } else { APPLYING });
            let transaction = transaction(&hub, steps, now)?
                .create(log_entry(&hub, &body, cause, steps, now)?)
                .update(rules)
                .require(hub_document.key.clone(), Expect::Generation(hub_document.generation));
            let transaction = match body.changes.checked_sub(KEPT_CHANGES).filter(|old| *old > 0) {
                Some(old) => transaction.delete(log_key(&hub, old), Expect::Any),
                None => transaction,
            };
            failpoint("hub-rules-before-commit").map_err(ApiError::internal)?;
            match self.parts.store.commit(transaction).await {
                Ok(()) => {}
                Err(StoreError::Conflict { .. }) => return Ok(Applied::Again),
                Err(error) => return Err(store_error(error)),
            }
            failpoint("hub-rules-after-commit").map_err(ApiError::internal)?;
            generation += 1;
            changed += steps.len() as u64;
        }
        Ok(Applied::Done(generation, changed))
    }

    async fn plan_rules(&self, hub: &HubName, task: &Task, index: &CatalogIndex) -> Result<Plan, ApiError> {
        let rule = task.rule.as_deref();
        match &task.scope {
            Scope::All(wanted) => self.plan_whole(hub, rule, wanted, index).await,
            Scope::Changed(ids) => {
                let wanted = wanted(rule, index, Some(ids));
                let mut existing = BTreeMap::new();
                for id in ids.iter() {
                    let found = self.parts.store.get(&reference::key(hub, id)).await.map_err(store_error)?;
                    if let Some(document) = found {
                        existing.insert(id.to_string(), existing_of(document)?);
                    }
                }
                let adds = wanted.keys().any(|id| !existing.contains_key(&**id));
                let room = if adds { self.room(hub).await? } else { 0 };
                Ok(plan(rule, index, &wanted, &existing, room))
            }
        }
    }

    /// The difference between a hub and what a rule lets in, of all models.
    pub(super) async fn plan_whole(
        &self,
        hub: &HubName,
        rule: Option<&Expression>,
        wanted: &Wanted,
        index: &CatalogIndex,
    ) -> Result<Plan, ApiError> {
        let query = Query::of(reference::KIND).owned_by(&hub.account, Some(&hub.region)).children_of(&hub.name);
        let mut existing = BTreeMap::new();
        for document in self.all(query).await? {
            existing.insert(document.name.clone(), existing_of(document)?);
        }
        let room = MOST_REFERENCES.saturating_sub(existing.len() as u64);
        Ok(plan(rule, index, wanted, &existing, room))
    }

    async fn room(&self, hub: &HubName) -> Result<u64, ApiError> {
        let query = Query::of(reference::KIND).owned_by(&hub.account, Some(&hub.region)).children_of(&hub.name);
        Ok(MOST_REFERENCES.saturating_sub(self.parts.store.count(&query).await.map_err(store_error)?))
    }
}

fn hub_of(key: &Key) -> Option<HubName> {
    let region = key.region.clone()?;
    let partition = Partition::of(&region);
    Some(HubName { partition, region, account: key.account.clone(), name: key.id.clone() })
}

fn existing_of(document: Arc<Document>) -> Result<Existing, ApiError> {
    let body: ReferenceBody = document.decode().map_err(store_error)?;
    Ok(Existing { admitted: body.admitted, document })
}

fn transaction(hub: &HubName, steps: &[Step], now: Timestamp) -> Result<Transaction, ApiError> {
    let mut transaction = Transaction::new();
    for step in steps {
        transaction = match step {
            Step::Add(ruled) => {
                let key = reference::key(hub, &ruled.name);
                let document = Document::new(key, &ruled.name, now, &reference_body(ruled)).map_err(store_error)?;
                transaction.create(document.with_parent(&hub.name).with_status("Available"))
            }
            Step::Update(ruled, found) => {
                transaction.update(found.with_body(now, &reference_body(ruled)).map_err(store_error)?)
            }
            Step::Remove(ruled, found) => transaction
                .delete(found.key.clone(), Expect::Generation(found.generation))
                .set_tags(&hub.content_arn("ModelReference", &ruled.name), Vec::new()),
        };
    }
    Ok(transaction)
}

fn reference_body(ruled: &Ruled) -> ReferenceBody {
    ReferenceBody { source: ruled.name.clone(), min_version: None, admitted: Some(ruled.versions.clone()) }
}

fn log_entry(
    hub: &HubName,
    rules: &RulesBody,
    cause: Cause,
    steps: &[Step],
    now: Timestamp,
) -> Result<Document, ApiError> {
    let mut body = ChangeBody {
        number: rules.changes,
        cause,
        rules: rules.rules.clone(),
        set_by: rules.set_by.clone(),
        added: Vec::new(),
        removed: Vec::new(),
        updated: Vec::new(),
        left_out: rules.left_out,
    };
    for step in steps {
        match step {
            Step::Add(ruled) => body.added.push(ruled.clone()),
            Step::Update(ruled, _) => body.updated.push(ruled.clone()),
            Step::Remove(ruled, _) => body.removed.push(ruled.clone()),
        }
    }
    let document = Document::new(log_key(hub, body.number), &number_text(body.number), now, &body);
    Ok(document.map_err(store_error)?.with_parent(&hub.name))
}
