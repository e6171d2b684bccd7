//! Counting: what changed, by principal and action.

use std::collections::{BTreeMap, VecDeque};

use stoa_kernel::ports::Rehearsed;
use stoa_models_stoa::types::{Decision, ReplayChange, ReplayPolicyResponse};

use crate::words;

/// Groups of changes that are kept; beyond them changes are only counted.
pub(super) const MOST_GROUPS: usize = 10_000;

/// A call that comes out differently.
pub(super) struct Change<'c> {
    pub principal: &'c str,
    pub request_id: &'c str,
    /// Of the decision that makes the difference.
    pub action: &'c str,
    pub from: bool,
    pub to: bool,
    pub judged: &'c Rehearsed,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    principal: String,
    action: String,
    from: bool,
    to: bool,
}

struct Group {
    count: i64,
    newest: VecDeque<String>,
    sample: Rehearsed,
}

/// Everything that is counted.
#[derive(Default)]
pub(super) struct Tally {
    pub read: i64,
    pub replayed: i64,
    pub without_decision: i64,
    pub undecidable: i64,
    pub in_scope: i64,
    pub unchanged: i64,
    newly_denied: i64,
    newly_allowed: i64,
    drifts: i64,
    changes: BTreeMap<Key, Group>,
    drift: BTreeMap<Key, Group>,
    truncated: bool,
    examples: usize,
}

impl Tally {
    /// Nothing yet.
    pub fn new(examples: usize) -> Tally {
        Tally { examples, ..Tally::default() }
    }

    /// The candidate's doing.
    pub fn changed(&mut self, change: Change<'_>) {
        if change.to {
            self.newly_allowed += 1;
        } else {
            self.newly_denied += 1;
        }
        self.truncated |= !add(&mut self.changes, change, self.examples);
    }

    /// The doing of changes of policy since the call.
    pub fn drifted(&mut self, change: Change<'_>) {
        self.drifts += 1;
        self.truncated |= !add(&mut self.drift, change, self.examples);
    }

    pub fn answer(self) -> ReplayPolicyResponse {
        let mut notes = Vec::new();
        if self.undecidable > 0 {
            notes.push(format!(
                "{} calls cannot be replayed: their principal is gone, or session policies decided, which are not recorded",
                self.undecidable
            ));
        }
        if self.truncated {
            notes.push(format!("more than {MOST_GROUPS} groups of changes: the rest is only counted"));
        }
        ReplayPolicyResponse {
            calls_read: self.read,
            calls_replayed: self.replayed,
            calls_without_decision: self.without_decision,
            calls_undecidable: self.undecidable,
            calls_in_scope: self.in_scope,
            unchanged: self.unchanged,
            newly_denied: self.newly_denied,
            newly_allowed: self.newly_allowed,
            drifted: self.drifts,
            changes: listed(self.changes, true),
            drift: listed(self.drift, false),
            truncated: self.truncated,
            notes,
        }
    }
}

/// Whether there was room.
fn add(groups: &mut BTreeMap<Key, Group>, change: Change<'_>, examples: usize) -> bool {
    let key = Key {
        principal: change.principal.to_owned(),
        action: change.action.to_owned(),
        from: change.from,
        to: change.to,
    };
    if groups.len() >= MOST_GROUPS && !groups.contains_key(&key) {
        return false;
    }
    let group =
        groups.entry(key).or_insert_with(|| Group { count: 0, newest: VecDeque::new(), sample: change.judged.clone() });
    group.count += 1;
    group.newest.push_back(change.request_id.to_owned());
    if group.newest.len() > examples {
        group.newest.pop_front();
    }
    true
}

/// The most frequent first.
fn listed(groups: BTreeMap<Key, Group>, by_candidate: bool) -> Vec<ReplayChange> {
    let decision = |allowed: bool| if allowed { Decision::Allowed } else { Decision::Denied };
    let mut listed: Vec<ReplayChange> = groups
        .into_iter()
        .map(|(key, group)| {
            let Rehearsed { then, slot, matched, .. } = group.sample;
            ReplayChange {
                reason: by_candidate.then(|| words::reason(then, slot, &key.action)),
                slot: by_candidate.then(|| words::slot(slot)),
                matched: matched.filter(|_| by_candidate).as_ref().map(words::statement),
                principal_arn: key.principal,
                action: key.action,
                from: decision(key.from),
                to: decision(key.to),
                count: group.count,
                example_request_ids: group.newest.into(),
            }
        })
        .collect();
    listed.sort_by_key(|change| std::cmp::Reverse(change.count));
    listed
}
