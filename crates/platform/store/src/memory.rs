//! The in-memory twin: the store's semantics in their plainest form, for tests and as the suite's reference.
//!
//! One lock around everything; a transaction writes through and is undone on the first conflict. Nothing survives
//! the process.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::RwLock;
use stoa_types::{Clock, Timestamp};

use crate::{
    BlobName, Change, Document, Expect, IdempotencyRecord, Key, Lease, OutboxEvent, Page, Position, Query, Store,
    StoreError, Transaction, idempotency_key,
};

type Tags = Arc<Vec<(String, String)>>;

/// A store in memory.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    documents: BTreeMap<Key, Arc<Document>>,
    tags: BTreeMap<String, Tags>,
    outbox: BTreeMap<u64, OutboxEvent>,
    last_event: u64,
    idempotency: BTreeMap<(String, String), IdempotencyRecord>,
    leases: BTreeMap<String, (String, Timestamp)>,
    versions: BTreeMap<&'static str, u64>,
}

/// What to put back when a transaction fails halfway.
enum Undo {
    Document(Key, Option<Arc<Document>>),
    Tags(String, Option<Tags>),
    Event(u64),
    Idempotency((String, String), Option<IdempotencyRecord>),
}

impl MemoryStore {
    /// An empty store. The clock decides which idempotency records have expired.
    pub fn new(clock: Arc<dyn Clock>) -> MemoryStore {
        MemoryStore { clock, state: RwLock::default() }
    }
}

impl State {
    fn expect(&self, key: &Key, expect: Expect) -> Result<(), StoreError> {
        let found = self.documents.get(key).map(|document| document.generation);
        if expect.holds(found) { Ok(()) } else { Err(StoreError::conflict(key, found)) }
    }

    fn apply(&mut self, change: &Change, now: Timestamp) -> Result<Option<Undo>, StoreError> {
        match change {
            Change::Put { document, expect } => {
                self.expect(&document.key, *expect)?;
                let before = self.documents.get(&document.key).cloned();
                let generation = before.as_ref().map_or(0, |document| document.generation) + 1;
                let key = document.key.clone();
                self.documents.insert(key.clone(), Arc::new(Document { generation, ..document.clone() }));
                Ok(Some(Undo::Document(key, before)))
            }
            Change::Delete { key, expect } => {
                self.expect(key, *expect)?;
                Ok(Some(Undo::Document(key.clone(), self.documents.remove(key))))
            }
            Change::Require { key, expect } => self.expect(key, *expect).map(|()| None),
            Change::SetTags { arn, tags } => {
                let before = match tags.is_empty() {
                    true => self.tags.remove(arn),
                    false => self.tags.insert(arn.clone(), Arc::new(crate::sorted_tags(tags))),
                };
                Ok(Some(Undo::Tags(arn.clone(), before)))
            }
            Change::Emit(event) => {
                self.last_event += 1;
                self.outbox.insert(self.last_event, event.clone());
                Ok(Some(Undo::Event(self.last_event)))
            }
            Change::Remember(record) => {
                let key = (record.scope.clone(), record.token.clone());
                let before = self.idempotency.get(&key);
                if before.is_some_and(|before| before.expires_at > now) {
                    return Err(StoreError::conflict(&idempotency_key(&record.scope, &record.token), None));
                }
                let before = self.idempotency.insert(key.clone(), record.clone());
                Ok(Some(Undo::Idempotency(key, before)))
            }
        }
    }

    fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Document(key, Some(document)) => drop(self.documents.insert(key, document)),
            Undo::Document(key, None) => drop(self.documents.remove(&key)),
            Undo::Tags(arn, Some(tags)) => drop(self.tags.insert(arn, tags)),
            Undo::Tags(arn, None) => drop(self.tags.remove(&arn)),
            Undo::Event(sequence) => drop(self.outbox.remove(&sequence)),
            Undo::Idempotency(key, Some(record)) => drop(self.idempotency.insert(key, record)),
            Undo::Idempotency(key, None) => drop(self.idempotency.remove(&key)),
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Document>>, StoreError> {
        Ok(self.state.read().documents.get(key).cloned())
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        let after = Position::parse(query)?;
        let state = self.state.read();
        let mut found: Vec<(Position, &Arc<Document>)> = state
            .documents
            .values()
            .filter(|document| query.matches(document))
            .map(|document| (Position::of(document, query.sort_by), document))
            .filter(|(position, _)| after.as_ref().is_none_or(|after| position.compare(after, query.order).is_gt()))
            .collect();
        found.sort_by(|(left, _), (right, _)| left.compare(right, query.order));
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        let next = match found.last() {
            Some((position, _)) if more => Some(position.encode()?),
            _ => None,
        };
        Ok(Page { documents: found.into_iter().map(|(_, document)| Arc::clone(document)).collect(), next })
    }

    async fn count(&self, query: &Query) -> Result<u64, StoreError> {
        Ok(self.state.read().documents.values().filter(|document| query.matches(document)).count() as u64)
    }

    async fn commit(&self, transaction: Transaction) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut state = self.state.write();
        let mut undos = Vec::with_capacity(transaction.changes.len());
        for change in &transaction.changes {
            match state.apply(change, now) {
                Ok(undo) => undos.extend(undo),
                Err(error) => {
                    undos.into_iter().rev().for_each(|undo| state.undo(undo));
                    return Err(error);
                }
            }
        }
        for kind in transaction.touched_kinds() {
            *state.versions.entry(kind).or_default() += 1;
        }
        Ok(())
    }

    async fn tags(&self, arn: &str) -> Result<Tags, StoreError> {
        Ok(self.state.read().tags.get(arn).cloned().unwrap_or_default())
    }

    async fn idempotency(&self, scope: &str, token: &str) -> Result<Option<IdempotencyRecord>, StoreError> {
        let now = self.clock.now();
        let state = self.state.read();
        let record = state.idempotency.get(&(scope.to_owned(), token.to_owned()));
        Ok(record.filter(|record| record.expires_at > now).cloned())
    }

    async fn outbox(&self, after: u64, limit: usize) -> Result<Vec<(u64, OutboxEvent)>, StoreError> {
        let state = self.state.read();
        let events = state.outbox.range((Bound::Excluded(after), Bound::Unbounded));
        Ok(events.take(limit).map(|(sequence, event)| (*sequence, event.clone())).collect())
    }

    async fn outbox_done(&self, through: u64) -> Result<(), StoreError> {
        self.state.write().outbox.retain(|sequence, _| *sequence > through);
        Ok(())
    }

    async fn lease(&self, lease: &Lease) -> Result<bool, StoreError> {
        let mut state = self.state.write();
        let taken = state.leases.get(&lease.name);
        if taken.is_some_and(|(holder, until)| *holder != lease.holder && *until > lease.now) {
            return Ok(false);
        }
        state.leases.insert(lease.name.clone(), (lease.holder.clone(), lease.until));
        Ok(true)
    }

    async fn blob_names(&self, after: &BlobName, limit: usize) -> Result<Vec<BlobName>, StoreError> {
        let state = self.state.read();
        let named = |document: &Arc<Document>| -> Vec<BlobName> {
            document.blobs.iter().map(|digest| BlobName::of(&document.key, digest)).collect()
        };
        let mut found: Vec<BlobName> = state.documents.values().flat_map(named).filter(|name| name > after).collect();
        found.sort();
        found.truncate(limit);
        Ok(found)
    }

    fn version(&self, kind_prefix: &str) -> u64 {
        let state = self.state.read();
        let from = state.versions.range::<str, _>((Bound::Included(kind_prefix), Bound::Unbounded));
        from.take_while(|(kind, _)| kind.starts_with(kind_prefix)).map(|(_, version)| version).sum()
    }
}
