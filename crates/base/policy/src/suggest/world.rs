//! A copy of the slots and the request that changes can be applied to. Sets that no change touches stay borrowed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Change;
use crate::context::{MapContext, Overlay};
use crate::keys::Prepared;
use crate::statement::Statement;
use crate::{Decision, Document, Effect, PolicySet, Request, Slot, Slots, StatementRef, decide};

#[derive(Clone)]
enum Held<'a> {
    Given(&'a PolicySet),
    Made(Arc<PolicySet>),
}

impl Held<'_> {
    fn set(&self) -> &PolicySet {
        match self {
            Held::Given(set) => set,
            Held::Made(set) => set,
        }
    }
}

/// What a decision came to, without what it borrows.
pub(super) struct Outcome {
    pub effect: Effect,
    pub slot: Slot,
}

/// Policies and a request, with changes.
#[derive(Clone)]
pub(super) struct World<'a> {
    request: &'a Request<'a>,
    sets: BTreeMap<Slot, Vec<Held<'a>>>,
    session: bool,
    changed: MapContext,
    /// Statements that may still be compiled again.
    budget: usize,
}

/// Statements that are compiled again at most for one suggestion: some ten milliseconds' worth.
const BUDGET: usize = 20_000;

impl<'a> World<'a> {
    pub fn new(slots: &Slots<'a>, request: &'a Request<'a>) -> World<'a> {
        let mut sets: BTreeMap<Slot, Vec<Held<'a>>> = BTreeMap::new();
        let mut put = |slot: Slot, given: &[&'a PolicySet]| {
            sets.insert(slot, given.iter().map(|set| Held::Given(set)).collect());
        };
        put(Slot::Identity, slots.identity);
        put(Slot::Resource, slots.resource.as_slice());
        put(Slot::Boundary, slots.boundary.as_slice());
        put(Slot::Session, slots.session.unwrap_or(&[]));
        put(Slot::Scp, slots.scp);
        put(Slot::Rcp, slots.rcp);
        put(Slot::Endpoint, slots.endpoint.as_slice());
        put(Slot::Trust, slots.trust.as_slice());
        World { request, sets, session: slots.session.is_some(), changed: MapContext::new(), budget: BUDGET }
    }

    /// The sets of a slot, in order.
    pub fn sets(&self, slot: Slot) -> Vec<&PolicySet> {
        self.sets.get(&slot).map(|sets| sets.iter().map(Held::set).collect()).unwrap_or_default()
    }

    /// The request with its changes.
    pub fn with_request<T>(&self, use_it: impl FnOnce(&Request<'_>) -> T) -> T {
        let context = Overlay { base: self.request.context, changed: self.changed.clone() };
        use_it(&Request { context: &context, ..*self.request })
    }

    /// The request as the index wants it.
    pub fn prepare<'r>(&self, request: &'r Request<'r>) -> Prepared<'r> {
        Prepared::new(request, self.is_bounded())
    }

    fn is_bounded(&self) -> bool {
        let own = crate::decide::has_own_policies(self.request.principal.kind());
        own && self.sets.get(&Slot::Boundary).is_some_and(|sets| !sets.is_empty())
    }

    /// Decides over the changed slots and request.
    pub fn decide(&self) -> Outcome {
        let of = |slot: Slot| self.sets(slot);
        let (identity, session, scp, rcp) = (of(Slot::Identity), of(Slot::Session), of(Slot::Scp), of(Slot::Rcp));
        let first = |slot: Slot| of(slot).first().copied();
        let slots = Slots {
            identity: &identity,
            resource: first(Slot::Resource),
            boundary: first(Slot::Boundary),
            session: self.session.then_some(session.as_slice()),
            scp: &scp,
            rcp: &rcp,
            endpoint: first(Slot::Endpoint),
            trust: first(Slot::Trust),
        };
        self.with_request(|request| {
            let Decision { effect, slot, .. } = decide(&slots, request);
            Outcome { effect, slot }
        })
    }

    /// Applies a change; `None` where there is nothing to apply it to.
    pub fn apply(&mut self, change: &Change) -> Option<()> {
        match change {
            Change::SetKey { key, values, .. } => {
                self.changed.set_many(key, values.iter().cloned());
            }
            Change::AddStatement { slot, level, statement } => {
                let statement = parse(statement)?;
                self.spend(*slot, *level)?;
                let sets = self.sets.entry(*slot).or_default();
                let name = Arc::from("suggested");
                match sets.get_mut(*level) {
                    Some(held) => *held = Held::Made(Arc::new(held.set().edited(None, Some((name, statement))))),
                    None => sets.push(Held::Made(Arc::new(PolicySet::default().edited(None, Some((name, statement)))))),
                }
            }
            Change::Exempt { slot, level, policy, index, condition, .. } => {
                let more = parse(&json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}))?;
                self.edit(*slot, *level, policy, *index, |statement| {
                    let mut narrowed = statement.clone();
                    let conditions = narrowed.conditions.iter().chain(&more.conditions).cloned();
                    narrowed.conditions = conditions.collect();
                    Some(Arc::new(narrowed))
                })?;
            }
            Change::RemoveStatement { slot, level, policy, index, .. } => {
                self.edit(*slot, *level, policy, *index, |_| None)?;
            }
        }
        Some(())
    }

    /// `None` once the budget is used up.
    fn spend(&mut self, slot: Slot, level: usize) -> Option<()> {
        let statements = self.sets.get(&slot).and_then(|sets| sets.get(level)).map_or(0, |held| held.set().len());
        self.budget = self.budget.checked_sub(statements + 1)?;
        Some(())
    }

    fn edit(
        &mut self,
        slot: Slot,
        level: usize,
        policy: &str,
        index: usize,
        edit: impl FnOnce(&Statement) -> Option<Arc<Statement>>,
    ) -> Option<()> {
        self.spend(slot, level)?;
        let bounded = self.is_bounded();
        let held = self.sets.get_mut(&slot)?.get_mut(level)?;
        let set = held.set();
        let same = |named: StatementRef<'_>| named.policy == policy && named.index == index;
        // Among policies of one name, the one whose statement stands in the way.
        let ids = (0..set.len() as u32).filter(|id| set.reference(*id).is_some_and(same));
        let context = Overlay { base: self.request.context, changed: self.changed.clone() };
        let request = Request { context: &context, ..*self.request };
        let prepared = Prepared::new(&request, bounded);
        let unnamed = crate::decide::unnamed_in(slot);
        let mut matching = ids.filter_map(|id| Some((id, set.statement(id)?)));
        let (id, statement) =
            matching.find(|(_, statement)| statement.deny && statement.matches(&prepared, unnamed).is_some())?;
        *held = Held::Made(Arc::new(set.edited(Some((id, edit(statement))), None)));
        Some(())
    }
}

/// A statement from its JSON.
pub(super) fn parse(statement: &Value) -> Option<Arc<Statement>> {
    let text = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    Document::parse(&text).ok()?.statements.first().cloned()
}
