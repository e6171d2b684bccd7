//! Many policies compiled into an index, so that a decision looks at the few statements that can match.
//!
//! Each statement is filed under whatever is rarest among what it requires (see `keys` and `index/filing.rs`); statements
//! that require nothing such are filed as being everywhere. A bucket of more than a few postings is filed again by action:
//! full names by hash, wildcard patterns by their literal beginning. Postings carry a small filter of actions.
//!
//! INVARIANT: the index may offer too much, never too little: every statement that matches a request is among those
//! offered for it. The property tests compare with an evaluator that looks at all statements.

mod filing;
mod table;

use std::sync::Arc;

use crate::keys::{Prepared, value_hash};
use crate::statement::Statement;
use crate::{Document, StatementRef};
use table::{Bucket, Buckets, Posting};

/// The policies of one slot, compiled. Immutable; share it by `Arc` or reference.
#[derive(Debug, Default)]
pub struct PolicySet {
    policies: Box<[Arc<str>]>,
    entries: Box<[Entry]>,
    filed: Filed,
}

#[derive(Debug)]
struct Entry {
    statement: Arc<Statement>,
    policy: u32,
}

/// Where the statements are filed.
#[derive(Debug, Default)]
struct Filed {
    everywhere: Bucket,
    /// By whole words of resources.
    words: Buckets,
    /// By beginnings of words; bit n of the lengths: some are n long.
    starts: Buckets,
    lengths: u64,
    /// By four bytes of resources, from a place on.
    grams: Buckets,
    gram_from: usize,
    /// By names of principals.
    names: Buckets,
    /// By values of condition keys; the keys with their seeds.
    values: Buckets,
    keys: Box<[(Box<str>, u32)]>,
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
        PolicySet::of(policies, entries)
    }

    fn of(policies: Vec<Arc<str>>, entries: Vec<Entry>) -> PolicySet {
        let mut set = PolicySet { policies: policies.into(), entries: entries.into(), filed: Filed::default() };
        set.filed = filing::file(&set);
        set
    }

    /// A set with one statement replaced (or left out) and one added, for what-if questions.
    pub(crate) fn edited(
        &self,
        change: Option<(u32, Option<Arc<Statement>>)>,
        add: Option<(Arc<str>, Arc<Statement>)>,
    ) -> PolicySet {
        let mut policies = self.policies.to_vec();
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
        PolicySet::of(policies, entries)
    }

    /// The same policies with one more, or with one in the place of another; none when there is no policy to replace.
    pub fn with(&self, name: Arc<str>, document: &Document, replaces: Option<&str>) -> Option<PolicySet> {
        let replaced = self.policies.iter().position(|policy| replaces == Some(&**policy));
        if replaces.is_some() && replaced.is_none() {
            return None;
        }
        let mut policies = self.policies.to_vec();
        let place = match replaced.and_then(|at| policies.get_mut(at).map(|old| (at, old))) {
            Some((at, old)) => {
                *old = name;
                at
            }
            None => {
                policies.push(name);
                policies.len() - 1
            }
        };
        let policy = u32::try_from(place).unwrap_or(u32::MAX);
        let kept = self.entries.iter().filter(|entry| entry.policy != policy);
        let kept = kept.map(|entry| Entry { statement: Arc::clone(&entry.statement), policy: entry.policy });
        let new = document.statements.iter().map(|statement| Entry { statement: Arc::clone(statement), policy });
        Some(PolicySet::of(policies, kept.chain(new).collect()))
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
        let filed = &self.filed;
        // Statements that are filed under values of a key that is not known may match whatever it holds.
        let unknown = |(key, _): &(Box<str>, u32)| prepared.request.context.is_unknown(key);
        if prepared.lean.is_some() && filed.keys.iter().any(unknown) {
            let all = self.entries.iter().enumerate();
            all.take_while(|(id, entry)| found(*id as u32, &entry.statement)).for_each(drop);
            return;
        }
        let mut offer = |posting: &Posting| {
            if going && let Some(statement) = self.statement(posting.id) {
                going = found(posting.id, statement);
            }
        };
        filed.everywhere.visit(prepared, &mut offer);
        if !filed.words.is_empty() {
            for word in prepared.words() {
                filed.words.visit(word.hash, prepared, &mut offer);
            }
        }
        if filed.lengths != 0 {
            prepared.starts(filed.lengths, |hash| filed.starts.visit(hash, prepared, &mut offer));
        }
        if !filed.grams.is_empty() {
            prepared.grams(filed.gram_from, |hash| filed.grams.visit(hash, prepared, &mut offer));
        }
        if !filed.names.is_empty() {
            prepared.names().iter().for_each(|hash| filed.names.visit(*hash, prepared, &mut offer));
        }
        for (key, seed) in &filed.keys {
            if let Some(values) = prepared.request.context.get(key) {
                values.for_each(|value| filed.values.visit(value_hash(*seed, value), prepared, &mut offer));
            }
        }
    }
}

#[cfg(test)]
#[path = "index/tests.rs"]
mod tests;
