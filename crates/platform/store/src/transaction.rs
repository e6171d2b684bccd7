//! What is written at once: documents, tags, events and idempotency records, all or nothing.

use std::collections::BTreeSet;

use stoa_types::{AccountId, Timestamp};

use crate::{Document, Key};

/// A list of changes that is applied whole or not at all.
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    /// In order.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Clone)]
pub enum Change {
    /// Writes a document; the store sets its generation.
    Put {
        /// The document.
        document: Document,
        /// What must be there now.
        expect: Expect,
    },
    /// Removes a document.
    Delete {
        /// Its key.
        key: Key,
        /// What must be there now.
        expect: Expect,
    },
    /// Holds the whole transaction to a document that is not written (a parent that must still exist).
    Require {
        /// Its key.
        key: Key,
        /// What must be there now.
        expect: Expect,
    },
    /// Replaces all tags of a resource; an empty list removes them.
    SetTags {
        /// The resource's ARN.
        arn: String,
        /// Key and value.
        tags: Vec<(String, String)>,
    },
    /// Appends an event for others to follow.
    Emit(OutboxEvent),
    /// Remembers the answer to an idempotent request. Conflicts (over [`idempotency_key`]) when another answer to the
    /// same scope and token is remembered and has not expired: of two concurrent requests, one wins.
    Remember(IdempotencyRecord),
}

/// What must be there for a change to apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Absent,
    /// A document, at any generation.
    Present,
    /// A document at this generation.
    Generation(u64),
    /// Anything or nothing.
    Any,
}

impl Expect {
    /// Whether a document at this generation (none: no document) meets the expectation.
    pub fn holds(self, found: Option<u64>) -> bool {
        match self {
            Expect::Absent => found.is_none(),
            Expect::Present => found.is_some(),
            Expect::Generation(wanted) => found == Some(wanted),
            Expect::Any => true,
        }
    }
}

/// What [`crate::Store::version`] counts changes of tags under.
pub const TAGS_KIND: &str = "tags:";

/// What a conflict over a remembered request names.
pub fn idempotency_key(scope: &str, token: &str) -> Key {
    Key { kind: "store:idempotency", account: AccountId::aws(), region: None, id: format!("{scope}/{token}") }
}

/// Tags in order of key; of equal keys the last one stays.
pub fn sorted_tags(tags: &[(String, String)]) -> Vec<(String, String)> {
    let map: std::collections::BTreeMap<_, _> = tags.iter().cloned().collect();
    map.into_iter().collect()
}

/// Something that happened, for dispatchers (EventBridge, metrics, logs).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEvent {
    /// Such as `sagemaker.endpoint.state`.
    pub topic: String,
    /// The ARN it is about.
    pub subject: String,
    /// When.
    pub at: Timestamp,
    /// JSON.
    pub body: String,
}

/// The answer to an idempotent request, kept with a hash of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Account, region and operation.
    pub scope: String,
    /// The client's token.
    pub token: String,
    /// SHA-256 of the request, hex.
    pub request_hash: String,
    /// The answer, JSON.
    pub result: String,
    /// When it may be forgotten.
    pub expires_at: Timestamp,
}

/// The right to work on something until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What is worked on.
    pub name: String,
    /// Who works.
    pub holder: String,
    /// Now.
    pub now: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

impl Transaction {
    /// No changes yet.
    pub fn new() -> Transaction {
        Transaction::default()
    }
    fn with(mut self, change: Change) -> Transaction {
        self.changes.push(change);
        self
    }
    /// Writes a document that must not exist.
    #[must_use]
    pub fn create(self, document: Document) -> Transaction {
        self.with(Change::Put { document, expect: Expect::Absent })
    }
    /// Writes back a document that must still be at the generation it was read at.
    #[must_use]
    pub fn update(self, document: Document) -> Transaction {
        let expect = Expect::Generation(document.generation);
        self.with(Change::Put { document, expect })
    }
    /// Writes a document whatever is there.
    #[must_use]
    pub fn put(self, document: Document) -> Transaction {
        self.with(Change::Put { document, expect: Expect::Any })
    }
    /// Removes a document.
    #[must_use]
    pub fn delete(self, key: Key, expect: Expect) -> Transaction {
        self.with(Change::Delete { key, expect })
    }
    /// Holds the transaction to a document it does not write.
    #[must_use]
    pub fn require(self, key: Key, expect: Expect) -> Transaction {
        self.with(Change::Require { key, expect })
    }
    /// Replaces the tags of a resource.
    #[must_use]
    pub fn set_tags(self, arn: &str, tags: Vec<(String, String)>) -> Transaction {
        self.with(Change::SetTags { arn: arn.to_owned(), tags })
    }
    /// Appends an event.
    #[must_use]
    pub fn emit(self, event: OutboxEvent) -> Transaction {
        self.with(Change::Emit(event))
    }
    /// Remembers the answer to an idempotent request.
    #[must_use]
    pub fn remember(self, record: IdempotencyRecord) -> Transaction {
        self.with(Change::Remember(record))
    }
    /// The kinds whose version this transaction raises.
    pub fn touched_kinds(&self) -> BTreeSet<&'static str> {
        let kind = |change: &Change| match change {
            Change::Put { document, .. } => Some(document.key.kind),
            Change::Delete { key, .. } => Some(key.kind),
            Change::SetTags { .. } => Some(TAGS_KIND),
            Change::Require { .. } | Change::Emit(_) | Change::Remember(_) => None,
        };
        self.changes.iter().filter_map(kind).collect()
    }
}
