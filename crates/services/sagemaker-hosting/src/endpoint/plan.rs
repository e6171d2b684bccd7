//! What to do for one endpoint, from what is wanted and what is seen. Pure: the executor decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use stoa_runtime::ContainerState;
use stoa_types::Timestamp;

use super::state::{Deployment, EndpointState};

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Start this container of the current or the next deployment.
    Start { container: String },
    /// Stop this container, which nothing wants any more.
    Stop { container: String },
    /// Stop this container, which ended or says that it never serves; after a pause a later pass starts it again.
    Replace { container: String },
    /// The next deployment is healthy: it becomes the current one, and the endpoint InService.
    Promote,
    /// The endpoint could not be created: Failed, with the reason.
    Fail { reason: String },
    /// The update could not be made: the current deployment goes on, InService, with the reason.
    RollBack { reason: String },
    /// Nothing of the endpoint runs any more: its document goes.
    Remove,
}

/// What is seen.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// The containers' states by name.
    pub containers: BTreeMap<String, ContainerState>,
    /// When those that run were started, or first seen by this server.
    pub started: BTreeMap<String, Timestamp>,
    /// Those that must not be started again yet, since they kept ending.
    pub paused: BTreeSet<String>,
}

impl Observed {
    fn may_start(&self, container: &str) -> bool {
        !self.paused.contains(container)
    }
}

/// The steps for one endpoint in this status.
pub(crate) fn plan(status: &str, state: &EndpointState, seen: &Observed, now: Timestamp) -> Vec<Step> {
    match status {
        "Deleting" => {
            let running = of_endpoint(state, seen);
            if running.is_empty() { vec![Step::Remove] } else { stops(running) }
        }
        "Failed" => stops(of_endpoint(state, seen)),
        _ => {
            let mut steps = Vec::new();
            if let Some(current) = &state.current {
                keep_running(current, seen, &mut steps);
            }
            if let Some(next) = &state.next {
                bring_up(next, state.current.is_some(), seen, now, &mut steps);
            }
            steps
        }
    }
}

/// Containers that no endpoint wants.
pub(crate) fn orphans(wanted: &[&EndpointState], seen: &Observed) -> Vec<Step> {
    let mut names = BTreeSet::new();
    for state in wanted {
        for deployment in [&state.current, &state.next].into_iter().flatten() {
            names.extend(deployment.containers().into_keys());
        }
    }
    stops(seen.containers.keys().filter(|name| !names.contains(*name)).cloned().collect())
}

fn of_endpoint(state: &EndpointState, seen: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    for deployment in [&state.current, &state.next].into_iter().flatten() {
        found.extend(deployment.containers().into_keys().filter(|name| seen.containers.contains_key(name)));
    }
    found
}

fn stops(names: Vec<String>) -> Vec<Step> {
    names.into_iter().map(|container| Step::Stop { container }).collect()
}

/// A serving deployment: what is missing is started, what ended is started again.
fn keep_running(deployment: &Deployment, seen: &Observed, steps: &mut Vec<Step>) {
    for container in deployment.containers().into_keys() {
        match seen.containers.get(&container) {
            None if seen.may_start(&container) => steps.push(Step::Start { container }),
            Some(ContainerState::Exited { .. } | ContainerState::Unhealthy { .. }) => {
                steps.push(Step::Replace { container });
            }
            None | Some(ContainerState::Starting | ContainerState::Healthy) => {}
        }
    }
}

/// A deployment on its way: all healthy is done, one ended or too slow is a failure.
fn bring_up(next: &Deployment, replaces: bool, seen: &Observed, now: Timestamp, steps: &mut Vec<Step>) {
    let mut healthy = true;
    for (container, variant) in next.containers() {
        let failure = match seen.containers.get(&container) {
            None => {
                healthy = false;
                if seen.may_start(&container) {
                    steps.push(Step::Start { container });
                }
                continue;
            }
            Some(ContainerState::Healthy) => continue,
            Some(ContainerState::Starting) => {
                healthy = false;
                let limit = i64::from(variant.health_timeout_seconds) * 1000;
                let since = seen.started.get(&container).copied().unwrap_or(now);
                let waited = now.millis() - since.millis();
                (waited > limit).then(|| {
                    format!(
                        "The primary container for production variant {} did not pass the ping health check within {} \
                         seconds.",
                        variant.name, variant.health_timeout_seconds
                    )
                })
            }
            Some(ContainerState::Unhealthy { reason }) => Some(format!(
                "The primary container for production variant {} did not pass the ping health check: {reason}",
                variant.name
            )),
            Some(ContainerState::Exited { code, last_output }) => Some(format!(
                "The primary container for production variant {} ended with status {code} before it passed the ping \
                 health check. Its last output: {last_output}",
                variant.name
            )),
        };
        if let Some(reason) = failure {
            steps.clear();
            steps.push(if replaces { Step::RollBack { reason } } else { Step::Fail { reason } });
            return;
        }
    }
    if healthy {
        steps.push(Step::Promote);
    }
}
