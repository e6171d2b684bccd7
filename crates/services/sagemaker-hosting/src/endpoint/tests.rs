//! The plan: from what is wanted and seen to steps.

use std::collections::BTreeMap;

use stoa_models_sagemaker::types::ContainerDefinition;
use stoa_runtime::ContainerState::{Exited, Healthy, Starting};
use stoa_types::Timestamp;

use super::plan::{Observed, Step, orphans, plan};
use super::{Deployment, EndpointState, Variant};

fn deployment(id: &str, instances: u32) -> Deployment {
    let variant = Variant {
        name: "AllTraffic".to_owned(),
        weight: 1.0,
        instances,
        instance_type: "ml.m5.large".to_owned(),
        container: ContainerDefinition::default(),
        network_isolation: true,
        health_timeout_seconds: 60,
    };
    Deployment {
        id: id.to_owned(),
        config_name: "config".to_owned(),
        variants: vec![variant],
        started: Timestamp::from_millis(0),
    }
}

fn endpoint(current: Option<Deployment>, next: Option<Deployment>) -> EndpointState {
    EndpointState { arn: "arn".to_owned(), current, next, failure_reason: None }
}

fn seen(containers: &[(&str, stoa_runtime::ContainerState)]) -> Observed {
    let containers = containers.iter().map(|(name, state)| ((*name).to_owned(), state.clone()));
    Observed { containers: containers.collect::<BTreeMap<_, _>>() }
}

fn start(name: &str) -> Step {
    Step::Start { container: name.to_owned() }
}

fn stop(name: &str) -> Step {
    Step::Stop { container: name.to_owned() }
}

const NOW: Timestamp = Timestamp::from_millis(1000);

#[test]
fn creating_starts_waits_and_promotes() {
    let state = endpoint(None, Some(deployment("n", 2)));
    assert_eq!(plan("Creating", &state, &seen(&[]), NOW), [start("n-0-0"), start("n-0-1")]);
    assert_eq!(plan("Creating", &state, &seen(&[("n-0-0", Healthy), ("n-0-1", Starting)]), NOW), []);
    assert_eq!(plan("Creating", &state, &seen(&[("n-0-0", Healthy), ("n-0-1", Healthy)]), NOW), [Step::Promote]);
}

#[test]
fn a_container_that_ends_fails_the_creation_and_says_why() {
    let state = endpoint(None, Some(deployment("n", 2)));
    let ended = Exited { code: 3, last_output: "no model.onnx".to_owned() };
    let steps = plan("Creating", &state, &seen(&[("n-0-1", ended)]), NOW);
    let [Step::Fail { reason }] = steps.as_slice() else { panic!("{steps:?}") };
    assert!(reason.contains("status 3") && reason.contains("no model.onnx") && reason.contains("AllTraffic"));
}

#[test]
fn a_container_that_is_too_slow_fails_the_creation() {
    let state = endpoint(None, Some(deployment("n", 1)));
    let late = Timestamp::from_millis(60_001);
    assert!(matches!(plan("Creating", &state, &seen(&[("n-0-0", Starting)]), late).as_slice(), [Step::Fail { .. }]));
    assert_eq!(plan("Creating", &state, &seen(&[("n-0-0", Starting)]), Timestamp::from_millis(60_000)), []);
}

#[test]
fn in_service_is_kept_running() {
    let state = endpoint(Some(deployment("c", 2)), None);
    assert_eq!(plan("InService", &state, &seen(&[("c-0-0", Healthy)]), NOW), [start("c-0-1")]);
    let ended = Exited { code: 137, last_output: String::new() };
    assert_eq!(plan("InService", &state, &seen(&[("c-0-0", Healthy), ("c-0-1", ended)]), NOW), [stop("c-0-1")]);
    assert_eq!(plan("InService", &state, &seen(&[("c-0-0", Healthy), ("c-0-1", Starting)]), NOW), []);
}

#[test]
fn an_update_runs_beside_what_serves_and_rolls_back_on_failure() {
    let state = endpoint(Some(deployment("c", 1)), Some(deployment("n", 1)));
    assert_eq!(plan("Updating", &state, &seen(&[("c-0-0", Healthy)]), NOW), [start("n-0-0")]);
    let both = seen(&[("c-0-0", Healthy), ("n-0-0", Healthy)]);
    assert_eq!(plan("Updating", &state, &both, NOW), [Step::Promote]);
    let ended = Exited { code: 1, last_output: String::new() };
    let failed = seen(&[("c-0-0", Healthy), ("n-0-0", ended)]);
    assert!(matches!(plan("Updating", &state, &failed, NOW).as_slice(), [Step::RollBack { .. }]));
}

#[test]
fn deleting_stops_first_and_removes_last() {
    let state = endpoint(Some(deployment("c", 1)), None);
    assert_eq!(plan("Deleting", &state, &seen(&[("c-0-0", Healthy)]), NOW), [stop("c-0-0")]);
    assert_eq!(plan("Deleting", &state, &seen(&[]), NOW), [Step::Remove]);
}

#[test]
fn failed_keeps_nothing_running() {
    let state = endpoint(None, Some(deployment("n", 2)));
    assert_eq!(plan("Failed", &state, &seen(&[("n-0-0", Starting)]), NOW), [stop("n-0-0")]);
    assert_eq!(plan("Failed", &state, &seen(&[]), NOW), []);
}

#[test]
fn what_no_endpoint_wants_is_stopped() {
    let state = endpoint(Some(deployment("c", 1)), None);
    let observed = seen(&[("c-0-0", Healthy), ("old-0-0", Healthy)]);
    assert_eq!(orphans(&[&state], &observed), [stop("old-0-0")]);
}
