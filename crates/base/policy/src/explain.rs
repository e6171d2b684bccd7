//! The slow twin of a decision: every statement of every slot, and which of its elements failed.
//!
//! It decides by [`crate::decide`] itself, so it cannot disagree; the rest is commentary, and suggestions of what would
//! allow the request (see `suggest`). Pure.

use serde::Serialize;

use crate::decide::{limits, unnamed_in};
use crate::keys::Prepared;
use crate::statement::Statement;
use crate::suggest::{Suggestion, suggestions};
use crate::{Effect, PolicySet, Request, Slot, Slots, decide};

/// Why a request was decided as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What it came to.
    pub effect: Effect,
    /// The slot that decided.
    pub slot: Slot,
    /// AWS's wording of why.
    pub reason: String,
    /// The statement that decided, where one did.
    pub matched: Option<Considered>,
    /// Every slot with policies in it; SCPs and RCPs once a level.
    pub slots: Vec<SlotExplanation>,
    /// Ways to allow a refused request, the smallest first; each has been proven by deciding again with it.
    pub suggestions: Vec<Suggestion>,
}

/// The statements of one slot (or level).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotExplanation {
    /// Which slot.
    pub slot: Slot,
    /// The level, from the root, or the position among several sets of the slot.
    pub level: usize,
    /// Whether the slot bears on this principal; SCPs do not on the management account, for example.
    pub applies: bool,
    /// Its statements, in order.
    pub statements: Vec<Considered>,
}

/// A statement, and what of it did not match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Considered {
    /// Name or ARN of the policy.
    pub policy: String,
    /// `Sid`.
    pub sid: Option<String>,
    /// Position in the document, from 0.
    pub index: usize,
    /// `Allow` or `Deny`.
    pub effect: &'static str,
    /// Whether it matches the request.
    pub matches: bool,
    /// The elements that do not match.
    pub failed: Vec<Failed>,
}

/// An element of a statement that does not match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "element", rename_all = "PascalCase")]
pub enum Failed {
    /// `Action` or `NotAction`.
    Action,
    /// `Resource` or `NotResource`.
    Resource {
        /// The patterns, as written.
        wanted: Vec<String>,
        /// Keys of policy variables in them that the request does not have, in lower case.
        unresolved: Vec<String>,
    },
    /// `Principal` or `NotPrincipal`.
    Principal {
        /// Whom the statement names.
        wanted: Vec<String>,
    },
    /// A condition.
    Condition {
        /// The operator as written.
        operator: String,
        /// The key, in lower case.
        key: String,
        /// The key, as written.
        name: String,
        /// The policy's values, as written.
        wanted: Vec<String>,
        /// Keys of policy variables in them that the request does not have, in lower case.
        unresolved: Vec<String>,
        /// The values that the request has; `None` when the key is absent.
        values: Option<Vec<String>>,
    },
}

/// Explains a request, with suggestions where it is refused.
pub fn explain(slots: &Slots<'_>, request: &Request<'_>) -> Explanation {
    Explanation { suggestions: suggestions(slots, request), ..explain_statements(slots, request) }
}

/// Explains a request without looking for suggestions, which takes some ten decisions more.
pub fn explain_statements(slots: &Slots<'_>, request: &Request<'_>) -> Explanation {
    let decision = decide(slots, request);
    let (scp, rcp, bounded) = limits(slots, request);
    let prepared = Prepared::new(request, bounded);
    let own = crate::decide::has_own_policies(request.principal.kind());
    let mut all = Vec::new();
    let mut add = |slot: Slot, sets: &[&PolicySet], applies: bool| {
        for (level, set) in sets.iter().enumerate() {
            let statements = consider(set, slot, &prepared);
            all.push(SlotExplanation { slot, level, applies, statements });
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
    let matched = decision.matched.map(|statement| Considered {
        policy: statement.policy.to_owned(),
        sid: statement.sid.map(str::to_owned),
        index: statement.index,
        effect: if decision.effect == Effect::ExplicitDeny { "Deny" } else { "Allow" },
        matches: true,
        failed: Vec::new(),
    });
    let reason = decision.reason_text(request.action);
    Explanation { effect: decision.effect, slot: decision.slot, reason, matched, slots: all, suggestions: Vec::new() }
}

fn consider(set: &PolicySet, slot: Slot, prepared: &Prepared<'_>) -> Vec<Considered> {
    let mut list = Vec::with_capacity(set.len());
    for id in 0..set.len() as u32 {
        let (Some(statement), Some(named)) = (set.statement(id), set.reference(id)) else { continue };
        let failed = failures(statement, slot, prepared);
        list.push(Considered {
            policy: named.policy.to_owned(),
            sid: named.sid.map(str::to_owned),
            index: named.index,
            effect: if statement.deny { "Deny" } else { "Allow" },
            matches: failed.is_empty(),
            failed,
        });
    }
    list
}

fn failures(statement: &Statement, slot: Slot, prepared: &Prepared<'_>) -> Vec<Failed> {
    let mut failed = Vec::new();
    let request = prepared.request;
    if !statement.actions.cover(prepared.action()) {
        failed.push(Failed::Action);
    }
    if !statement.resources.cover(prepared) {
        let patterns = statement.resources.patterns();
        failed.push(Failed::Resource {
            wanted: patterns.iter().map(|pattern| pattern.text()).collect(),
            unresolved: patterns.iter().flat_map(|pattern| pattern.unresolved(request.context)).collect(),
        });
    }
    if statement.principals.reach(prepared, statement.deny, unnamed_in(slot)).is_none() {
        let wanted = statement.principals.names().iter().map(ToString::to_string).collect();
        failed.push(Failed::Principal { wanted });
    }
    for condition in &statement.conditions {
        if !condition.holds(request.context) {
            failed.push(Failed::Condition {
                operator: condition.operator().to_string(),
                key: condition.key().to_string(),
                name: condition.name().to_owned(),
                wanted: condition.wanted_texts(),
                unresolved: condition.unresolved(request.context),
                values: request.context.get(condition.key()).map(|values| values.to_strings()),
            });
        }
    }
    failed
}
