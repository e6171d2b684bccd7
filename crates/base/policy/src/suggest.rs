//! The smallest changes that would allow a refused request.
//!
//! A search, not a table: what stands in the way is read off the decision, one change is applied to a copy of the
//! policies or the request, and the decision is made again, until it is Allow. So every suggestion is proven by
//! [`crate::decide`] before it is offered; what cannot be proven is not. Pure, and bounded by [`MOST_STEPS`].

mod change;
mod options;
mod wording;
mod world;

pub use change::{Change, KeySource, Suggestion};

use crate::{Effect, Request, Slots};
use options::Step;
use world::World;

/// Alternatives that are offered at most.
const MOST_SUGGESTIONS: usize = 8;
/// Changes in one suggestion at most: a request with more in its way is not one change from being allowed.
const MOST_STEPS: usize = 48;

/// The ways to allow a request that is refused, the smallest first; none for a request that is allowed.
pub(crate) fn suggestions(slots: &Slots<'_>, request: &Request<'_>) -> Vec<Suggestion> {
    let start = World::new(slots, request);
    if start.decide().effect == Effect::Allow {
        return Vec::new();
    }
    let mut found: Vec<(u32, Suggestion)> = Vec::new();
    for first in options::of(&start).into_iter().take(MOST_SUGGESTIONS * 2) {
        let Some(steps) = complete(&start, first) else { continue };
        let cost = steps.iter().map(|step| step.cost).sum();
        let changes: Vec<Change> = steps.into_iter().flat_map(|step| step.changes).collect();
        if found.iter().all(|(_, other)| other.changes != changes) {
            found.push((cost, Suggestion { sentence: wording::sentence(&changes, request), changes }));
        }
    }
    found.sort_by_key(|(cost, _)| *cost);
    found.into_iter().take(MOST_SUGGESTIONS).map(|(_, suggestion)| suggestion).collect()
}

/// Goes on from a first step, by changes of the same sort where there are any, until the request is allowed.
fn complete<'a>(start: &World<'a>, first: Step) -> Option<Vec<Step>> {
    let mut world = start.clone();
    let policy = first.changes_policy;
    let mut steps = Vec::new();
    let mut next = Some(first);
    while let Some(step) = next.take() {
        for change in &step.changes {
            world.apply(change)?;
        }
        steps.push(step);
        if world.decide().effect == Effect::Allow {
            return Some(steps);
        }
        if steps.len() == MOST_STEPS {
            return None;
        }
        let mut choices: Vec<Step> = options::of(&world).into_iter().filter(|step| !repeats(step, &steps)).collect();
        choices.sort_by_key(|step| (step.changes_policy != policy, step.cost));
        next = choices.into_iter().next();
    }
    None
}

/// Whether a step would undo or repeat one that was taken.
fn repeats(step: &Step, taken: &[Step]) -> bool {
    let key = |change: &Change| match change {
        Change::SetKey { key, .. } => Some(key.clone()),
        _ => None,
    };
    let before = || taken.iter().flat_map(|step| &step.changes);
    step.changes.iter().any(|change| before().any(|old| old == change || key(old).is_some() && key(old) == key(change)))
}
