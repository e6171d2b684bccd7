//! Whether an operation sets every condition key, and decides every dependent action, that the authorization facts name.
//!
//! Tags of resources (`aws:ResourceTag/*`) are not counted: the pipeline sets them for every target with a full ARN.

use std::collections::{BTreeMap, BTreeSet};

use crate::authz::{Authz, KnownActions, Target};
use crate::derive::{binding_name, is_resource_tag, keys_of};
use crate::facts::Action;
use crate::overlay::{Overlay, means};
use crate::plan::{Operation, Service};

/// A condition key of an action (or, with an empty key, a dependent action), and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub action: String,
    pub key: String,
    pub state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// From here, as the overlay writes it.
    Set(String),
    /// By hand-written targets.
    Custom,
    /// Not, because …
    Absent(String),
    /// Not, and nobody says why.
    Missing,
}

/// The rows of an operation that is implemented or decided.
pub fn of(service: &Service, operation: &Operation, known: &KnownActions) -> Vec<Row> {
    let own = format!("{}:{}", service.action_prefix, operation.name);
    let facts = |action: &str| action.split_once(':').and_then(|(prefix, name)| known.action(prefix, name));
    let mut rows = Vec::new();
    let targets = match &operation.authz {
        Authz::None { .. } | Authz::Unsigned { .. } => return rows,
        Authz::Targets(targets) => targets.as_slice(),
        Authz::Custom => &[],
    };
    let mut wanted: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for target in targets {
        let Some(facts) = facts(&target.action) else { continue };
        let prefix = target.action.split(':').next().unwrap_or_default();
        let wanted = wanted.entry(&target.action).or_default();
        wanted.extend(keys_of(facts, known.type_of(prefix, &target.resource).as_deref()));
        if target.resource.starts_with('{') {
            wanted.extend(keys_of_types(facts));
        }
    }
    if matches!(operation.authz, Authz::Custom) {
        let facts = facts(&own);
        let keys = facts.into_iter().flat_map(|facts| keys_of(facts, None).into_iter().chain(keys_of_types(facts)));
        wanted.insert(&own, keys.collect());
    }
    for (action, keys) in &wanted {
        for key in keys {
            let state = state_of_key(service, operation, targets, action, key);
            rows.push(Row { action: (*action).to_owned(), key: key.clone(), state });
        }
    }
    for dependent in facts(&own).map(|facts| facts.dependent.as_slice()).unwrap_or_default() {
        let state = match targets.iter().any(|target| target.action == *dependent) {
            true => State::Set("a target of its own".to_owned()),
            false => state_without_target(&service.overlay, operation, dependent),
        };
        rows.push(Row { action: dependent.clone(), key: String::new(), state });
    }
    rows
}

/// The keys of an action on whatever type of resource.
fn keys_of_types(facts: &Action) -> BTreeSet<String> {
    let keys = facts.resources.values().flat_map(|rule| &rule.keys);
    keys.map(|key| binding_name(key)).filter(|key| !is_resource_tag(key)).collect()
}

/// The rows of the operations that are served outside the pipeline.
pub fn of_served(service: &Service, known: &KnownActions) -> Vec<(String, Vec<Row>)> {
    let mut all = Vec::new();
    for (operation, action) in &service.overlay.served {
        let facts = action.split_once(':').and_then(|(prefix, name)| known.action(prefix, name));
        let keys: BTreeSet<String> =
            facts.into_iter().flat_map(|facts| keys_of(facts, None).into_iter().chain(keys_of_types(facts))).collect();
        let state = |key: &str| {
            let rule = service.overlay.absent.iter().find(|absent| absent.is_for(key, operation));
            match rule {
                Some(absent) => State::Absent(absent.why.clone()),
                None if service.overlay.service.custom_keys.iter().any(|named| means(named, key)) => State::Custom,
                None => State::Missing,
            }
        };
        let row = |key: String| Row { action: action.clone(), state: state(&key), key };
        all.push((operation.clone(), keys.into_iter().map(row).collect()));
    }
    all
}

fn state_of_key(service: &Service, operation: &Operation, targets: &[Target], action: &str, key: &str) -> State {
    let of_action = targets.iter().filter(|target| target.action == action);
    if let Some(found) = of_action.flat_map(|target| &target.keys).find(|found| found.key == key) {
        return State::Set(found.shown.clone());
    }
    let state = state_without_target(&service.overlay, operation, key);
    if state == State::Missing && matches!(key, "aws:RequestTag/*" | "aws:TagKeys") && !names_tags(service, operation) {
        return State::Absent("the request names no tags".to_owned());
    }
    state
}

fn state_without_target(overlay: &Overlay, operation: &Operation, what: &str) -> State {
    let ours = overlay.operations.get(&operation.name);
    let custom = matches!(operation.authz, Authz::Custom);
    let named_in = |keys: &[String]| custom && keys.iter().any(|named| means(named, what));
    if ours.is_some_and(|ours| named_in(&ours.custom_keys)) {
        return State::Custom;
    }
    // What is said of this very operation goes before what is said of the service.
    let mut rules: Vec<_> = overlay.absent.iter().filter(|absent| absent.is_for(what, &operation.name)).collect();
    rules.sort_by_key(|absent| absent.only.is_empty());
    let own = rules.first().filter(|absent| !absent.only.is_empty()).map(|absent| &absent.why);
    if let Some(why) = ours.and_then(|ours| ours.absent.get(what)).or(own) {
        return State::Absent(why.clone());
    }
    if named_in(&overlay.service.custom_keys) {
        return State::Custom;
    }
    rules.first().map_or(State::Missing, |absent| State::Absent(absent.why.clone()))
}

/// Whether the input has `Tags` or `TagKeys`.
fn names_tags(service: &Service, operation: &Operation) -> bool {
    let input = service.model.operations.get(&operation.name).and_then(|facts| facts.input.as_ref());
    let shape = input.and_then(|input| service.model.shapes.get(input));
    shape.is_some_and(|shape| shape.members.iter().any(|(name, _)| name == "Tags" || name == "TagKeys"))
}

#[cfg(test)]
mod tests;
