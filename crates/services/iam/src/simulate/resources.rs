//! `ResourceHandlingOption`: RunInstances is decided over all the resources that an instance is made of at once.

use stoa_kernel::ApiError;
use stoa_models_iam::types::{EvaluationResult, PolicyEvaluationDecisionType as Decision, ResourceSpecificResult};

use crate::error::invalid_input;

/// The types of resources that each option asks for.
fn types_of(option: &str) -> Option<&'static [&'static str]> {
    Some(match option {
        "EC2-Classic-InstanceStore" => &["instance", "image", "security-group"],
        "EC2-Classic-EBS" => &["instance", "image", "security-group", "volume"],
        "EC2-VPC-InstanceStore" => &["instance", "image", "security-group", "network-interface"],
        "EC2-VPC-InstanceStore-Subnet" => &["instance", "image", "security-group", "network-interface", "subnet"],
        "EC2-VPC-EBS" => &["instance", "image", "security-group", "network-interface", "volume"],
        "EC2-VPC-EBS-Subnet" => &["instance", "image", "security-group", "network-interface", "subnet", "volume"],
        _ => return None,
    })
}

/// The resource type in an EC2 ARN.
fn type_in(arn: &str) -> &str {
    arn.splitn(6, ':').nth(5).and_then(|resource| resource.split('/').next()).unwrap_or_default()
}

/// The worst of the decisions: an explicit deny, else an implicit one.
fn worst(results: &[EvaluationResult]) -> Decision {
    let any = |decision: Decision| results.iter().any(|result| result.eval_decision == decision);
    if any(Decision::ExplicitDeny) {
        Decision::ExplicitDeny
    } else if any(Decision::ImplicitDeny) {
        Decision::ImplicitDeny
    } else {
        Decision::Allowed
    }
}

fn specific(result: EvaluationResult) -> ResourceSpecificResult {
    ResourceSpecificResult {
        eval_resource_name: result.eval_resource_name.unwrap_or_default(),
        eval_resource_decision: result.eval_decision,
        matched_statements: result.matched_statements,
        missing_context_values: result.missing_context_values,
        eval_decision_details: result.eval_decision_details,
        permissions_boundary_decision_detail: result.permissions_boundary_decision_detail,
    }
}

/// One result over all resources of an action.
pub(super) fn together(
    option: &str,
    action: &str,
    results: Vec<EvaluationResult>,
) -> Result<EvaluationResult, ApiError> {
    let types = types_of(option).ok_or_else(|| invalid_input(format!("Invalid ResourceHandlingOption: {option}")))?;
    if !action.eq_ignore_ascii_case("ec2:RunInstances") {
        return Err(invalid_input(format!("ResourceHandlingOption {option} is for ec2:RunInstances, not {action}.")));
    }
    let has = |wanted: &&&str| {
        let names = results.iter().filter_map(|result| result.eval_resource_name.as_deref());
        names.map(type_in).any(|found| found == **wanted)
    };
    if let Some(missing) = types.iter().find(|wanted| !has(wanted)) {
        return Err(invalid_input(format!("ResourceHandlingOption {option} asks for a resource of type {missing}.")));
    }
    let eval_decision = worst(&results);
    let first = results.first().cloned();
    Ok(EvaluationResult {
        eval_action_name: action.to_owned(),
        eval_resource_name: Some("*".to_owned()),
        eval_decision,
        matched_statements: Some(Vec::new()),
        missing_context_values: Some(Vec::new()),
        organizations_decision_detail: first.and_then(|first| first.organizations_decision_detail),
        permissions_boundary_decision_detail: None,
        eval_decision_details: None,
        resource_specific_results: Some(results.into_iter().map(specific).collect()),
    })
}
