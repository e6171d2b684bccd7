//! Rules about guardrails that are written as an Allow with a `Null` test: statements are ORed, so that several of them,
//! or a wider Allow beside them, require less than they say.

use super::actions::meant;
use super::catalog::Catalog;
use super::read::{Policy, Read};
use super::shadow::{actions_covered, covered};
use super::{Code, MOST_COMPARED, Report};
use crate::Slot;

struct Guardrail<'a> {
    document: usize,
    statement: &'a Read,
    /// Keys that it requires, in lower case.
    keys: Vec<String>,
}

pub(super) fn check(policies: &[(usize, Policy)], catalog: &Catalog, report: &mut Report) {
    let all: Vec<(usize, &Read)> = policies
        .iter()
        .filter(|(_, policy)| policy.subject.slot == Slot::Identity)
        .flat_map(|(at, policy)| policy.statements.iter().map(|one| (*at, one)))
        .filter(|(_, statement)| statement.allows())
        .take(MOST_COMPARED)
        .collect();
    let guardrails: Vec<Guardrail<'_>> = all.iter().filter_map(|(at, one)| guardrail(*at, one)).collect();
    for (place, later) in guardrails.iter().enumerate() {
        report.document = later.document;
        for earlier in guardrails.iter().take(place) {
            ored(earlier, later, catalog, report);
        }
        bypassed(later, &all, report);
    }
}

fn guardrail(document: usize, statement: &Read) -> Option<Guardrail<'_>> {
    let required = statement.conditions.iter().filter(|test| test.is_null(false));
    let keys: Vec<String> = required.map(|test| test.key.to_ascii_lowercase()).collect();
    (!keys.is_empty()).then_some(Guardrail { document, statement, keys })
}

fn ored(earlier: &Guardrail<'_>, later: &Guardrail<'_>, catalog: &Catalog, report: &mut Report) {
    let weaker = earlier.keys.iter().any(|key| !later.keys.contains(key))
        || later.keys.iter().any(|key| !earlier.keys.contains(key));
    let Some(action) = common_action(earlier.statement, later.statement, catalog).filter(|_| weaker) else { return };
    let other = if earlier.document == later.document {
        earlier.statement.path.clone()
    } else {
        format!("{} of document {}", earlier.statement.path, earlier.document)
    };
    let message = format!(
        "requires {} of {action}, and {other} requires {}: a request that satisfies either is allowed",
        later.keys.join(" and "),
        earlier.keys.join(" and ")
    );
    report.add(Code::AllowNullOrs, later.statement.sid(), &later.statement.at("Condition"), message);
}

/// An action that both statements allow.
fn common_action(left: &Read, right: &Read, catalog: &Catalog) -> Option<String> {
    for action in left.actions.iter().take(200) {
        if !action.text.contains(['*', '?']) {
            if right.parsed.actions.cover(action.text.to_ascii_lowercase().as_bytes()) {
                return Some(action.text.clone());
            }
            continue;
        }
        let (service, found) = meant(&action.text, catalog)?;
        let full = found.iter().map(|one| format!("{}:{}", service.prefix, one.name));
        let common = full.into_iter().find(|name| right.parsed.actions.cover(name.to_ascii_lowercase().as_bytes()));
        if common.is_some() {
            return common;
        }
    }
    None
}

/// An Allow of the same without the test makes the test void.
fn bypassed(guardrail: &Guardrail<'_>, all: &[(usize, &Read)], report: &mut Report) {
    let inner = guardrail.statement;
    let wider = all.iter().find(|(_, outer)| {
        !std::ptr::eq(*outer, inner)
            && outer.conditions.is_empty()
            && actions_covered(outer, inner)
            && covered(outer, inner)
    });
    if let Some((document, outer)) = wider {
        let message = format!(
            "{} of document {document} allows the same without requiring {}",
            outer.path,
            guardrail.keys.join(" and ")
        );
        report.add(Code::GuardrailBypassed, inner.sid(), &inner.at("Condition"), message);
    }
}
