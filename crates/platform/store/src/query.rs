//! Queries over the promoted index fields, and nothing else: an unindexed filter does not compile.

use std::sync::Arc;

use stoa_types::{AccountId, Region, Timestamp};

use crate::{Document, Key};

/// A page of documents of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The kind.
    pub kind: &'static str,
    /// The owning account; none for all accounts (reconcilers, name lookups across accounts).
    pub account: Option<AccountId>,
    /// The region; none for all regions and for global resources.
    pub region: Option<Region>,
    /// Children of this parent only.
    pub parent: Option<String>,
    /// Exactly this name.
    pub name: Option<String>,
    /// Names that start with this (case-sensitive).
    pub name_prefix: Option<String>,
    /// Names that contain this (case-insensitive, as SageMaker's `NameContains`).
    pub name_contains: Option<String>,
    /// Any of these statuses; empty for all.
    pub statuses: Vec<String>,
    /// By time of creation.
    pub created: TimeRange,
    /// By time of change.
    pub modified: TimeRange,
    /// What to sort by.
    pub sort_by: SortBy,
    /// Which way.
    pub order: Order,
    /// Start after this document (its sort value and key), as a page token carries it.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// Half-open on neither side: after and before exclude their own instant, as AWS's filters do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeRange {
    /// Later than this.
    pub after: Option<Timestamp>,
    /// Earlier than this.
    pub before: Option<Timestamp>,
}

/// Fields to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortBy {
    /// The name, in byte order.
    #[default]
    Name,
    /// Time of creation.
    Created,
    /// Time of change.
    Modified,
    /// The status.
    Status,
}

/// Directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Smallest first.
    #[default]
    Ascending,
    /// Largest first.
    Descending,
}

/// What a query found.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The documents, in order.
    pub documents: Vec<Arc<Document>>,
    /// Where the next page starts; none at the end. Opaque: for [`Query::after`].
    pub next: Option<String>,
}

impl Query {
    /// All documents of a kind, by name, up to 100.
    pub fn of(kind: &'static str) -> Query {
        Query {
            kind,
            account: None,
            region: None,
            parent: None,
            name: None,
            name_prefix: None,
            name_contains: None,
            statuses: Vec::new(),
            created: TimeRange::default(),
            modified: TimeRange::default(),
            sort_by: SortBy::Name,
            order: Order::Ascending,
            after: None,
            limit: 100,
        }
    }
    /// Those of one account and region (none: global).
    #[must_use]
    pub fn owned_by(mut self, account: &AccountId, region: Option<&Region>) -> Query {
        self.account = Some(account.clone());
        self.region = region.cloned();
        self
    }
    /// Children of a parent.
    #[must_use]
    pub fn children_of(mut self, parent: &str) -> Query {
        self.parent = Some(parent.to_owned());
        self
    }
    /// At most so many.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Query {
        self.limit = limit;
        self
    }
    /// Whether the document passes every filter but position. The in-memory twin is made of this.
    pub fn matches(&self, document: &Document) -> bool {
        let Key { kind, account, region, .. } = &document.key;
        let in_range = |range: &TimeRange, time: Timestamp| {
            range.after.is_none_or(|after| time > after) && range.before.is_none_or(|before| time < before)
        };
        *kind == self.kind
            && self.account.as_ref().is_none_or(|wanted| wanted == account)
            && self.region.as_ref().is_none_or(|wanted| Some(wanted) == region.as_ref())
            && self.parent.as_ref().is_none_or(|wanted| document.parent.as_ref() == Some(wanted))
            && self.name.as_ref().is_none_or(|wanted| &document.name == wanted)
            && self.name_prefix.as_ref().is_none_or(|prefix| document.name.starts_with(prefix.as_str()))
            && self.name_contains.as_ref().is_none_or(|part| contains_ignoring_case(&document.name, part))
            && (self.statuses.is_empty() || self.statuses.contains(&document.status))
            && in_range(&self.created, document.created)
            && in_range(&self.modified, document.modified)
    }
}

fn contains_ignoring_case(text: &str, part: &str) -> bool {
    text.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
}
