//! Decisions when some condition keys are not known: what is allowed always, under conditions, or never.
//!
//! A statement over unknown keys may match or not. The request is decided twice by [`crate::decide`] itself: once as if
//! every such Allow matched and no such Deny did ([`Lean::Permit`]), once the other way round ([`Lean::Refuse`]).
//! INVARIANT: "always" and "never" are certain, whatever the unknown keys hold. "Under conditions" may be never where
//! conditions exclude each other, which is for the reader of [`Possibility::conditions`] to see. Pure; nothing is kept.

use serde::Serialize;

use crate::decide::{has_own_policies, limits, unnamed_in};
use crate::glob::Pattern;
use crate::keys::Prepared;
use crate::statement::{Grant, Resources, Statement, Unnamed};
use crate::{Context, Decision, PolicySet, Request, Slot, Slots, Values, decide};

/// What statements over unknown keys are taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lean {
    /// Allows match and Denies do not.
    Permit,
    /// Denies match and Allows do not.
    Refuse,
}

/// Whether something holds, as far as the known keys tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certainty {
    No,
    Maybe,
    Yes,
}

impl Certainty {
    pub fn of(holds: bool) -> Certainty {
        if holds { Certainty::Yes } else { Certainty::No }
    }
}

/// Whether a request is allowed, as far as the known keys tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Possible {
    /// Whatever the unknown keys hold.
    Never,
    /// If the unknown keys hold the right values.
    Conditional,
    /// Whatever the unknown keys hold.
    Always,
}

/// A decision over keys that are known in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Possibility<'a> {
    /// What it comes to.
    pub possible: Possible,
    /// The decision: the certain one, or for `Conditional` the Allow that there may be.
    pub decision: Decision<'a>,
    /// For `Conditional`: the conditions over unknown keys that decide, in the order of slots.
    pub conditions: Vec<DecidingCondition<'a>>,
}

/// A condition over an unknown key that decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecidingCondition<'a> {
    /// The slot that the statement is in.
    pub slot: Slot,
    /// Name or ARN of the policy.
    pub policy: &'a str,
    /// `Sid`.
    pub sid: Option<&'a str>,
    /// Position of the statement in its document.
    pub index: usize,
    /// Whether the statement denies; the request is then allowed if the condition does not hold.
    pub deny: bool,
    /// The operator as written; `Resource` where a policy variable in a resource is unknown.
    pub operator: String,
    /// The key, in lower case.
    pub key: &'a str,
    /// The policy's values, as written.
    pub values: Vec<String>,
}

/// The request's context, leaning.
struct Leaning<'a> {
    context: &'a dyn Context,
    lean: Lean,
}

impl Context for Leaning<'_> {
    fn get(&self, key: &str) -> Option<Values<'_>> {
        self.context.get(key)
    }
    fn is_unknown(&self, key: &str) -> bool {
        self.context.is_unknown(key)
    }
    fn lean(&self) -> Option<Lean> {
        Some(self.lean)
    }
}

/// Decides a request whose context says which keys are unknown ([`Context::is_unknown`]).
pub fn possible<'a>(slots: &Slots<'a>, request: &Request<'_>) -> Possibility<'a> {
    let leaning = |lean| {
        let context = Leaning { context: request.context, lean };
        decide(slots, &Request { context: &context, ..*request })
    };
    let least = leaning(Lean::Refuse);
    if least.is_allowed() {
        return Possibility { possible: Possible::Always, decision: least, conditions: Vec::new() };
    }
    let most = leaning(Lean::Permit);
    if !most.is_allowed() {
        return Possibility { possible: Possible::Never, decision: most, conditions: Vec::new() };
    }
    Possibility { possible: Possible::Conditional, decision: most, conditions: deciding(slots, request) }
}

/// The conditions over unknown keys of every Deny that may match, and of the Allows that may match where none surely does.
fn deciding<'a>(slots: &Slots<'a>, request: &Request<'_>) -> Vec<DecidingCondition<'a>> {
    let (scp, rcp, bounded) = limits(slots, request);
    let prepared = Prepared::new(request, bounded);
    let own = has_own_policies(request.principal.kind());
    let mut found = Vec::new();
    let mut add = |slot: Slot, sets: &[&'a PolicySet], applies: bool| {
        if applies {
            let merged = matches!(slot, Slot::Identity | Slot::Session);
            let groups = if merged { vec![sets] } else { sets.chunks(1).collect() };
            groups.into_iter().for_each(|group| look(slot, group, &prepared, &mut found));
        }
    };
    add(Slot::Scp, slots.scp, scp);
    add(Slot::Rcp, slots.rcp, rcp);
    add(Slot::Endpoint, slots.endpoint.as_slice(), true);
    add(Slot::Resource, slots.resource.as_slice(), true);
    add(Slot::Trust, slots.trust.as_slice(), true);
    add(Slot::Identity, slots.identity, own);
    add(Slot::Boundary, slots.boundary.as_slice(), own);
    add(Slot::Session, slots.session.unwrap_or(&[]), own);
    found
}

fn look<'a>(slot: Slot, group: &[&'a PolicySet], prepared: &Prepared<'_>, found: &mut Vec<DecidingCondition<'a>>) {
    let (mut denies, mut allows, mut certain) = (Vec::new(), Vec::new(), false);
    for set in group {
        for id in 0..set.len() as u32 {
            let (Some(statement), Some(named)) = (set.statement(id), set.reference(id)) else { continue };
            let (certainty, _) = statement.certainty(prepared, unnamed_in(slot));
            certain |= certainty == Certainty::Yes && !statement.deny;
            if certainty != Certainty::Maybe {
                continue;
            }
            let list = if statement.deny { &mut denies } else { &mut allows };
            statement.unknowns(prepared.request.context, |operator, key, values| {
                list.push(DecidingCondition {
                    slot,
                    policy: named.policy,
                    sid: named.sid,
                    index: named.index,
                    deny: statement.deny,
                    operator,
                    key,
                    values,
                });
            });
        }
    }
    found.append(&mut denies);
    if !certain {
        found.append(&mut allows);
    }
}

/// How a statement matches for a context that leans.
pub(crate) fn matches(statement: &Statement, prepared: &Prepared<'_>, unnamed: Unnamed, lean: Lean) -> Option<Grant> {
    match statement.certainty(prepared, unnamed) {
        (Certainty::No, _) => None,
        (Certainty::Yes, grant) => grant,
        (Certainty::Maybe, grant) => grant.filter(|_| (lean == Lean::Permit) != statement.deny),
    }
}

impl Statement {
    /// Whether the statement matches, and how it reaches the principal if it does.
    fn certainty(&self, prepared: &Prepared<'_>, unnamed: Unnamed) -> (Certainty, Option<Grant>) {
        if !self.actions.cover(prepared.action()) {
            return (Certainty::No, None);
        }
        let mut least = self.resources.certainty(prepared);
        if least == Certainty::No {
            return (Certainty::No, None);
        }
        let Some(grant) = self.principals.reach(prepared, self.deny, unnamed) else {
            return (Certainty::No, None);
        };
        for condition in &self.conditions {
            least = least.min(condition.certainty(prepared.request.context));
            if least == Certainty::No {
                return (Certainty::No, None);
            }
        }
        (least, Some(grant))
    }

    /// Calls `found` with operator, key and wanted values of everything in it that is not known.
    fn unknowns<'a>(&'a self, context: &dyn Context, mut found: impl FnMut(String, &'a str, Vec<String>)) {
        if let Resources::Only(patterns) | Resources::AllBut(patterns) = &self.resources {
            for pattern in patterns {
                if let Some(key) = pattern.unknown_variable(context) {
                    found("Resource".to_owned(), key, vec![pattern.text()]);
                }
            }
        }
        for condition in &self.conditions {
            if condition.certainty(context) == Certainty::Maybe {
                found(condition.operator().to_string(), condition.key(), condition.wanted_texts());
            }
        }
    }
}

impl Resources {
    fn certainty(&self, prepared: &Prepared<'_>) -> Certainty {
        let any = |patterns: &[Pattern]| {
            let (resource, context) = (prepared.request.resource, prepared.request.context);
            let each = patterns.iter().map(|pattern| match pattern.unknown_variable(context) {
                None => Certainty::of(pattern.matches(resource, context)),
                Some(_) if pattern.matches_loosely(resource, context) => Certainty::Maybe,
                Some(_) => Certainty::No,
            });
            each.max().unwrap_or(Certainty::No)
        };
        match self {
            Resources::Absent => Certainty::Yes,
            Resources::Only(patterns) => any(patterns),
            Resources::AllBut(patterns) => match any(patterns) {
                Certainty::No => Certainty::Yes,
                Certainty::Maybe => Certainty::Maybe,
                Certainty::Yes => Certainty::No,
            },
        }
    }
}
