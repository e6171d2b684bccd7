//! What could be done about the one thing that stands in a request's way: the options that a suggestion is built from.

use serde_json::{Value, json};

use super::world::World;
use super::{Change, KeySource};
use crate::context::{Context, MapContext, Overlay};
use crate::decide::unnamed_in;
use crate::keys::Prepared;
use crate::principal::PrincipalKind;
use crate::statement::Statement;
use crate::{Effect, PolicySet, PrincipalRef, Request, Slot, StatementRef};

/// Changes that belong together, and how much is asked by them.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub cost: u32,
    pub changes_policy: bool,
    pub changes: Vec<Change>,
}

/// Statements whose conditions are tried, of one set.
const MOST_STATEMENTS: usize = 16;

/// What could be done next.
pub(super) fn of(world: &World<'_>) -> Vec<Step> {
    let outcome = world.decide();
    let mut steps = world.with_request(|request| match outcome.effect {
        Effect::Allow => Vec::new(),
        Effect::ExplicitDeny => against_deny(world, outcome.slot, request),
        Effect::ImplicitDeny => towards_allow(world, outcome.slot, request),
    });
    steps.sort_by_key(|step| step.cost);
    steps
}

/// The first statement of the slot that denies, and its set.
fn denying<'s>(world: &'s World<'_>, slot: Slot, prepared: &Prepared<'_>) -> Option<(usize, &'s PolicySet, u32)> {
    for (level, set) in world.sets(slot).into_iter().enumerate() {
        let mut found = None;
        set.candidates(prepared, |id, statement| {
            if statement.deny && statement.matches(prepared, unnamed_in(slot)).is_some() {
                found = Some(id);
            }
            found.is_none()
        });
        if let Some(id) = found {
            return Some((level, set, id));
        }
    }
    None
}

fn against_deny(world: &World<'_>, slot: Slot, request: &Request<'_>) -> Vec<Step> {
    let prepared = world.prepare(request);
    let Some((level, set, id)) = denying(world, slot, &prepared) else { return Vec::new() };
    let (Some(statement), Some(named)) = (set.statement(id), set.reference(id)) else { return Vec::new() };
    let mut steps = Vec::new();
    for condition in &statement.conditions {
        let source = KeySource::of(condition.key());
        if source == KeySource::Identity {
            continue;
        }
        if let Some(values) = condition.settings(request.context, false).into_iter().next() {
            let change = set_key(condition, request.context, values, false, named);
            steps.push(Step { cost: cost_of(source), changes_policy: false, changes: vec![change] });
        }
    }
    let (policy, sid, index) = (named.policy.to_owned(), named.sid.map(str::to_owned), named.index);
    if let Some(condition) = exemption(statement, request) {
        let change = Change::Exempt { slot, level, policy: policy.clone(), sid: sid.clone(), index, condition };
        steps.push(Step { cost: 40, changes_policy: true, changes: vec![change] });
    }
    let change = Change::RemoveStatement { slot, level, policy, sid, index };
    steps.push(Step { cost: 80, changes_policy: true, changes: vec![change] });
    steps
}

/// A condition by which a Deny would spare this principal and no other.
fn exemption(statement: &Statement, request: &Request<'_>) -> Option<Value> {
    let value = |key: &str| request.context.get(key).and_then(|values| values.single().map(str::to_owned));
    let choices = [
        ("aws:principalarn", "ArnNotEquals", "aws:PrincipalArn"),
        ("aws:principalservicename", "StringNotEquals", "aws:PrincipalServiceName"),
    ];
    for (key, operator, name) in choices {
        let Some(have) = value(key) else { continue };
        let condition = json!({ operator: { name: escaped(&have) } });
        let text = json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition});
        let spares = super::world::parse(&text).is_some_and(|parsed| {
            statement.deny && parsed.conditions.iter().all(|condition| !condition.holds(request.context))
        });
        if spares {
            return Some(condition);
        }
    }
    None
}

/// Text that a pattern of version 2012-10-17 takes as it is.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '*' => out.push_str("${*}"),
            '?' => out.push_str("${?}"),
            '$' if rest.peek() == Some(&'{') => out.push_str("${$}"),
            c => out.push(c),
        }
    }
    out
}

fn towards_allow(world: &World<'_>, slot: Slot, request: &Request<'_>) -> Vec<Step> {
    let prepared = world.prepare(request);
    let sets = world.sets(slot);
    let allows = |set: &PolicySet| {
        let mut found = false;
        set.candidates(&prepared, |_, statement| {
            found |= !statement.deny && statement.matches(&prepared, unnamed_in(slot)).is_some();
            !found
        });
        found
    };
    // Of levels, the first that lacks an Allow; of other slots, any set will do.
    let leveled = matches!(slot, Slot::Scp | Slot::Rcp);
    let level = if leveled { sets.iter().position(|set| !allows(set)).unwrap_or(0) } else { 0 };
    let mut steps = Vec::new();
    let looked: Vec<&PolicySet> = if leveled { sets.into_iter().skip(level).take(1).collect() } else { sets };
    for set in looked {
        steps.extend(met_conditions(set, slot, &prepared));
    }
    steps.extend(added(slot, level, request));
    // A resource's own policy can grant what identity policies do not.
    if slot == Slot::Identity && !world.sets(Slot::Resource).is_empty() {
        steps.extend(added(Slot::Resource, 0, request).map(|step| Step { cost: step.cost + 5, ..step }));
    }
    steps
}

/// Allow statements that only fail by conditions on keys that can be changed.
fn met_conditions(set: &PolicySet, slot: Slot, prepared: &Prepared<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut seen = Vec::new();
    set.candidates(prepared, |id, statement| {
        if !statement.deny && !seen.contains(&id) {
            seen.push(id);
            if let Some(named) = set.reference(id) {
                steps.extend(met(statement, named, slot, prepared));
            }
        }
        steps.len() < MOST_STATEMENTS
    });
    steps
}

fn met(statement: &Statement, named: StatementRef<'_>, slot: Slot, prepared: &Prepared<'_>) -> Option<Step> {
    let request = prepared.request;
    let fits = statement.actions.cover(prepared.action())
        && statement.resources.cover(prepared)
        && statement.principals.reach(prepared, false, unnamed_in(slot)).is_some();
    if !fits {
        return None;
    }
    let mut changes = Vec::new();
    let mut cost = 0;
    let mut overlay = Overlay { base: request.context, changed: MapContext::new() };
    for condition in &statement.conditions {
        if condition.holds(&overlay) {
            continue;
        }
        let source = KeySource::of(condition.key());
        if source == KeySource::Identity {
            return None;
        }
        let values = condition.settings(&overlay, true).into_iter().next()?;
        changes.push(set_key(condition, request.context, values.clone(), true, named));
        cost += cost_of(source);
        overlay.changed.set_many(condition.key(), values);
    }
    let all = !changes.is_empty() && statement.conditions.iter().all(|condition| condition.holds(&overlay));
    all.then_some(Step { cost, changes_policy: false, changes })
}

fn set_key(
    condition: &crate::condition::Condition,
    context: &dyn Context,
    values: Vec<String>,
    holds: bool,
    named: StatementRef<'_>,
) -> Change {
    Change::SetKey {
        key: condition.name().to_owned(),
        source: KeySource::of(condition.key()),
        values,
        holds,
        operator: condition.operator().to_string(),
        wanted: condition.wanted_texts(),
        absent: context.get(condition.key()).is_none_or(|values| values.is_empty()),
        policy: named.policy.to_owned(),
        sid: named.sid.map(str::to_owned),
        index: named.index,
    }
}

fn cost_of(source: KeySource) -> u32 {
    match source {
        KeySource::Request => 10,
        KeySource::Session | KeySource::Connection => 15,
        KeySource::Principal | KeySource::Resource => 18,
        KeySource::Time | KeySource::Identity => 60,
    }
}

/// The narrowest Allow for the request, in a slot.
fn added(slot: Slot, level: usize, request: &Request<'_>) -> Option<Step> {
    let mut statement = json!({"Effect": "Allow", "Action": request.action});
    let names = matches!(slot, Slot::Resource | Slot::Trust);
    if names {
        statement["Principal"] = principal(request.principal);
    }
    if slot != Slot::Trust {
        let whole = request.resource == "*" || !request.resource.starts_with("arn:");
        statement["Resource"] = json!(if whole { "*".to_owned() } else { escaped(request.resource) });
    }
    super::world::parse(&statement)?;
    Some(Step { cost: 30, changes_policy: true, changes: vec![Change::AddStatement { slot, level, statement }] })
}

/// The element that names a principal and no other; a session is named by its role.
fn principal(principal: &PrincipalRef) -> Value {
    let arn = principal.arn();
    match principal.kind() {
        PrincipalKind::Anonymous => json!("*"),
        PrincipalKind::Service => json!({ "Service": arn }),
        PrincipalKind::Federated => json!({ "Federated": arn }),
        PrincipalKind::AssumedRole => match (principal.role_arn(), principal.account(), principal.role_name()) {
            (Some(role), _, _) => json!({ "AWS": role }),
            (None, Some(account), Some(name)) => json!({"AWS": format!("arn:aws:iam::{account}:role/{name}")}),
            _ => json!({ "AWS": arn }),
        },
        _ => json!({ "AWS": arn }),
    }
}
