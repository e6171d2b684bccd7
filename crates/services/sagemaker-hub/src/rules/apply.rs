//! Applies the rules of one hub: plans, and writes the plan, a chunk of references after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stoa_kernel::ApiError;
use stoa_sagemaker_common::store_error;
use stoa_store::{Document, Expect, Key, Query, Transaction};
use stoa_types::{Partition, Timestamp};
use stoa_work::failpoint;

use super::log::{Cause, logged};
use super::plan::{Compared, Existing, Plan, Step, Wanted};
use super::{APPLIED, APPLYING, Expression, Ruled, RulesBody};
use crate::admission::{AdmissionPolicy, policy_of};
use crate::catalog::{CatalogIndex, PublicModel};
use crate::hub;
use crate::names::HubName;
use crate::reference::{self, MOST_REFERENCES, ReferenceBody};
use crate::service::Hubs;

/// References that change in one transaction.
const CHUNK: usize = 500;

/// What a hub is to be looked at for.
pub(super) struct Task {
    pub document: Arc<Document>,
    pub rule: Option<Arc<Expression>>,
    /// What the rule lets in, of all models or of those that changed.
    pub wanted: Arc<Wanted>,
    /// Those that changed; none for all.
    pub only: Option<Arc<BTreeSet<Arc<str>>>>,
}

pub(super) enum Applied {
    /// The generation of the rules now, and how many references changed.
    Done(u64, u64),
    /// How many references changed; more may, once these were looked into.
    Waiting(u64, Vec<Arc<PublicModel>>),
    /// Hub or rules were changed meanwhile.
    Again,
    /// The hub is being deleted. Whoever ends that or takes it back says so; nobody does after a crash.
    Later,
}

/// A hub's rules and what is to come of them.
struct Work<'a> {
    hub: HubName,
    hub_document: Arc<Document>,
    rules: &'a Document,
    body: RulesBody,
    cause: Cause,
    plan: Plan,
}

impl Hubs {
    pub(super) async fn apply_rules(
        &self,
        task: &Task,
        index: &Arc<CatalogIndex>,
        now: Timestamp,
    ) -> Result<Applied, ApiError> {
        let nothing = Applied::Done(task.document.generation, 0);
        let Some(hub) = hub_of(&task.document.key) else { return Ok(nothing) };
        let Some(hub_document) = self.parts.store.get(&hub::key(&hub)).await.map_err(store_error)? else {
            // The hub went, and its rules with it.
            return Ok(nothing);
        };
        if hub_document.status == hub::DELETING {
            return Ok(Applied::Later);
        }
        let mut plan = self.plan_rules(&hub, &policy_of(&hub_document)?, task, index).await?;
        let unscanned = std::mem::take(&mut plan.unscanned);
        let body: RulesBody = task.document.decode().map_err(store_error)?;
        let applying = task.document.status == APPLYING;
        let cause = if applying { body.cause.unwrap_or(Cause::Rules) } else { Cause::Catalog };
        let work = Work { hub, hub_document, rules: &task.document, body, cause, plan };
        let finished = unscanned.is_empty();
        // That rules were set is told also when it changed nothing.
        let told = work.changes() || (applying && finished && cause == Cause::Rules);
        let written = if told || (applying && finished) {
            let Some(written) = self.write_rules(work, told, finished, now).await? else { return Ok(Applied::Again) };
            written
        } else {
            (task.document.generation, 0)
        };
        let (generation, changed) = written;
        Ok(if finished { Applied::Done(generation, changed) } else { Applied::Waiting(changed, unscanned) })
    }

    /// The generation of the rules then, and how many references changed; none when hub or rules were changed meanwhile.
    async fn write_rules(
        &self,
        work: Work<'_>,
        told: bool,
        finished: bool,
        now: Timestamp,
    ) -> Result<Option<(u64, u64)>, ApiError> {
        let Work { hub, hub_document, rules, mut body, cause, plan } = work;
        (body.left_out, body.refused, body.refused_digest) =
            (plan.left_out, plan.refused.len() as u64, plan.refused_digest());
        let (mut generation, mut changed) = (rules.generation, 0);
        let mut chunks: Vec<&[Step]> = plan.steps.chunks(CHUNK).collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        let last = chunks.len() - 1;
        for (number, steps) in chunks.into_iter().enumerate() {
            let done = number == last && finished;
            body.changes += u64::from(told);
            body.cause = (!done).then_some(cause);
            let mut next = rules.with_body(rules.modified, &body).map_err(store_error)?;
            next.generation = generation;
            let mut transaction =
                transaction(&hub, steps, now)?.update(next.with_status(if done { APPLIED } else { APPLYING }));
            if told {
                let refused: &[Ruled] = if number == last { &plan.refused } else { &[] };
                transaction = logged(transaction, &hub, &body, (cause, steps, refused), now)?;
            }
            failpoint("hub-rules-before-commit").map_err(ApiError::internal)?;
            if !self.commit_held(&hub_document, transaction).await? {
                return Ok(None);
            }
            failpoint("hub-rules-after-commit").map_err(ApiError::internal)?;
            generation += 1;
            changed += steps.len() as u64;
        }
        Ok(Some((generation, changed)))
    }

    async fn plan_rules(
        &self,
        hub: &HubName,
        policy: &AdmissionPolicy,
        task: &Task,
        index: &Arc<CatalogIndex>,
    ) -> Result<Plan, ApiError> {
        let (rule, wanted) = (task.rule.clone(), Arc::clone(&task.wanted));
        let Some(ids) = &task.only else { return self.plan_whole(hub, policy, rule, wanted, index).await };
        let mut existing = BTreeMap::new();
        for id in ids.iter() {
            let found = self.parts.store.get(&reference::key(hub, id)).await.map_err(store_error)?;
            if let Some(document) = found {
                existing.insert(id.to_string(), existing_of(document)?);
            }
        }
        let adds = wanted.keys().any(|id| !existing.contains_key(&**id));
        let room = if adds { self.room(hub).await? } else { 0 };
        self.plan_between(policy, rule, wanted, index, existing, room).await
    }

    /// The difference between a hub and what a rule lets in, of all models.
    pub(super) async fn plan_whole(
        &self,
        hub: &HubName,
        policy: &AdmissionPolicy,
        rule: Option<Arc<Expression>>,
        wanted: Arc<Wanted>,
        index: &Arc<CatalogIndex>,
    ) -> Result<Plan, ApiError> {
        let mut existing = BTreeMap::new();
        for document in self.all(references_of(hub)).await? {
            existing.insert(document.name.clone(), existing_of(document)?);
        }
        let room = MOST_REFERENCES.saturating_sub(existing.len() as u64);
        self.plan_between(policy, rule, wanted, index, existing, room).await
    }

    async fn plan_between(
        &self,
        policy: &AdmissionPolicy,
        rule: Option<Arc<Expression>>,
        wanted: Arc<Wanted>,
        index: &Arc<CatalogIndex>,
        existing: BTreeMap<String, Existing>,
        room: u64,
    ) -> Result<Plan, ApiError> {
        let admitted = self.admitted(policy, index, wanted, &existing).await?;
        let compared = Compared {
            rule,
            index: Arc::clone(index),
            wanted: admitted.wanted,
            refused: admitted.refused,
            unscanned: admitted.unscanned,
            existing,
            room,
        };
        self.aside(move || compared.plan()).await
    }

    async fn room(&self, hub: &HubName) -> Result<u64, ApiError> {
        let there = self.parts.store.count(&references_of(hub)).await.map_err(store_error)?;
        Ok(MOST_REFERENCES.saturating_sub(there))
    }
}

impl Work<'_> {
    /// Whether the plan changes the hub, or what is known of what stays out of it.
    fn changes(&self) -> bool {
        let (plan, body) = (&self.plan, &self.body);
        !plan.steps.is_empty() || plan.left_out != body.left_out || plan.refused_digest() != body.refused_digest
    }
}

fn references_of(hub: &HubName) -> Query {
    Query::of(reference::KIND).owned_by(&hub.account, Some(&hub.region)).children_of(&hub.name)
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
