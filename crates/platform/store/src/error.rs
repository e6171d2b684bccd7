//! What can go wrong in a store, and whether a write may have happened all the same.

use std::error::Error;

use crate::Key;

/// Whether the write of a failed commit happened. Retries look at this and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Surely not: safe to try again.
    NotApplied,
    /// Perhaps.
    Unknown,
}

/// A store's error.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An expectation did not hold: the document exists already, is gone, or has another generation.
    /// Becomes the operation's own wire error (`ResourceInUse`, `ResourceNotFound`) or a retry.
    #[error("`{key}` does not have the expected generation")]
    Conflict {
        /// The document.
        key: Box<Key>,
        /// Its generation now; none when it does not exist.
        found: Option<u64>,
    },
    /// A body has not the form its schema version promises. Internal.
    #[error("the document `{key}` cannot be read")]
    Corrupt {
        /// The document.
        key: Box<Key>,
        /// Why.
        source: serde_json::Error,
    },
    /// A body cannot be written as JSON. Internal.
    #[error("the document cannot be encoded")]
    Encoding(#[source] serde_json::Error),
    /// The backend failed. Internal (503 when nothing was applied).
    #[error("the store failed")]
    Backend {
        /// Whether the write happened.
        outcome: Outcome,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    /// A conflict over this document.
    pub fn conflict(key: &Key, found: Option<u64>) -> StoreError {
        StoreError::Conflict { key: Box::new(key.clone()), found }
    }
    /// A body that does not parse.
    pub fn corrupt(key: &Key, source: serde_json::Error) -> StoreError {
        StoreError::Corrupt { key: Box::new(key.clone()), source }
    }
    /// A body that does not serialize.
    pub fn encoding(source: serde_json::Error) -> StoreError {
        StoreError::Encoding(source)
    }
    /// A backend failure.
    pub fn backend(outcome: Outcome, source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        StoreError::Backend { outcome, source: source.into() }
    }
    /// Whether this is a conflict.
    pub fn is_conflict(&self) -> bool {
        matches!(self, StoreError::Conflict { .. })
    }
}
