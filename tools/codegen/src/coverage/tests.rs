//! Every key that the authorization facts name is set, or has a written reason; no rule and no reason is left over.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Row, State, of, of_served};
use crate::authz::Authz;
use crate::derive::has_facts;
use crate::plan::{Operation, Plan, Service};

fn plan() -> Plan {
    Plan::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../facts")).unwrap()
}

fn rows(plan: &Plan) -> Vec<(&Service, String, Vec<Row>)> {
    let mut all = Vec::new();
    for service in &plan.services {
        for operation in service.operations.iter().filter(|operation| operation.implemented || operation.decided) {
            all.push((service, operation.name.clone(), of(service, operation, &plan.known)));
        }
        all.extend(of_served(service, &plan.known).into_iter().map(|(name, rows)| (service, name, rows)));
    }
    all
}

#[test]
fn no_operation_sets_fewer_keys_than_the_facts_name_without_a_reason() {
    let plan = plan();
    let mut missing = Vec::new();
    for (service, operation, rows) in rows(&plan) {
        for row in rows.iter().filter(|row| row.state == State::Missing) {
            let what = if row.key.is_empty() { "the dependent action" } else { &row.key };
            missing.push(format!("{}:{operation}: {what} of {}", service.name, row.action));
        }
    }
    let help =
        "set the key (a [[keys]] rule, `keys`, or hand-written targets and `custom_keys`), or say why not ([[absent]])";
    assert!(missing.is_empty(), "{help}:\n{}", missing.join("\n"));
}

#[test]
fn every_reason_and_every_rule_is_used() {
    let plan = plan();
    let all = rows(&plan);
    for service in &plan.services {
        let of_service = || all.iter().filter(|(of, ..)| of.name == service.name).flat_map(|(.., rows)| rows);
        let reasons: BTreeSet<&str> = of_service()
            .filter_map(|row| if let State::Absent(why) = &row.state { Some(why.as_str()) } else { None })
            .collect();
        for absent in &service.overlay.absent {
            assert!(
                reasons.contains(absent.why.as_str()),
                "{}: nothing needs the reason {:?}",
                service.name,
                absent.why
            );
        }
        for (name, operation) in &service.overlay.operations {
            for why in operation.absent.values() {
                assert!(reasons.contains(why.as_str()), "{}: {name}: nothing needs the reason {why:?}", service.name);
            }
        }
        for rule in service.overlay.keys.iter().filter(|rule| !rule.from.is_empty()) {
            for source in &rule.from {
                let used = of_service().any(|row| match &row.state {
                    State::Set(shown) => rule.key.contains(&row.key) && shown.split('|').any(|one| one == source),
                    _ => false,
                });
                assert!(used, "{}: nothing comes from {source} for {:?}", service.name, rule.key);
            }
        }
        let bound = targets(service).map(|(_, target)| target.resource.as_str()).collect::<Vec<_>>().join(" ");
        for (placeholder, members) in &service.overlay.members {
            for member in members.iter().filter(|member| *member != "*") {
                assert!(bound.contains(&format!("{{{member}")), "{}: {member} is never {placeholder}", service.name);
            }
        }
    }
}

fn targets(service: &Service) -> impl Iterator<Item = (&Operation, &crate::authz::Target)> {
    service.operations.iter().flat_map(|operation| match &operation.authz {
        Authz::Targets(targets) => targets.iter().map(|target| (operation, target)).collect::<Vec<_>>(),
        Authz::None { .. } | Authz::Unsigned { .. } | Authz::Custom => Vec::new(),
    })
}

/// INVARIANT: whatever a request leaves out, its own action is among the targets.
#[test]
fn an_operations_own_action_is_always_decided() {
    for service in plan().services {
        for operation in &service.operations {
            let Authz::Targets(targets) = &operation.authz else { continue };
            let own = format!("{}:{}", service.action_prefix, operation.name);
            let always = |target: &&crate::authz::Target| target.when.is_none();
            let is_own = targets.iter().filter(always).any(|target| target.action == own);
            assert!(is_own || operation.implemented, "{}: {}", service.name, operation.name);
            assert!(targets.iter().any(|target| target.when.is_none()), "{}: {}", service.name, operation.name);
        }
    }
}

#[test]
fn every_sagemaker_operation_with_facts_is_decided() {
    let plan = plan();
    let service = plan.services.iter().find(|service| service.name == "sagemaker").unwrap();
    let mut decided = 0;
    for operation in &service.operations {
        if has_facts(&plan.known, "sagemaker", &operation.name) {
            assert!(operation.implemented || operation.decided, "{}", operation.name);
            decided += usize::from(operation.decided);
        }
    }
    assert!(decided > 250, "{decided}");
}

fn shown(operation: &str) -> Vec<String> {
    let plan = plan();
    let service = plan.services.iter().find(|service| service.name == "sagemaker").unwrap();
    let found = targets(service).filter(|(of, _)| of.name == operation);
    found
        .map(|(_, target)| {
            format!(
                "{} {}",
                target.action,
                target.resource.replace("arn:{partition}:sagemaker:{region}:{account}:", "")
            )
        })
        .collect()
}

/// What is derived, by example: the places where the rules could go wrong.
#[test]
fn what_is_derived() {
    for (operation, wanted) in [
        (
            "CreateTrial",
            vec![
                "sagemaker:CreateTrial experiment/{ExperimentName}",
                "sagemaker:CreateTrial experiment-trial/{TrialName}",
                "sagemaker:AddTags experiment-trial/{TrialName}",
            ],
        ),
        (
            "CreateTrainingJob",
            vec![
                "sagemaker:CreateTrainingJob training-job/{TrainingJobName}",
                "sagemaker:CreateTrainingJob {ResourceConfig.TrainingPlanArn}",
                "sagemaker:AddTags training-job/{TrainingJobName}",
                "iam:PassRole {RoleArn}",
            ],
        ),
        (
            "CreateApp",
            vec![
                "sagemaker:CreateApp app/{DomainId}/{UserProfileName|SpaceName}/{AppType}/{AppName}",
                "sagemaker:AddTags app/{DomainId}/{UserProfileName|SpaceName}/{AppType}/{AppName}",
            ],
        ),
        ("DescribeCluster", vec!["sagemaker:DescribeCluster cluster/{ClusterName?}"]),
        ("DescribeModelCardExportJob", vec!["sagemaker:DescribeModelCardExportJob {ModelCardExportJobArn}"]),
        ("DeregisterDevices", vec!["sagemaker:DeregisterDevices device-fleet/{DeviceFleetName}/device/{DeviceNames}"]),
        (
            "CreateComputeQuota",
            vec![
                "sagemaker:CreateComputeQuota {ClusterArn}",
                "sagemaker:CreateComputeQuota compute-quota/*",
                "sagemaker:AddTags compute-quota/*",
                "sagemaker:DescribeCluster {ClusterArn}",
            ],
        ),
    ] {
        assert_eq!(shown(operation), wanted, "{operation}");
    }
}

#[test]
fn every_place_that_names_an_instance_type_counts() {
    let plan = plan();
    let service = plan.services.iter().find(|service| service.name == "sagemaker").unwrap();
    let from = |operation: &str| {
        let found = targets(service).find(|(of, _)| of.name == operation).unwrap().1;
        found.keys.iter().find(|key| key.key == "sagemaker:InstanceTypes").unwrap().from.clone()
    };
    for (operation, path) in [
        ("CreateTrainingJob", "ResourceConfig.InstanceGroups[].InstanceType"),
        (
            "CreateHyperParameterTuningJob",
            "TrainingJobDefinitions[].HyperParameterTuningResourceConfig.InstanceConfigs[].InstanceType",
        ),
        ("CreateEndpointConfig", "ShadowProductionVariants[].InstancePools[].InstanceType"),
        ("CreateApp", "=system"),
        ("CreateUserProfile", "=system"),
    ] {
        assert!(from(operation).split('|').any(|one| one == path), "{operation}: {}", from(operation));
    }
    assert!(!from("UpdateDomain").contains("=system"), "an update that names none changes none");
}
