//! Pages over a list that is whole in memory (hubs of an account, contents of a hub).
//!
//! A token carries the sort key and name of the last item shown, sealed for the request it was made for. It is a point
//! in the order, not a count: items that come or go between two pages neither repeat nor hide others. It also carries
//! when it was made, and ends a day later.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_kernel::ApiError;
use stoa_store::PageTokens;
use stoa_types::Timestamp;

/// SageMaker's default page.
const DEFAULT_PAGE: usize = 10;
/// How long a token is good: 24 hours, as AWS.
const TOKEN_LIFE_MILLIS: i64 = 24 * 3600 * 1000;

/// What an item is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SortKey {
    /// Milliseconds, or the parts of a version as one number.
    Number(i64),
    /// A name or a status.
    Text(String),
}

/// How a page was asked for.
#[derive(Debug)]
pub struct Paging<'a> {
    /// The installation's tokens.
    pub tokens: &'a PageTokens,
    /// Account, region, operation and every filter: a token of another request does not open.
    pub scope: String,
    /// Smallest first.
    pub ascending: bool,
    /// At most so many; the operation's default when none.
    pub max_results: Option<i64>,
    /// Where to go on.
    pub next_token: Option<String>,
    /// When the request came.
    pub now: Timestamp,
}

/// An item with its place in the order.
pub type Keyed<T> = ((SortKey, String), T);

/// The page of a list that comes one item after the other, in any order. INVARIANT: it holds the items of the page and
/// one more, however many come.
#[derive(Debug)]
pub struct Best<T> {
    ascending: bool,
    room: usize,
    position: Option<(SortKey, String)>,
    held: BTreeMap<(SortKey, String), T>,
}

impl<T> Best<T> {
    /// Takes an item in, if it is of the page as far as that is known by now. No two items have the same key.
    pub fn offer(&mut self, key: (SortKey, String), item: T) {
        let shown = |position: &(SortKey, String)| if self.ascending { key <= *position } else { key >= *position };
        if self.position.as_ref().is_some_and(shown) {
            return;
        }
        self.held.insert(key, item);
        if self.held.len() > self.room {
            let _ = if self.ascending { self.held.pop_last() } else { self.held.pop_first() };
        }
    }

    /// The items in order, for [`Paging::cut`].
    pub fn in_order(self) -> Vec<Keyed<T>> {
        if self.ascending { self.held.into_iter().collect() } else { self.held.into_iter().rev().collect() }
    }
}

impl Paging<'_> {
    /// Sorts, skips what was shown, cuts. The token is none at the end, never an empty text.
    pub fn page<T>(
        &self,
        items: Vec<T>,
        key: impl Fn(&T) -> (SortKey, String),
    ) -> Result<(Vec<T>, Option<String>), ApiError> {
        self.cut(self.rest(items, key)?)
    }

    /// Sorts and skips what was shown.
    pub fn rest<T>(&self, items: Vec<T>, key: impl Fn(&T) -> (SortKey, String)) -> Result<Vec<Keyed<T>>, ApiError> {
        let mut keyed: Vec<Keyed<T>> = items.into_iter().map(|item| (key(&item), item)).collect();
        keyed.sort_by(|(left, _), (right, _)| if self.ascending { left.cmp(right) } else { right.cmp(left) });
        if let Some(position) = self.position()? {
            keyed.retain(|(key, _)| if self.ascending { *key > position } else { *key < position });
        }
        Ok(keyed)
    }

    /// Nothing of the page yet. A token that is none, or of another request, is refused here.
    pub fn best<T>(&self) -> Result<Best<T>, ApiError> {
        let position = self.position()?;
        Ok(Best { ascending: self.ascending, room: self.limit() + 1, position, held: BTreeMap::new() })
    }

    /// How many items a page shows.
    pub fn limit(&self) -> usize {
        self.max_results.and_then(|max| usize::try_from(max).ok()).unwrap_or(DEFAULT_PAGE).max(1)
    }

    /// The page, of what is in order already: one item more than fits makes a token.
    pub fn cut<T>(&self, mut keyed: Vec<Keyed<T>>) -> Result<(Vec<T>, Option<String>), ApiError> {
        let more = keyed.len() > self.limit();
        keyed.truncate(self.limit());
        let made = self.now.millis();
        let last = keyed.last().filter(|_| more).map(|(key, _)| serde_json::to_string(&(made, key)));
        let next = last.transpose().map_err(ApiError::internal)?.map(|text| self.tokens.seal(&self.scope, &text));
        Ok((keyed.into_iter().map(|(_, item)| item).collect(), next))
    }

    /// For lists that are read page by page in order of a text: the last one shown, where the request goes on.
    pub fn last_text(&self) -> Result<Option<String>, ApiError> {
        Ok(match self.position()? {
            Some((SortKey::Text(text), _)) => Some(text),
            _ => None,
        })
    }

    /// The token that goes on after this text.
    pub fn token_of_text(&self, last: &str) -> Result<String, ApiError> {
        let position = (SortKey::Text(last.to_owned()), String::new());
        let text = serde_json::to_string(&(self.now.millis(), position)).map_err(ApiError::internal)?;
        Ok(self.tokens.seal(&self.scope, &text))
    }

    fn position(&self) -> Result<Option<(SortKey, String)>, ApiError> {
        let Some(token) = &self.next_token else { return Ok(None) };
        let opened = self.tokens.open(&self.scope, token);
        let text = opened.map_err(|error| ApiError::validation(format!("NextToken: {error}")))?;
        let (made, position): (i64, _) = serde_json::from_str(&text).map_err(ApiError::internal)?;
        if self.now.millis().saturating_sub(made) > TOKEN_LIFE_MILLIS {
            return Err(ApiError::validation("NextToken: the pagination token has expired, begin again without one"));
        }
        Ok(Some(position))
    }
}
