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
use stoa_store::{Key, Query};
use stoa_types::Clock;
use stoa_work::{Nudge, PassError, PassReport, Reconciler};

use super::apply::{Applied, Task};
use super::plan::{Wanted, wanted};
use super::{APPLIED, Expression, KIND, RulesBody, parse};
use crate::catalog::{CatalogIndex, PublicModel};
use crate::service::Hubs;

/// Hubs that are worked on at once; their transactions share commits.
const PARALLEL: usize = 64;
/// When somebody changed a hub meanwhile.
const AGAIN: Duration = Duration::from_millis(50);
/// Bytes of files that are looked into between two passes over the hubs, or those of one version.
const SCANNED_AT_ONCE: u64 = 4 << 30;

/// Rules as they were read, and what they let in, once that was asked for.
struct Judged {
    rule: Option<Arc<Expression>>,
    of_all: Option<Arc<Wanted>>,
    of_changed: Option<Arc<Wanted>>,
}

/// Versions whose files are to be looked into, each once, however many hubs wait for it.
type Waiting = BTreeMap<(String, Version), Arc<PublicModel>>;

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
    /// Versions in `index` whose files could not be looked into. No rule lets them in; they are tried again when the
    /// public hub changed, and by the next process.
    unreadable: BTreeSet<(String, Version)>,
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
                && (body.left_out, body.refused) == (0, 0);
            // Hubs with the same rules share the work of judging the catalog.
            let entry = match judged.entry(body.rules.clone()) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => match parse(&body.rules) {
                    Ok(rule) => entry.insert(Judged { rule: rule.map(Arc::new), of_all: None, of_changed: None }),
                    Err(error) => {
                        tracing::error!(hub = %document.key, %error, "stored rules cannot be read");
                        failed += 1;
                        continue;
                    }
                },
            };
            let only = changed.as_ref().filter(|_| known).map(Arc::clone);
            let wanted = self.wanted(entry, index, only.as_ref()).await?;
            tasks.push(Task { document, rule: entry.rule.clone(), wanted, only });
        }
        Ok((tasks, failed))
    }

    async fn wanted(
        &self,
        judged: &mut Judged,
        index: &Arc<CatalogIndex>,
        only: Option<&Arc<BTreeSet<Arc<str>>>>,
    ) -> Result<Arc<Wanted>, ApiError> {
        let place = if only.is_some() { &mut judged.of_changed } else { &mut judged.of_all };
        if let Some(known) = place {
            return Ok(Arc::clone(known));
        }
        let found = self.hubs.wanted(judged.rule.clone(), index, only.cloned()).await?;
        Ok(Arc::clone(place.insert(found)))
    }

    /// Looks into files that rules wait for, some of them: a pass over the hubs comes in between, and then the rest.
    async fn scan_some(&self, waiting: Waiting, unreadable: &mut BTreeSet<(String, Version)>, report: &mut PassReport) {
        let mut bytes = 0_u64;
        for (name, model) in waiting {
            if bytes >= SCANNED_AT_ONCE {
                return;
            }
            if unreadable.contains(&name) {
                continue;
            }
            match self.hubs.scan_public(&model, self.clock.now()).await {
                Ok(()) => {
                    // A version without files is waited for by nobody, so this ends.
                    bytes = bytes.saturating_add(model.size);
                    report.look_again(Duration::ZERO);
                }
                Err(error) => {
                    report.failed += 1;
                    tracing::warn!(model = name.0, version = %name.1, %error, "files cannot be judged");
                    // A disk that is full, or a store that is away, says nothing of the files.
                    if error.status() < 500 {
                        unreadable.insert(name);
                    } else {
                        report.look_again(Duration::from_secs(30));
                    }
                }
            }
        }
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
        let (mut applied, mut waiting, mut later) = (HashMap::new(), Waiting::new(), false);
        for (key, result) in done {
            match result {
                Ok(Applied::Done(generation, changed)) => {
                    report.changed += changed;
                    applied.insert(key, generation);
                }
                Ok(Applied::Waiting(changed, models)) => {
                    report.changed += changed;
                    let name = |model: &PublicModel| (model.id.to_string(), model.version);
                    waiting.extend(models.into_iter().map(|model| (name(&model), model)));
                }
                Ok(Applied::Again) => report.look_again(AGAIN),
                Ok(Applied::Later) => later = true,
                Err(error) => {
                    report.failed += 1;
                    report.look_again(Duration::from_secs(1));
                    tracing::warn!(hub = %key, %error, "rules could not be applied");
                }
            }
        }
        // Whoever is to be looked at again is not in `applied`, and is judged whole then.
        let all_done = report.again_after.is_none() && waiting.is_empty() && !later;
        let mut unreadable = if same { std::mem::take(&mut seen.unreadable) } else { BTreeSet::new() };
        self.scan_some(waiting, &mut unreadable, &mut report).await;
        *seen = Seen { index: Some(index), rules_version: all_done.then_some(rules_version), applied, unreadable };
        Ok(report)
    }
}

impl Hubs {
    /// What a rule lets in, of all models or of these.
    pub(super) async fn wanted(
        &self,
        rule: Option<Arc<Expression>>,
        index: &Arc<CatalogIndex>,
        only: Option<Arc<BTreeSet<Arc<str>>>>,
    ) -> Result<Arc<Wanted>, ApiError> {
        let index = Arc::clone(index);
        self.aside(move || Arc::new(wanted(rule.as_deref(), &index, only.as_deref()))).await
    }
}
