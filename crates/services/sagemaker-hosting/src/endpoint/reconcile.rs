//! Makes endpoints true: starts, watches and stops containers, and moves the status along.
//!
//! A crash at any line is repaired by the next pass: containers die with the server, starting is idempotent by name,
//! and every change of status is written with a generation check. What is remembered between passes may be lost.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use stoa_runtime::ContainerState;
use stoa_store::{Document, Expect, Query, StoreError, Transaction};
use stoa_types::{Clock, Timestamp};
use stoa_work::{PassError, PassReport, Reconciler, chain, failpoint};

use super::create::state_event;
use super::memory::Memory;
use super::plan::{Observed, Step, orphans, plan};
use super::{Deployment, EndpointState, KIND};
use crate::service::HostingParts;

/// How soon to look again after something was done, and at a container that was just started.
const SOON: Duration = Duration::from_millis(10);
/// How soon to look again at a container that takes its time, and for how long it counts as just started.
const SLOW: Duration = Duration::from_millis(200);
const JUST_STARTED_MILLIS: i64 = 2000;
/// How soon to try again what failed.
const LATER: Duration = Duration::from_secs(1);
/// Endpoints that are worked on at the same time: one with a large archive does not hold up the others.
const AT_ONCE: usize = 16;

/// The reconciler of endpoints.
pub struct EndpointReconciler {
    pub(super) parts: HostingParts,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) memory: Memory,
}

impl fmt::Debug for EndpointReconciler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EndpointReconciler")
    }
}

/// An endpoint as this pass read it.
pub(super) struct Endpoint {
    pub document: Arc<Document>,
    pub state: EndpointState,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// Done; the other steps of the plan still hold.
    Step,
    /// The endpoint was written, or somebody else wrote it: the plan is out of date.
    Moved,
}

impl EndpointReconciler {
    /// The reconciler over the service's ports.
    pub fn new(parts: HostingParts, clock: Arc<dyn Clock>) -> EndpointReconciler {
        EndpointReconciler { parts, clock, memory: Memory::default() }
    }

    /// All endpoints, and how many there are that cannot be read.
    async fn endpoints(&self) -> Result<(Vec<Endpoint>, u64), PassError> {
        let mut query = Query::of(KIND).limit(1000);
        let (mut all, mut unreadable) = (Vec::new(), 0);
        loop {
            let page = self.parts.store.query(&query).await?;
            for document in page.documents {
                match document.decode() {
                    Ok(state) => all.push(Endpoint { document, state }),
                    Err(error) => {
                        tracing::error!(endpoint = %document.key, error = %error, "an endpoint cannot be read");
                        unreadable += 1;
                    }
                }
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok((all, unreadable)),
            }
        }
    }

    async fn observe(&self, endpoints: &[Endpoint], now: Timestamp) -> Result<Observed, PassError> {
        let listed = self.parts.runtime.list().await?;
        let mut known: BTreeSet<String> = endpoints.iter().flat_map(|endpoint| wanted(&endpoint.state)).collect();
        let mut seen = Observed::default();
        for name in &known {
            if self.memory.paused_until(name, now).is_some() {
                seen.paused.insert(name.clone());
            }
        }
        for container in listed {
            self.memory.runs(&container.name, now);
            seen.started.insert(container.name.clone(), self.memory.started(&container.name).unwrap_or(now));
            known.insert(container.name.clone());
            seen.containers.insert(container.name, container.state);
        }
        self.memory.retain(&known, &endpoints.iter().flat_map(|endpoint| unnamed(&endpoint.state)).collect());
        Ok(seen)
    }

    /// Carries out the plan for one endpoint. A step that fails does not hold up the others.
    async fn advance(&self, endpoint: &Endpoint, seen: &Observed, now: Timestamp) -> PassReport {
        let mut report = PassReport { examined: 1, ..PassReport::default() };
        for step in plan(&endpoint.document.status, &endpoint.state, seen, now) {
            match self.execute(endpoint, &step, seen).await {
                Ok(Done::Step) => report.changed += 1,
                Ok(Done::Moved) => {
                    report.changed += 1;
                    return report;
                }
                Err(error) => {
                    let arn = &endpoint.state.arn;
                    tracing::warn!(endpoint = %arn, step = ?step, error = chain(&*error), "a step for an endpoint failed");
                    report.failed += 1;
                }
            }
        }
        report
    }

    pub(super) async fn execute(&self, endpoint: &Endpoint, step: &Step, seen: &Observed) -> Result<Done, PassError> {
        let mut state = endpoint.state.clone();
        match step {
            Step::Start { container } => self.start(endpoint, container, seen).await,
            Step::Stop { container } => self.stop(container).await,
            Step::Replace { container } => {
                self.memory.failed(container, self.clock.now());
                self.stop(container).await
            }
            Step::Promote => {
                let Some(mut next) = state.next.take() else { return Ok(Done::Moved) };
                self.keep_files(&mut next);
                // Before the status says InService, so that whoever waits for that is answered.
                self.serve(&endpoint.document.key, &next, seen);
                state.current = Some(next);
                state.failure_reason = None;
                self.move_to(endpoint, state, "InService").await
            }
            Step::Fail { reason } => {
                state.failure_reason = Some(reason.clone());
                self.move_to(endpoint, state, "Failed").await
            }
            Step::RollBack { reason } => {
                state.next = None;
                state.failure_reason = Some(reason.clone());
                self.move_to(endpoint, state, "InService").await
            }
            Step::Remove => self.remove(endpoint).await,
        }
    }

    async fn stop(&self, container: &str) -> Result<Done, PassError> {
        self.parts.runtime.stop(container).await?;
        self.memory.stopped(container);
        Ok(Done::Step)
    }

    async fn move_to(&self, endpoint: &Endpoint, state: EndpointState, status: &str) -> Result<Done, PassError> {
        let now = self.clock.now();
        let changed = endpoint.document.with_body(now, &state)?.with_status(status).with_blobs(state.digests());
        failpoint("endpoint-status-before-commit")?;
        let transaction = Transaction::new().update(changed).emit(state_event(&state.arn, status, now));
        moved(self.parts.store.commit(transaction).await)?;
        failpoint("endpoint-status-after-commit")?;
        Ok(Done::Moved)
    }

    async fn remove(&self, endpoint: &Endpoint) -> Result<Done, PassError> {
        let expect = Expect::Generation(endpoint.document.generation);
        let transaction =
            Transaction::new().delete(endpoint.document.key.clone(), expect).set_tags(&endpoint.state.arn, Vec::new());
        moved(self.parts.store.commit(transaction).await)
    }

    async fn stop_orphans(&self, endpoints: &[Endpoint], seen: &Observed) -> PassReport {
        let states: Vec<&EndpointState> = endpoints.iter().map(|endpoint| &endpoint.state).collect();
        let stops = orphans(&states, seen).into_iter().map(|step| async move {
            match &step {
                Step::Stop { container } => self.stop(container).await,
                _ => Ok(Done::Step),
            }
        });
        let mut report = PassReport::default();
        for stopped in futures_util::future::join_all(stops).await {
            match stopped {
                Ok(_) => report.changed += 1,
                Err(error) => {
                    tracing::warn!(error = chain(&*error), "a container that no endpoint wants could not be stopped");
                    report.failed += 1;
                }
            }
        }
        report
    }

    /// When there will be something to see: a container that starts, or one whose pause ends.
    fn next_look(&self, endpoints: &[Endpoint], seen: &Observed, now: Timestamp, report: &mut PassReport) {
        if report.changed > 0 {
            report.look_again(SOON);
        } else if report.failed > 0 {
            report.look_again(LATER);
        }
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.document.status != "Failed") {
            for container in wanted(&endpoint.state) {
                if let Some(until) = self.memory.paused_until(&container, now) {
                    report.look_again(Duration::from_millis(until.millis().abs_diff(now.millis())));
                } else if seen.containers.get(&container) == Some(&ContainerState::Starting) {
                    let since = seen.started.get(&container).copied().unwrap_or(now);
                    let young = now.millis() - since.millis() < JUST_STARTED_MILLIS;
                    report.look_again(if young { SOON } else { SLOW });
                }
            }
        }
    }
}

fn wanted(state: &EndpointState) -> Vec<String> {
    let deployments = [&state.current, &state.next].into_iter().flatten();
    deployments.flat_map(|deployment: &Deployment| deployment.containers().into_keys()).collect()
}

/// The variants whose files no document names yet, each by its first container.
fn unnamed(state: &EndpointState) -> Vec<String> {
    let mut found = Vec::new();
    for deployment in [&state.current, &state.next].into_iter().flatten() {
        let variants = deployment.variants.iter().enumerate().filter(|(_, variant)| variant.files.is_none());
        found.extend(variants.filter_map(|(index, _)| deployment.containers_of(index).into_iter().next()));
    }
    found
}

/// Somebody else changed the document since this pass read it: the next pass sees that and plans anew.
fn moved(result: Result<(), StoreError>) -> Result<Done, PassError> {
    match result {
        Err(error) if !error.is_conflict() => Err(error.into()),
        _ => Ok(Done::Moved),
    }
}

fn add(report: &mut PassReport, part: PassReport) {
    report.examined += part.examined;
    report.changed += part.changed;
    report.failed += part.failed;
}

#[async_trait]
impl Reconciler for EndpointReconciler {
    fn name(&self) -> &'static str {
        "sagemaker.endpoint"
    }

    async fn pass(&self) -> Result<PassReport, PassError> {
        let now = self.clock.now();
        let (mut endpoints, unreadable) = self.endpoints().await?;
        let seen = self.observe(&endpoints, now).await?;
        // Before anything is stopped, so that no invocation is sent to what is about to go.
        self.publish(&endpoints, &seen);
        let mut report = PassReport { failed: unreadable, ..PassReport::default() };
        let work: Vec<_> = endpoints.iter().map(|endpoint| self.advance(endpoint, &seen, now)).collect();
        let mut work = stream::iter(work).buffer_unordered(AT_ONCE);
        while let Some(part) = work.next().await {
            add(&mut report, part);
        }
        drop(work);
        // Of an endpoint that cannot be read it is not known which containers it wants.
        if unreadable == 0 {
            add(&mut report, self.stop_orphans(&endpoints, &seen).await);
        }
        if report.changed > 0 {
            // Read again: what was promoted in this pass serves from now on.
            endpoints = self.endpoints().await?.0;
            self.publish(&endpoints, &seen);
        }
        self.next_look(&endpoints, &seen, self.clock.now(), &mut report);
        Ok(report)
    }
}
