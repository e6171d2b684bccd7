//! Makes endpoints true: starts, watches and stops containers, and moves the status along.
//!
//! A crash at any line is repaired by the next pass: containers die with the server, starting is idempotent by name,
//! and every change of status is written with a generation check.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use async_trait::async_trait;
use stoa_kernel::ApiError;
use stoa_kernel::ports::ImageCommand;
use stoa_runtime::{ContainerSpec, ContainerState};
use stoa_sagemaker_common::instance_type;
use stoa_store::{Document, Expect, Query, StoreError, Transaction};
use stoa_types::{Clock, Timestamp};
use stoa_work::{PassError, PassReport, Reconciler, failpoint};

use super::create::state_event;
use super::plan::{Observed, Step, orphans, plan};
use super::{Deployment, EndpointState, KIND, Serving, ServingVariant, Variant};
use crate::data;
use crate::service::HostingParts;

/// How soon to look again at an endpoint on its way.
const SOON: Duration = Duration::from_millis(10);
/// How soon to try again what failed.
const LATER: Duration = Duration::from_secs(1);

/// The reconciler of endpoints.
pub struct EndpointReconciler {
    parts: HostingParts,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for EndpointReconciler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EndpointReconciler")
    }
}

struct Endpoint {
    document: Arc<Document>,
    state: EndpointState,
}

impl EndpointReconciler {
    /// The reconciler over the service's ports.
    pub fn new(parts: HostingParts, clock: Arc<dyn Clock>) -> EndpointReconciler {
        EndpointReconciler { parts, clock }
    }

    async fn endpoints(&self) -> Result<Vec<Endpoint>, PassError> {
        let mut query = Query::of(KIND).limit(1000);
        let mut all = Vec::new();
        loop {
            let page = self.parts.store.query(&query).await?;
            for document in page.documents {
                let state = document.decode()?;
                all.push(Endpoint { document, state });
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(all),
            }
        }
    }

    async fn observe(&self) -> Result<Observed, PassError> {
        let listed = self.parts.runtime.list().await?;
        Ok(Observed { containers: listed.into_iter().map(|container| (container.name, container.state)).collect() })
    }

    async fn execute(&self, endpoint: &Endpoint, step: &Step) -> Result<(), PassError> {
        match step {
            Step::Start { container } => self.start(endpoint, container).await,
            Step::Stop { container } => Ok(self.parts.runtime.stop(container).await?),
            Step::Promote => {
                let mut state = endpoint.state.clone();
                state.current = state.next.take();
                state.failure_reason = None;
                self.move_to(endpoint, state, "InService").await
            }
            Step::Fail { reason } => {
                let mut state = endpoint.state.clone();
                state.failure_reason = Some(reason.clone());
                self.move_to(endpoint, state, "Failed").await
            }
            Step::RollBack { reason } => {
                let mut state = endpoint.state.clone();
                state.next = None;
                state.failure_reason = Some(reason.clone());
                self.move_to(endpoint, state, "InService").await
            }
            Step::Remove => self.remove(endpoint).await,
        }
    }

    async fn move_to(&self, endpoint: &Endpoint, state: EndpointState, status: &str) -> Result<(), PassError> {
        let now = self.clock.now();
        let changed = endpoint.document.with_body(now, &state)?.with_status(status);
        failpoint("endpoint-status-before-commit")?;
        let transaction = Transaction::new().update(changed).emit(state_event(&state.arn, status, now));
        ignore_conflict(self.parts.store.commit(transaction).await)
    }

    async fn remove(&self, endpoint: &Endpoint) -> Result<(), PassError> {
        let expect = Expect::Generation(endpoint.document.generation);
        let transaction =
            Transaction::new().delete(endpoint.document.key.clone(), expect).set_tags(&endpoint.state.arn, Vec::new());
        ignore_conflict(self.parts.store.commit(transaction).await)
    }

    /// Starts a container. What will never work (unknown image, missing data) fails the endpoint; the rest is tried
    /// again.
    async fn start(&self, endpoint: &Endpoint, container: &str) -> Result<(), PassError> {
        let Some(variant) = variant_of(&endpoint.state, container) else { return Ok(()) };
        let spec = match self.spec(container, variant).await {
            Ok(spec) => spec,
            Err(error) if error.sender() => return self.give_up(endpoint, error.message()).await,
            Err(error) => return Err(error.into()),
        };
        failpoint("container-before-start")?;
        self.parts.runtime.start(&spec).await?;
        failpoint("container-after-start")?;
        Ok(())
    }

    async fn give_up(&self, endpoint: &Endpoint, reason: &str) -> Result<(), PassError> {
        let reason = reason.to_owned();
        let step = match (&endpoint.state.current, &endpoint.state.next) {
            (Some(_), None) => return Err(reason.into()),
            (Some(_), Some(_)) => Step::RollBack { reason },
            (None, _) => Step::Fail { reason },
        };
        Box::pin(self.execute(endpoint, &step)).await
    }

    async fn spec(&self, name: &str, variant: &Variant) -> Result<ContainerSpec, ApiError> {
        let image = variant.container.image.as_deref().unwrap_or_default();
        let image = match self.parts.images.resolve(image) {
            Some(ImageCommand::BuiltIn { program }) => program,
            Some(ImageCommand::Container { reference }) => reference,
            None => return Err(ApiError::validation(format!("The image {image} is not known at this site."))),
        };
        let size = instance_type(&variant.instance_type).ok_or_else(|| {
            ApiError::validation(format!("The instance type {} is not offered at this site.", variant.instance_type))
        })?;
        Ok(ContainerSpec {
            name: name.to_owned(),
            image,
            environment: variant.container.environment.clone().unwrap_or_default(),
            model_files: self.model_files(variant).await?,
            memory_mib: size.memory_mib(),
            cpu_millis: size.cpu_millis(),
            network_isolation: variant.network_isolation,
        })
    }

    async fn model_files(&self, variant: &Variant) -> Result<Vec<(String, std::path::PathBuf)>, ApiError> {
        let Some(source) = data::source_of(&variant.container)? else { return Ok(Vec::new()) };
        let files = data::files(&*self.parts.objects, &self.parts.blobs, &source).await?;
        let mut local = Vec::with_capacity(files.len());
        for file in files {
            let path = self.parts.blobs.local_path(&file.digest).await.map_err(ApiError::internal)?;
            let path = path.ok_or_else(|| ApiError::internal(format!("blob {} has no local file", file.digest.as_str())))?;
            local.push((file.path, path));
        }
        Ok(local)
    }

    /// Publishes what serves now, for invocations.
    fn publish(&self, endpoints: &[Endpoint], seen: &Observed) {
        let before = self.parts.serving.load();
        let mut serving = HashMap::new();
        for endpoint in endpoints {
            let Some(current) = &endpoint.state.current else { continue };
            if endpoint.document.status == "Deleting" {
                continue;
            }
            let variants = healthy(current, seen);
            let key = endpoint.document.key.clone();
            let unchanged = before.get(&key).filter(|old| same_containers(old, &variants));
            let entry = unchanged.cloned().unwrap_or_else(|| Arc::new(serving_of(variants)));
            serving.insert(key, entry);
        }
        self.parts.serving.store(Arc::new(serving));
    }
}

fn healthy(deployment: &Deployment, seen: &Observed) -> Vec<ServingVariant> {
    let is_healthy = |name: &String| seen.containers.get(name) == Some(&ContainerState::Healthy);
    let variant = |(index, variant): (usize, &Variant)| ServingVariant {
        name: variant.name.clone(),
        weight: variant.weight,
        instances: deployment.containers_of(index).into_iter().filter(is_healthy).collect(),
        turn: AtomicU64::new(0),
    };
    deployment.variants.iter().enumerate().map(variant).collect()
}

fn same_containers(old: &Serving, new: &[ServingVariant]) -> bool {
    old.variants.len() == new.len()
        && old.variants.iter().zip(new).all(|(a, b)| a.instances == b.instances && a.name == b.name)
}

fn serving_of(variants: Vec<ServingVariant>) -> Serving {
    Serving { variants, turn: AtomicU64::new(0) }
}

fn variant_of<'a>(state: &'a EndpointState, container: &str) -> Option<&'a Variant> {
    let deployments = [&state.current, &state.next];
    deployments.into_iter().flatten().find_map(|deployment| deployment.containers().remove(container))
}

/// Somebody else changed the document since this pass read it: the next pass sees that and plans anew.
fn ignore_conflict(result: Result<(), StoreError>) -> Result<(), PassError> {
    match result {
        Err(error) if !error.is_conflict() => Err(error.into()),
        _ => Ok(()),
    }
}

#[async_trait]
impl Reconciler for EndpointReconciler {
    fn name(&self) -> &'static str {
        "sagemaker.endpoint"
    }

    async fn pass(&self) -> Result<PassReport, PassError> {
        let endpoints = self.endpoints().await?;
        let seen = self.observe().await?;
        let now = self.clock.now();
        let mut report = PassReport { examined: endpoints.len() as u64, ..PassReport::default() };
        for endpoint in &endpoints {
            self.advance(endpoint, &seen, now, &mut report).await;
        }
        let states: Vec<&EndpointState> = endpoints.iter().map(|endpoint| &endpoint.state).collect();
        for step in orphans(&states, &seen) {
            if let Step::Stop { container } = step {
                self.parts.runtime.stop(&container).await?;
                report.changed += 1;
            }
        }
        // Read again: what was promoted in this pass serves from now on.
        let endpoints = if report.changed > 0 { self.endpoints().await? } else { endpoints };
        self.publish(&endpoints, &seen);
        if report.changed > 0 || endpoints.iter().any(in_transition) || unhealthy(&endpoints, &seen) {
            report.look_again(SOON);
        }
        Ok(report)
    }
}

impl EndpointReconciler {
    async fn advance(&self, endpoint: &Endpoint, seen: &Observed, now: Timestamp, report: &mut PassReport) {
        for step in plan(&endpoint.document.status, &endpoint.state, seen, now) {
            match self.execute(endpoint, &step).await {
                Ok(()) => report.changed += 1,
                Err(error) => {
                    let arn = &endpoint.state.arn;
                    tracing::warn!(endpoint = %arn, step = ?step, error = %error, "a step for an endpoint failed");
                    report.failed += 1;
                    report.look_again(LATER);
                    return;
                }
            }
        }
    }
}

fn in_transition(endpoint: &Endpoint) -> bool {
    matches!(endpoint.document.status.as_str(), "Creating" | "Updating" | "Deleting")
}

fn unhealthy(endpoints: &[Endpoint], seen: &Observed) -> bool {
    let wanted = endpoints.iter().filter_map(|endpoint| endpoint.state.current.as_ref());
    let mut names: BTreeMap<String, ()> = BTreeMap::new();
    for deployment in wanted {
        names.extend(deployment.containers().into_keys().map(|name| (name, ())));
    }
    names.keys().any(|name| seen.containers.get(name) != Some(&ContainerState::Healthy))
}
