//! The engine's terms in the words of the API, and back.

use stoa_kernel::ports::{OpenCondition, StatementPlace};
use stoa_models_stoa::types::{
    Access, ContextEntry, DecidingCondition, DecisionKind, Severity, Slot, StatementEffect, StatementReference,
};
use stoa_policy::{Decision, Effect, MapContext, Possible, Values};

pub(crate) fn slot(slot: stoa_policy::Slot) -> Slot {
    match slot {
        stoa_policy::Slot::Identity => Slot::Identity,
        stoa_policy::Slot::Resource => Slot::Resource,
        stoa_policy::Slot::Boundary => Slot::Boundary,
        stoa_policy::Slot::Session => Slot::Session,
        stoa_policy::Slot::Scp => Slot::Scp,
        stoa_policy::Slot::Rcp => Slot::Rcp,
        stoa_policy::Slot::Endpoint => Slot::Endpoint,
        stoa_policy::Slot::Trust => Slot::Trust,
    }
}

pub(crate) fn engine_slot(slot: Slot) -> stoa_policy::Slot {
    match slot {
        Slot::Identity => stoa_policy::Slot::Identity,
        Slot::Resource => stoa_policy::Slot::Resource,
        Slot::Boundary => stoa_policy::Slot::Boundary,
        Slot::Session => stoa_policy::Slot::Session,
        Slot::Scp => stoa_policy::Slot::Scp,
        Slot::Rcp => stoa_policy::Slot::Rcp,
        Slot::Endpoint => stoa_policy::Slot::Endpoint,
        Slot::Trust => stoa_policy::Slot::Trust,
    }
}

pub(crate) fn decision_kind(effect: Effect) -> DecisionKind {
    match effect {
        Effect::Allow => DecisionKind::Allow,
        Effect::ExplicitDeny => DecisionKind::ExplicitDeny,
        Effect::ImplicitDeny => DecisionKind::ImplicitDeny,
    }
}

pub(crate) fn access(possible: Possible) -> Access {
    match possible {
        Possible::Never => Access::Denied,
        Possible::Conditional => Access::Conditional,
        Possible::Always => Access::Allowed,
    }
}

pub(crate) fn statement(place: &StatementPlace) -> StatementReference {
    StatementReference {
        policy_name: place.policy.clone(),
        statement_id: place.sid.clone(),
        statement_index: count(place.index),
    }
}

pub(crate) fn statement_effect(deny: bool) -> StatementEffect {
    if deny { StatementEffect::Deny } else { StatementEffect::Allow }
}

pub(crate) fn condition(open: &OpenCondition) -> DecidingCondition {
    DecidingCondition {
        slot: slot(open.slot),
        policy_name: open.statement.policy.clone(),
        statement_id: open.statement.sid.clone(),
        statement_index: count(open.statement.index),
        effect: statement_effect(open.deny),
        operator: open.operator.clone(),
        key: open.key.clone(),
        values: (!open.values.is_empty()).then(|| open.values.clone()),
    }
}

/// AWS's words for why.
pub(crate) fn reason(effect: Effect, slot: stoa_policy::Slot, action: &str) -> String {
    Decision { effect, slot, matched: None }.reason_text(action)
}

pub(crate) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn entries(keys: &MapContext) -> Vec<ContextEntry> {
    let mut entries: Vec<ContextEntry> =
        keys.iter().map(|(key, values)| ContextEntry { key: key.to_owned(), values: values.to_strings() }).collect();
    entries.sort_by(|left, right| left.key.cmp(&right.key));
    entries
}

/// Sets a key from a list of values: one is a single value, more are a multivalued key.
pub(crate) fn set(keys: &mut MapContext, key: &str, values: &[String]) {
    match values {
        [one] => drop(keys.set(key, one.as_str())),
        many => drop(keys.set_many(key, many.iter().map(String::as_str))),
    }
}

/// Copies keys that are not there yet.
pub(crate) fn add_missing(keys: &mut MapContext, more: &MapContext) {
    for (key, values) in more.iter() {
        if stoa_policy::Context::get(keys, key).is_none() {
            match values {
                Values::One(value) => drop(keys.set(key, value)),
                Values::Many(values) => drop(keys.set_many(key, values.iter().map(String::as_str))),
            }
        }
    }
}

pub(crate) fn severity(severity: stoa_policy::lint::Severity) -> Severity {
    match severity {
        stoa_policy::lint::Severity::Note => Severity::Note,
        stoa_policy::lint::Severity::Warning => Severity::Warning,
        stoa_policy::lint::Severity::Error => Severity::Error,
    }
}
