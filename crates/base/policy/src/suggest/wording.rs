//! Suggestions in words. Constant phrases around the data; nothing is decided here.

use super::{Change, KeySource};
use crate::principal::PrincipalKind;
use crate::{PrincipalRef, Request, Slot};

/// All changes in one sentence.
pub(super) fn sentence(changes: &[Change], request: &Request<'_>) -> String {
    let parts: Vec<String> = changes.iter().map(|change| words(change, request)).collect();
    let text = parts.join("; and ");
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str() + ".").unwrap_or_default()
}

fn words(change: &Change, request: &Request<'_>) -> String {
    match change {
        Change::AddStatement { slot, level, statement } => {
            let resource = statement.get("Resource").and_then(|value| value.as_str());
            let on = resource.map(|resource| format!(" on {resource}")).unwrap_or_default();
            format!("add an Allow for {}{on} to {}", request.action, place(*slot, *level, request))
        }
        Change::Exempt { slot, level, policy, sid, index, condition } => format!(
            "exempt {} from the Deny {} of {} by adding the condition {condition}",
            who(request.principal),
            statement_name(sid.as_deref(), *index),
            policy_name(*slot, *level, policy)
        ),
        Change::RemoveStatement { slot, level, policy, sid, index } => format!(
            "remove the Deny {} from {}",
            statement_name(sid.as_deref(), *index),
            policy_name(*slot, *level, policy)
        ),
        Change::SetKey { key, source, values, holds, operator, wanted, policy, sid, index, .. } => format!(
            "{} {key} {} (condition {operator} of {} {} of {policy})",
            lead(*source),
            value(values, *holds, operator, wanted),
            if *holds { "the Allow" } else { "the Deny" },
            statement_name(sid.as_deref(), *index),
        ),
    }
}

fn statement_name(sid: Option<&str>, index: usize) -> String {
    match sid {
        Some(sid) if !sid.is_empty() => format!("statement {sid}"),
        _ => format!("statement {index}"),
    }
}

fn policy_name(slot: Slot, level: usize, policy: &str) -> String {
    match slot {
        Slot::Scp | Slot::Rcp => format!("{} {policy} at level {level}", slot.noun()),
        _ => format!("{} {policy}", slot.noun()),
    }
}

fn place(slot: Slot, level: usize, request: &Request<'_>) -> String {
    let who = who(request.principal);
    match slot {
        Slot::Identity | Slot::Session => format!("{} of {who}", slot.noun_with_article()),
        Slot::Boundary => format!("the permissions boundary of {who}"),
        Slot::Resource | Slot::Trust => format!("the {} of {}", slot.noun(), request.resource),
        Slot::Scp | Slot::Rcp => format!("{} at level {level}", slot.noun_with_article()),
        Slot::Endpoint => "the VPC endpoint policy".to_owned(),
    }
}

/// The principal as a reader knows it: `role/Name`, `user/path/name`, a service.
fn who(principal: &PrincipalRef) -> String {
    match (principal.kind(), principal.role_name()) {
        (PrincipalKind::AssumedRole | PrincipalKind::Role, Some(name)) => format!("role/{name}"),
        (PrincipalKind::Root, _) => format!("the root user of {}", principal.account().unwrap_or("the account")),
        (PrincipalKind::Anonymous, _) => "anonymous callers".to_owned(),
        (PrincipalKind::User | PrincipalKind::FederatedUser, _) => {
            principal.arn().splitn(6, ':').nth(5).unwrap_or(principal.arn()).to_owned()
        }
        _ => principal.arn().to_owned(),
    }
}

fn lead(source: KeySource) -> &'static str {
    match source {
        KeySource::Request => "make the request so that",
        KeySource::Principal => "tag the principal so that",
        KeySource::Resource => "tag the resource so that",
        KeySource::Session => "use a session in which",
        KeySource::Connection => "call from where",
        KeySource::Time => "call at a time when",
        KeySource::Identity => "call so that",
    }
}

fn value(values: &[String], holds: bool, operator: &str, wanted: &[String]) -> String {
    let lower = operator.to_ascii_lowercase();
    if values.is_empty() {
        return "is absent".to_owned();
    }
    if lower == "null" {
        return "is present".to_owned();
    }
    let list = |values: &[String]| values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
    if lower.contains("less") || lower.contains("greater") {
        return format!("is {} (for example)", list(values));
    }
    // A condition holds through the values that it names, unless it is a negated one that has to hold.
    if holds == lower.contains("not") {
        return format!("is {}{}", if lower.contains("ipaddress") { "not in " } else { "not " }, list(wanted));
    }
    if lower.contains("ipaddress") {
        return format!("is in {}", list(wanted));
    }
    if values.len() > 1 || values.iter().any(|value| wanted == std::slice::from_ref(value)) {
        return format!("is {}", list(values));
    }
    format!("is one of {} (for example {})", list(wanted), list(values))
}
