//! The plan: from what is wanted and seen to steps.

use std::collections::{BTreeMap, BTreeSet};

use stoa_models_sagemaker::types::ContainerDefinition;
use stoa_runtime::ContainerState::{Exited, Healthy, Starting};
use stoa_types::Timestamp;

use super::memory::Memory;
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
        execution_role_arn: None,
        health_timeout_seconds: 60,
        files: None,
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
    let containers: BTreeMap<_, _> = containers.collect();
    let started = containers.keys().map(|name| (name.clone(), Timestamp::from_millis(500))).collect();
    Observed { containers, started, paused: BTreeSet::new() }
}

fn start(name: &str) -> Step {
    Step::Start { container: name.to_owned() }
}

fn stop(name: &str) -> Step {
    Step::Stop { container: name.to_owned() }
}

fn replace(name: &str) -> Step {
    Step::Replace { container: name.to_owned() }
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
    let late = Timestamp::from_millis(60_501);
    assert!(matches!(plan("Creating", &state, &seen(&[("n-0-0", Starting)]), late).as_slice(), [Step::Fail { .. }]));
    assert_eq!(plan("Creating", &state, &seen(&[("n-0-0", Starting)]), Timestamp::from_millis(60_500)), []);
}

#[test]
fn in_service_is_kept_running() {
    let state = endpoint(Some(deployment("c", 2)), None);
    assert_eq!(plan("InService", &state, &seen(&[("c-0-0", Healthy)]), NOW), [start("c-0-1")]);
    let ended = Exited { code: 137, last_output: String::new() };
    assert_eq!(plan("InService", &state, &seen(&[("c-0-0", Healthy), ("c-0-1", ended)]), NOW), [replace("c-0-1")]);
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

#[test]
fn a_container_that_kept_ending_waits() {
    let mut observed = seen(&[]);
    observed.paused.insert("c-0-0".to_owned());
    assert_eq!(plan("InService", &endpoint(Some(deployment("c", 2)), None), &observed, NOW), [start("c-0-1")]);
    observed.paused.insert("n-0-0".to_owned());
    assert_eq!(plan("Creating", &endpoint(None, Some(deployment("n", 1))), &observed, NOW), []);
}

#[test]
fn the_time_before_the_start_does_not_count_as_too_slow() {
    // The server was down for an hour while the endpoint was being created.
    let state = endpoint(None, Some(deployment("n", 1)));
    let mut observed = seen(&[("n-0-0", Starting)]);
    let hour = Timestamp::from_millis(3_600_000);
    observed.started.insert("n-0-0".to_owned(), hour);
    assert_eq!(plan("Creating", &state, &observed, hour), []);
}

#[test]
fn pauses_double_to_a_minute_and_begin_anew_after_a_steady_time() {
    let memory = Memory::default();
    let mut now = NOW;
    let mut pauses = Vec::new();
    for count in 1..=8 {
        assert_eq!(memory.failed("c", now), count);
        let until = memory.paused_until("c", now).unwrap();
        pauses.push((until.millis() - now.millis()) / 1000);
        assert_eq!(memory.paused_until("c", until), None);
        now = until;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(memory.failed("c", Timestamp::from_millis(now.millis() + 600_000)), 1);
    memory.retain(&BTreeSet::new(), &BTreeSet::new());
    assert_eq!(memory.paused_until("c", now), None);
}
