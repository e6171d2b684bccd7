//! Where a page starts: the sort value and key of the last document before it.
//!
//! A position is a point in the order, not a count: rows that come or go between two pages neither repeat nor hide
//! others. Drivers share this form, so a token survives a change of driver.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use stoa_types::Region;

use crate::{Document, Order, Outcome, Query, SortBy, StoreError};

/// The value a document is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SortValue {
    /// Milliseconds, for the time fields.
    Time(i64),
    /// Name or status.
    Text(String),
}

/// A point in the order of a query: sort value, account, region (empty for global), id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position(pub SortValue, pub String, pub String, pub String);

impl Position {
    /// Where this document stands when sorted so.
    pub fn of(document: &Document, sort_by: SortBy) -> Position {
        let value = match sort_by {
            SortBy::Name => SortValue::Text(document.name.clone()),
            SortBy::Status => SortValue::Text(document.status.clone()),
            SortBy::Created => SortValue::Time(document.created.millis()),
            SortBy::Modified => SortValue::Time(document.modified.millis()),
        };
        let key = &document.key;
        let region = key.region.as_ref().map_or("", Region::as_str);
        Position(value, key.account.as_str().to_owned(), region.to_owned(), key.id.clone())
    }
    /// The text for [`Query::after`].
    pub fn encode(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(StoreError::encoding)
    }
    /// The position a query starts after. Fails when it was made under another sort order.
    pub fn parse(query: &Query) -> Result<Option<Position>, StoreError> {
        let Some(text) = &query.after else { return Ok(None) };
        let position: Position =
            serde_json::from_str(text).map_err(|cause| StoreError::backend(Outcome::NotApplied, cause))?;
        let timed = matches!(query.sort_by, SortBy::Created | SortBy::Modified);
        if timed != matches!(position.0, SortValue::Time(_)) {
            return Err(StoreError::backend(Outcome::NotApplied, "the position belongs to another sort order"));
        }
        Ok(Some(position))
    }
    /// Compares in the direction of the query; ties are broken by key in the same direction.
    pub fn compare(&self, other: &Position, order: Order) -> Ordering {
        match order {
            Order::Ascending => self.cmp(other),
            Order::Descending => other.cmp(self),
        }
    }
}
