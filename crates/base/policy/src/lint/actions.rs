//! Rules about `Action` and `NotAction`.

use super::catalog::{Access, ActionFacts, Catalog, ServiceFacts};
use super::read::{Policy, Read, Text};
use super::{Code, Report};
use crate::glob::{Pattern, Syntax};

pub(super) fn check(_: &Policy, statement: &Read, catalog: &Catalog, report: &mut Report) {
    for action in &statement.actions {
        if report.is_full() {
            return;
        }
        known(statement, action, catalog, report);
    }
    if !statement.allows() {
        return;
    }
    let sid = statement.sid();
    if statement.parsed.actions.not {
        report.add(
            Code::NotActionAllow,
            sid,
            &statement.at("NotAction"),
            "Allow with NotAction allows every action that is not listed".to_owned(),
        );
        return;
    }
    if statement.actions.iter().any(|action| is_all(&action.text)) {
        if statement.everywhere() && statement.conditions.is_empty() {
            let message = "allows every action on every resource".to_owned();
            report.add(Code::OverBroad, sid, &statement.path, message);
        }
        return;
    }
    for action in &statement.actions {
        joins(statement, action, catalog, report);
    }
    passes_any_role(statement, report);
}

/// `*` or `*:*`.
pub(super) fn is_all(action: &str) -> bool {
    action.bytes().all(|byte| matches!(byte, b'*' | b':'))
}

/// The actions of the catalog that a text means, with their service; `None` where the service is not in the catalog or
/// its name has a wildcard.
pub(super) fn meant<'a>(text: &str, catalog: &'a Catalog) -> Option<(&'a ServiceFacts, Vec<&'a ActionFacts>)> {
    let (prefix, name) = text.split_once(':')?;
    let service = catalog.service(prefix)?;
    if !name.contains(['*', '?']) {
        return Some((service, service.action(name).into_iter().collect()));
    }
    let pattern = Pattern::parse(&name.to_ascii_lowercase(), Syntax { wildcards: true, variables: false }).ok()?;
    let matching = service.actions.iter().filter(|action| {
        let lower = action.name.to_ascii_lowercase();
        pattern.matches_bytes(lower.as_bytes())
    });
    Some((service, matching.collect()))
}

fn known(statement: &Read, action: &Text, catalog: &Catalog, report: &mut Report) {
    let text = action.text.as_str();
    let Some((prefix, name)) = text.split_once(':') else { return };
    let wild = name.contains(['*', '?']);
    match meant(text, catalog) {
        None if prefix.contains(['*', '?']) => {}
        None => {
            // Short prefixes are all near to each other.
            let near = |known| if prefix.len() < 5 { None } else { near(prefix, known) };
            if let Some(near) = near(catalog.services.iter().map(|service| service.prefix)) {
                let message = format!("no service has the prefix `{prefix}`; `{near}` has");
                report.add(Code::UnknownService, statement.sid(), &action.path, message);
            }
        }
        Some((_, found)) if !found.is_empty() => {}
        Some((service, _)) if wild => {
            let message = format!("no action of {} matches `{text}`", service.prefix);
            report.add(Code::WildcardMatchesNothing, statement.sid(), &action.path, message);
        }
        Some((service, _)) => {
            let near = near(name, service.actions.iter().map(|action| action.name));
            let hint = near.map(|near| format!("; `{}:{near}` is one", service.prefix)).unwrap_or_default();
            let message = format!("`{text}` is no action of {}{hint}", service.prefix);
            report.add(Code::UnknownAction, statement.sid(), &action.path, message);
        }
    }
}

/// The name that differs least, by two edits at most.
pub(super) fn near(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    if name.len() > 64 {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let most = if lower.len() < 5 { 1 } else { 2 };
    known
        .filter(|one| one.len().abs_diff(lower.len()) <= most)
        .map(|one| (edits(&lower, &one.to_ascii_lowercase()), one))
        .filter(|(edits, _)| (1..=most).contains(edits))
        .min()
        .map(|(_, one)| one)
}

/// Levenshtein's distance.
fn edits(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        let mut next = vec![before];
        for (b, up) in right.bytes().zip(row.iter().skip(1)) {
            let cost = (diagonal + usize::from(a != b)).min(before + 1).min(up + 1);
            diagonal = *up;
            before = cost;
            next.push(cost);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

fn joins(statement: &Read, action: &Text, catalog: &Catalog, report: &mut Report) {
    if !action.text.contains(['*', '?']) {
        return;
    }
    let Some((_, found)) = meant(&action.text, catalog) else { return };
    let strong: Vec<&&ActionFacts> = found.iter().filter(|one| one.access >= Access::Write).collect();
    let Some(example) = strong.iter().max_by_key(|one| one.access) else { return };
    let permissions = strong.iter().filter(|one| one.access == Access::PermissionsManagement).count();
    let message = format!(
        "`{}` is {} actions today, {} of them of write access and {permissions} of permissions management (such as {}); \
         actions that AWS adds later will join",
        action.text,
        found.len(),
        strong.len() - permissions,
        example.name
    );
    report.add(Code::WildcardJoinsNewActions, statement.sid(), &action.path, message);
}

fn passes_any_role(statement: &Read, report: &mut Report) {
    let all_roles = |text: &str| {
        let resource = text.splitn(6, ':').nth(5);
        text == "*" || matches!(resource, Some("*" | "role/*" | "role*"))
    };
    let Some(resource) = statement.resources.iter().find(|resource| all_roles(&resource.text)) else { return };
    let limited = statement.conditions.iter().any(|test| test.is("iam:PassedToService"));
    if statement.parsed.actions.cover(b"iam:passrole") && !statement.only().is_empty() && !limited {
        let message = "allows iam:PassRole of any role to any service".to_owned();
        report.add(Code::PassRoleAny, statement.sid(), &resource.path, message);
    }
}
