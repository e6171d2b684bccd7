//! Postings filed by hash: a bucket for each hash, a large bucket filed again by action.
//!
//! INVARIANT: a bucket offers every posting that was filed in it whose statement can cover the action.

use super::PolicySet;
use crate::keys::{MAX_PREFIX, Prepared, action_hash, name_bit, verb_bit};
use crate::statement::Statement;

/// Buckets up to this many postings are not filed again by action.
pub(super) const FLAT: usize = 8;

/// A statement, with a filter of the actions that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Posting {
    names: u64,
    verbs: u32,
    /// Position of the statement in the set.
    pub id: u32,
}

#[derive(Debug, Default)]
pub(super) enum Bucket {
    #[default]
    Empty,
    One(Posting),
    Flat(Box<[Posting]>),
    ByAction(Box<ByAction>),
}

#[derive(Debug)]
pub(super) struct ByAction {
    /// By hash of the full name.
    names: Table,
    /// By hash of the beginning of a pattern.
    starts: Table,
    /// Bit n: some pattern's beginning is n long.
    lengths: u64,
    lists: Box<[Box<[Posting]>]>,
}

/// Buckets by hash.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    table: Table,
    buckets: Box<[Bucket]>,
}

impl Posting {
    pub fn of(statement: &Statement, id: u32) -> Posting {
        let actions = &statement.actions;
        if actions.not {
            return Posting { names: u64::MAX, verbs: u32::MAX, id };
        }
        let names = actions.exact().fold(0, |bits, name| bits | name_bit(action_hash(name)));
        let verbs =
            actions.glob_prefixes().fold(0, |bits, start| bits | verb_bit(start.as_bytes()).unwrap_or(u32::MAX));
        // A name too short to have a verb bit must still be found through a pattern that has all of them.
        let names = if verbs == u32::MAX { u64::MAX } else { names };
        Posting { names, verbs, id }
    }

    #[inline]
    fn may_cover(&self, prepared: &Prepared<'_>) -> bool {
        self.names & prepared.name_bit != 0 || self.verbs & prepared.verb_bit != 0
    }
}

impl Bucket {
    pub fn of(mut postings: Vec<Posting>, set: &PolicySet) -> Bucket {
        postings.dedup();
        match *postings {
            [] => Bucket::Empty,
            [one] => Bucket::One(one),
            _ if postings.len() <= FLAT => Bucket::Flat(postings.into()),
            _ => Bucket::ByAction(Box::new(ByAction::of(&postings, set))),
        }
    }

    #[inline]
    pub fn visit(&self, prepared: &Prepared<'_>, offer: &mut impl FnMut(&Posting)) {
        match self {
            Bucket::Empty => {}
            Bucket::One(posting) => {
                if posting.may_cover(prepared) {
                    offer(posting);
                }
            }
            Bucket::Flat(postings) => {
                postings.iter().filter(|posting| posting.may_cover(prepared)).for_each(offer);
            }
            Bucket::ByAction(index) => {
                if let Some(list) = index.list(&index.names, prepared.action_hash) {
                    list.iter().for_each(&mut *offer);
                }
                prepared.action_starts(index.lengths, |hash| {
                    if let Some(list) = index.list(&index.starts, hash) {
                        list.iter().for_each(&mut *offer);
                    }
                });
            }
        }
    }
}

impl ByAction {
    fn of(postings: &[Posting], set: &PolicySet) -> ByAction {
        let (mut names, mut starts, mut lengths) = (Vec::new(), Vec::new(), 0);
        let mut start_at = |start: &str, posting: Posting| {
            let kept = start.get(..MAX_PREFIX).unwrap_or(start);
            // A cut inside a character would leave a longer text: file it under everything instead.
            let kept = if kept.len() > MAX_PREFIX { "" } else { kept };
            lengths |= 1 << kept.len();
            starts.push((action_hash(kept), posting));
        };
        for posting in postings {
            let Some(statement) = set.statement(posting.id) else { continue };
            if statement.actions.not {
                start_at("", *posting);
                continue;
            }
            names.extend(statement.actions.exact().map(|name| (action_hash(name), *posting)));
            statement.actions.glob_prefixes().for_each(|start| start_at(start, *posting));
        }
        let mut lists = Vec::new();
        let names = Table::of(groups(names), |list| lists.push(list.into_boxed_slice()));
        let offset = lists.len() as u32;
        let starts = Table::of(groups(starts), |list| lists.push(list.into_boxed_slice())).shifted(offset);
        ByAction { names, starts, lengths, lists: lists.into() }
    }

    #[inline]
    fn list(&self, table: &Table, hash: u32) -> Option<&[Posting]> {
        self.lists.get(table.get(hash)? as usize).map(|list| &**list)
    }
}

impl Buckets {
    pub fn of(postings: Vec<(u32, Posting)>, set: &PolicySet) -> Buckets {
        let mut buckets = Vec::new();
        let table = Table::of(groups(postings), |list| buckets.push(Bucket::of(list, set)));
        Buckets { table, buckets: buckets.into() }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    #[inline]
    pub fn visit(&self, hash: u32, prepared: &Prepared<'_>, offer: &mut impl FnMut(&Posting)) {
        if let Some(at) = self.table.get(hash)
            && let Some(bucket) = self.buckets.get(at as usize)
        {
            bucket.visit(prepared, offer);
        }
    }
}

/// Groups postings by hash, in order of the statements and without repeats.
fn groups(mut postings: Vec<(u32, Posting)>) -> Vec<(u32, Vec<Posting>)> {
    postings.sort_by_key(|(hash, posting)| (*hash, posting.id));
    postings.dedup();
    let mut grouped: Vec<(u32, Vec<Posting>)> = Vec::new();
    for (hash, posting) in postings {
        match grouped.last_mut() {
            Some((last, list)) if *last == hash => list.push(posting),
            _ => grouped.push((hash, vec![posting])),
        }
    }
    grouped
}

/// From hash to position: open addressing at half load, behind a bit filter that stays in the nearest cache.
#[derive(Debug, Default)]
struct Table {
    filter: Box<[u64]>,
    slots: Box<[(u32, u32)]>,
}

const FREE: u32 = u32::MAX;

impl Table {
    /// Stores the groups in order, handing each list to `keep`; their positions count from 0.
    fn of(groups: Vec<(u32, Vec<Posting>)>, mut keep: impl FnMut(Vec<Posting>)) -> Table {
        if groups.is_empty() {
            return Table::default();
        }
        let size = (groups.len() * 2).next_power_of_two();
        let mut table = Table { filter: vec![0; (size / 8).max(1)].into(), slots: vec![(0, FREE); size].into() };
        for (at, (hash, list)) in groups.into_iter().enumerate() {
            keep(list);
            table.insert(hash, at as u32);
        }
        table
    }

    fn shifted(mut self, offset: u32) -> Table {
        self.slots.iter_mut().filter(|(_, value)| *value != FREE).for_each(|(_, value)| *value += offset);
        self
    }

    fn insert(&mut self, hash: u32, value: u32) {
        let (word, bit) = self.filter_place(hash);
        if let Some(word) = self.filter.get_mut(word) {
            *word |= bit;
        }
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while let Some(slot) = self.slots.get_mut(at) {
            if slot.1 == FREE {
                *slot = (hash, value);
                return;
            }
            at = (at + 1) & mask;
        }
    }

    #[inline]
    fn filter_place(&self, hash: u32) -> (usize, u64) {
        // The filter's size is a power of two, as the slots' is.
        ((hash >> 6) as usize & (self.filter.len().wrapping_sub(1)), 1 << (hash & 63))
    }

    #[inline]
    fn get(&self, hash: u32) -> Option<u32> {
        let (word, bit) = self.filter_place(hash);
        if self.filter.get(word)? & bit == 0 {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        // INVARIANT: half of the slots are free, so the walk ends.
        while let Some((key, value)) = self.slots.get(at) {
            if *value == FREE {
                return None;
            }
            if *key == hash {
                return Some(*value);
            }
            at = (at + 1) & mask;
        }
        None
    }
}
