//! Rules about `Resource` and `NotResource`.

use super::actions::{is_all, meant};
use super::catalog::{ActionFacts, Catalog, ServiceFacts};
use super::overlap::ArnShape;
use super::read::{Policy, Read, Text};
use super::{Code, Report};
use crate::Slot;
use crate::glob::Pattern;
use crate::statement::Resources;

/// Resources of one statement that are looked at.
const MOST_RESOURCES: usize = 100;

pub(super) fn check(policy: &Policy, statement: &Read, catalog: &Catalog, report: &mut Report) {
    if statement.allows() && matches!(statement.parsed.resources, Resources::AllBut(_)) {
        let message = "Allow with NotResource allows every resource that is not listed".to_owned();
        report.add(Code::NotResourceAllow, statement.sid(), &statement.at("NotResource"), message);
    }
    let patterns = statement.parsed.resources.patterns();
    for (text, pattern) in statement.resources.iter().zip(patterns).take(MOST_RESOURCES) {
        old_variable(policy, statement, text, report);
        of_service(statement, text, pattern, catalog, report);
    }
    if !statement.only().is_empty() && policy.subject.slot != Slot::Trust && !statement.parsed.actions.not {
        of_actions(statement, catalog, report);
    }
}

pub(super) fn old_variable(policy: &Policy, statement: &Read, text: &Text, report: &mut Report) {
    if !policy.variables && text.text.contains("${") {
        let message = format!("`{}` is plain text in this version", text.text);
        report.add(Code::VariableInOldVersion, statement.sid(), &text.path, message);
    }
}

/// Whether the ARN is one of the service that it names.
fn of_service(statement: &Read, text: &Text, pattern: &Pattern, catalog: &Catalog, report: &mut Report) {
    let Some(name) = text.text.split(':').nth(2).filter(|name| !name.contains(['*', '?', '$'])) else { return };
    let Some(service) = catalog.service(name).filter(|service| !service.resources.is_empty()) else { return };
    let types = || service.resources.iter().map(|resource| (resource, ArnShape::new(resource.arn)));
    if types().any(|(_, shape)| shape.meets(pattern, false)) {
        names_in_lower_case(statement, text, report);
        return;
    }
    let sid = statement.sid();
    match types().find(|(_, shape)| shape.meets(pattern, true)) {
        Some((resource, _)) => {
            let message = format!("`{}` differs by case from ARNs of {} ({})", text.text, resource.name, resource.arn);
            report.add(Code::ArnCase, sid, &text.path, message);
        }
        None => {
            let message = format!("`{}` is no ARN of a resource of {}", text.text, service.prefix);
            report.add(Code::UnknownResourceType, sid, &text.path, message);
        }
    }
}

fn names_in_lower_case(statement: &Read, text: &Text, report: &mut Report) {
    let mut parts = text.text.splitn(6, ':');
    let (service, resource) = (parts.nth(2), parts.nth(2).unwrap_or(""));
    let Some((kind, name)) = resource.split_once('/') else { return };
    // Hub contents, images and feature groups keep their case.
    let keeps = matches!(kind, "hub-content" | "hub" | "image" | "image-version" | "feature-group" | "human-task-ui");
    let plain: String = name.split("${").map(|part| part.split_once('}').map_or(part, |(_, rest)| rest)).collect();
    if service == Some("sagemaker") && !keeps && plain.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let message = format!("`{}` has upper case in the name of a {kind}", text.text);
        report.add(Code::ArnNameCase, statement.sid(), &text.path, message);
    }
}

/// Whether each listed action has a resource of the statement that it applies to.
fn of_actions(statement: &Read, catalog: &Catalog, report: &mut Report) {
    if statement.everywhere() || statement.resources.len() > MOST_RESOURCES {
        return;
    }
    let mut idle: Vec<&Text> = Vec::new();
    let mut kinds: Vec<&str> = Vec::new();
    for action in statement.actions.iter().filter(|action| !is_all(&action.text)).take(MOST_RESOURCES) {
        let Some((service, found)) = meant(&action.text, catalog) else { continue };
        if !found.is_empty() && !found.iter().any(|one| applies(service, one, statement.only())) {
            idle.push(action);
            kinds.extend(found.iter().flat_map(|one| &one.resources).map(|resource| resource.kind));
        }
    }
    let Some(first) = idle.first() else { return };
    kinds.sort_unstable();
    kinds.dedup();
    kinds.truncate(4);
    let has = if kinds.is_empty() {
        "only `*` matches".to_owned()
    } else {
        format!("it is for resource types such as {}", kinds.join(", "))
    };
    let message = match idle.len() {
        1 => format!("`{}` applies to none of the statement's resources: {has}", first.text),
        count => {
            let some: Vec<&str> = idle.iter().take(4).map(|action| action.text.as_str()).collect();
            format!("{count} actions apply to none of the statement's resources, such as {}: {has}", some.join(", "))
        }
    };
    report.add(Code::ResourceNotOfAction, statement.sid(), &first.path, message);
}

fn applies(service: &ServiceFacts, action: &ActionFacts, patterns: &[Pattern]) -> bool {
    let mut known = action.resources.iter().map(|one| service.resource(one.kind));
    // A type that the service's own list does not have (another service's) is not judged.
    known.any(|facts| {
        let shape = facts.map(|facts| ArnShape::new(facts.arn));
        shape.is_none_or(|shape| patterns.iter().any(|pattern| shape.meets(pattern, false)))
    })
}
