//! Many policies compiled into an index, so that a decision looks at the few statements that can match.
//!
//! Each resource pattern is filed under its rarest word (see `keys`); statements without such a word (`*`,
//! `NotResource`, trust policies) are filed as such. A bucket of more than a few postings is filed again by action: full
//! names by hash, wildcard patterns by their literal beginning. Postings carry a small filter of actions.
//!
//! INVARIANT: the index may offer too much, never too little: every statement that matches a request is among those
//! offered for it. The property tests compare with an evaluator that looks at all statements.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use crate::keys::{Anchor, MAX_PREFIX, Prepared, action_hash, anchors, name_bit, verb_bit};
use crate::statement::{Resources, Statement};
use crate::{Document, StatementRef};

/// Buckets up to this many postings are not filed again by action.
const FLAT: usize = 8;

/// The policies of one slot, compiled. Immutable; share it by `Arc` or reference.
#[derive(Debug, Default)]
pub struct PolicySet {
    policies: Vec<Arc<str>>,
    entries: Vec<Entry>,
    everywhere: Bucket,
    words: Buckets,
    starts: Buckets,
}

#[derive(Debug)]
struct Entry {
    statement: Arc<Statement>,
    policy: u32,
}

/// A statement, with a filter of the actions that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Posting {
    names: u64,
    verbs: u32,
    /// Position of the statement in the set.
    id: u32,
}

#[derive(Debug, Default)]
enum Bucket {
    #[default]
    Empty,
    Flat(Box<[Posting]>),
    ByAction(Box<ByAction>),
}

#[derive(Debug)]
struct ByAction {
    /// By hash of the full name.
    names: Table,
    /// By hash of the beginning of a pattern.
    starts: Table,
    /// Bit n: some pattern's beginning is n long.
    lengths: u64,
    lists: Vec<Box<[Posting]>>,
}

/// Buckets by hash.
#[derive(Debug, Default)]
struct Buckets {
    table: Table,
    /// Bit n: some key is n long. Only for beginnings of words.
    lengths: u64,
    buckets: Vec<Bucket>,
}

impl PolicySet {
    /// Compiles documents, each with the name or ARN that decisions will report.
    pub fn compile<'a>(documents: impl IntoIterator<Item = (Arc<str>, &'a Document)>) -> PolicySet {
        let (mut policies, mut entries) = (Vec::new(), Vec::new());
        for (name, document) in documents {
            let policy = u32::try_from(policies.len()).unwrap_or(u32::MAX);
            policies.push(name);
            let shared = document.statements.iter().cloned();
            entries.extend(shared.map(|statement| Entry { statement, policy }));
        }
        let mut set = PolicySet { policies, entries, ..PolicySet::default() };
        set.file();
        set
    }

    /// A set with one statement replaced (or left out) and one added, for what-if questions.
    pub(crate) fn edited(
        &self,
        change: Option<(u32, Option<Arc<Statement>>)>,
        add: Option<(Arc<str>, Arc<Statement>)>,
    ) -> PolicySet {
        let mut policies = self.policies.clone();
        let mut entries = Vec::with_capacity(self.entries.len() + 1);
        for (id, entry) in self.entries.iter().enumerate() {
            let statement = match &change {
                Some((at, new)) if *at as usize == id => new.clone(),
                _ => Some(Arc::clone(&entry.statement)),
            };
            entries.extend(statement.map(|statement| Entry { statement, policy: entry.policy }));
        }
        if let Some((name, statement)) = add {
            let policy = u32::try_from(policies.len()).unwrap_or(u32::MAX);
            policies.push(name);
            entries.push(Entry { statement, policy });
        }
        let mut set = PolicySet { policies, entries, ..PolicySet::default() };
        set.file();
        set
    }

    /// How many statements it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds no statement.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A statement by the position that a posting has.
    pub(crate) fn statement(&self, id: u32) -> Option<&Arc<Statement>> {
        self.entries.get(id as usize).map(|entry| &entry.statement)
    }

    /// What to report of a statement.
    pub(crate) fn reference(&self, id: u32) -> Option<StatementRef<'_>> {
        let entry = self.entries.get(id as usize)?;
        let policy = self.policies.get(entry.policy as usize)?;
        let statement = &entry.statement;
        Some(StatementRef { policy, sid: statement.sid.as_deref(), index: statement.index as usize })
    }

    /// Calls `found` with every statement that may match, some more than once, until it returns false.
    pub(crate) fn candidates(&self, prepared: &Prepared<'_>, mut found: impl FnMut(u32, &Statement) -> bool) {
        let mut going = true;
        let mut offer = |posting: &Posting| {
            if going && let Some(statement) = self.statement(posting.id) {
                going = found(posting.id, statement);
            }
        };
        self.everywhere.visit(prepared, &mut offer);
        if !self.words.buckets.is_empty() {
            for word in prepared.words() {
                if let Some(bucket) = self.words.get(word.hash) {
                    bucket.visit(prepared, &mut offer);
                }
            }
        }
        if self.starts.lengths != 0 {
            prepared.starts(self.starts.lengths, |hash| {
                if let Some(bucket) = self.starts.get(hash) {
                    bucket.visit(prepared, &mut offer);
                }
            });
        }
    }

    fn file(&mut self) {
        let (found, counts) = self.all_anchors();
        let (mut everywhere, mut words, mut starts) = (Vec::new(), Vec::new(), Vec::new());
        let mut lengths = 0;
        let mut found = found.iter();
        for (id, entry) in self.entries.iter().enumerate() {
            let statement = &*entry.statement;
            let posting = Posting::of(statement, u32::try_from(id).unwrap_or(u32::MAX));
            let Resources::Only(patterns) = &statement.resources else {
                everywhere.push(posting);
                continue;
            };
            let chosen: Vec<Option<Anchor>> =
                (0..patterns.len()).map(|_| found.next().and_then(|list| rarest(list, &counts))).collect();
            if chosen.iter().any(Option::is_none) {
                everywhere.push(posting);
                continue;
            }
            for anchor in chosen.into_iter().flatten() {
                if anchor.start {
                    lengths |= 1 << anchor.len;
                    starts.push((anchor.hash, posting));
                } else {
                    words.push((anchor.hash, posting));
                }
            }
        }
        self.everywhere = Bucket::of(everywhere, self);
        self.words = Buckets::of(words, 0, self);
        self.starts = Buckets::of(starts, lengths, self);
    }

    /// The anchors of each resource pattern in order, and how often each hash occurs.
    fn all_anchors(&self) -> (Vec<Vec<Anchor>>, Counts) {
        let mut found = Vec::with_capacity(self.entries.len());
        let mut counts = Counts::default();
        for entry in &self.entries {
            let Resources::Only(patterns) = &entry.statement.resources else { continue };
            for pattern in patterns {
                let mut list = Vec::with_capacity(8);
                anchors(pattern, &mut list);
                for anchor in &list {
                    *counts.entry(anchor.hash).or_insert(0) += 1;
                }
                found.push(list);
            }
        }
        (found, counts)
    }
}

type Counts = HashMap<u32, u32, BuildHasherDefault<Ready>>;

/// A hasher for keys that are hashes already.
#[derive(Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u32(&mut self, value: u32) {
        // The map takes its control bits from the top and its place from the bottom.
        self.0 = u64::from(value) << 32 | u64::from(value);
    }
}

fn rarest(anchors: &[Anchor], counts: &Counts) -> Option<Anchor> {
    let count = |anchor: &Anchor| counts.get(&anchor.hash).copied().unwrap_or(0);
    anchors.iter().min_by_key(|anchor| (count(anchor), anchor.start, u8::MAX - anchor.len)).copied()
}

impl Posting {
    fn of(statement: &Statement, id: u32) -> Posting {
        let actions = &statement.actions;
        if actions.not {
            return Posting { names: u64::MAX, verbs: u32::MAX, id };
        }
        let names = actions.exact().iter().fold(0, |bits, name| bits | name_bit(action_hash(name)));
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
    fn of(mut postings: Vec<Posting>, set: &PolicySet) -> Bucket {
        postings.dedup();
        match postings.len() {
            0 => Bucket::Empty,
            1..=FLAT => Bucket::Flat(postings.into()),
            _ => Bucket::ByAction(Box::new(ByAction::of(&postings, set))),
        }
    }

    #[inline]
    fn visit(&self, prepared: &Prepared<'_>, offer: &mut impl FnMut(&Posting)) {
        match self {
            Bucket::Empty => {}
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
            names.extend(statement.actions.exact().iter().map(|name| (action_hash(name), *posting)));
            statement.actions.glob_prefixes().for_each(|start| start_at(start, *posting));
        }
        let mut lists = Vec::new();
        let names = Table::of(groups(names), |list| lists.push(list.into_boxed_slice()));
        let offset = lists.len() as u32;
        let starts = Table::of(groups(starts), |list| lists.push(list.into_boxed_slice())).shifted(offset);
        ByAction { names, starts, lengths, lists }
    }

    #[inline]
    fn list(&self, table: &Table, hash: u32) -> Option<&[Posting]> {
        self.lists.get(table.get(hash)? as usize).map(|list| &**list)
    }
}

impl Buckets {
    fn of(postings: Vec<(u32, Posting)>, lengths: u64, set: &PolicySet) -> Buckets {
        let mut buckets = Vec::new();
        let table = Table::of(groups(postings), |list| buckets.push(Bucket::of(list, set)));
        Buckets { table, lengths, buckets }
    }

    #[inline]
    fn get(&self, hash: u32) -> Option<&Bucket> {
        self.buckets.get(self.table.get(hash)? as usize)
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
    filter: Vec<u64>,
    slots: Vec<(u32, u32)>,
}

const FREE: u32 = u32::MAX;

impl Table {
    /// Stores the groups in order, handing each list to `keep`; their positions count from 0.
    fn of(groups: Vec<(u32, Vec<Posting>)>, mut keep: impl FnMut(Vec<Posting>)) -> Table {
        if groups.is_empty() {
            return Table::default();
        }
        let size = (groups.len() * 2).next_power_of_two();
        let mut table = Table { filter: vec![0; (size / 8).max(1)], slots: vec![(0, FREE); size] };
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

#[cfg(test)]
#[path = "index/tests.rs"]
mod tests;
