//! The slow twin of a decision: every statement of every slot, and which of its elements failed.
//!
//! It decides by [`crate::decide`] itself, so it cannot disagree; the rest is commentary. Pure.

use serde::Serialize;

use crate::decide::{scp_applies, unnamed_in};
use crate::keys::Prepared;
use crate::statement::Statement;
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
    Resource,
    /// `Principal` or `NotPrincipal`.
    Principal,
    /// A condition.
    Condition {
        /// The operator as written.
        operator: String,
        /// The key, in lower case.
        key: String,
        /// The values that the request has; `None` when the key is absent.
        values: Option<Vec<String>>,
    },
}

/// Explains a request.
pub fn explain(slots: &Slots<'_>, request: &Request<'_>) -> Explanation {
    let decision = decide(slots, request);
    let prepared = Prepared::new(request);
    let scp = scp_applies(slots, request);
    let own = crate::decide::has_own_policies(request.principal.kind());
    let mut all = Vec::new();
    let mut add = |slot: Slot, sets: &[&PolicySet], applies: bool| {
        for (level, set) in sets.iter().enumerate() {
            let statements = consider(set, slot, &prepared);
            all.push(SlotExplanation { slot, level, applies, statements });
        }
    };
    add(Slot::Scp, slots.scp, scp);
    add(Slot::Rcp, slots.rcp, true);
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
    Explanation { effect: decision.effect, slot: decision.slot, reason, matched, slots: all }
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
        failed.push(Failed::Resource);
    }
    if statement.principals.reach(request.principal, statement.deny, unnamed_in(slot)).is_none() {
        failed.push(Failed::Principal);
    }
    for condition in &statement.conditions {
        if !condition.holds(request.context) {
            failed.push(Failed::Condition {
                operator: condition.operator.to_string(),
                key: condition.key.to_string(),
                values: request.context.get(&condition.key).map(|values| values.to_strings()),
            });
        }
    }
    failed
}
