//! Pages over a list that is whole in memory (hubs of an account, contents of a hub).
//!
//! A token carries the sort key and name of the last item shown, sealed for the request it was made for. It is a point
//! in the order, not a count: items that come or go between two pages neither repeat nor hide others.

use serde::{Deserialize, Serialize};
use stoa_kernel::ApiError;
use stoa_store::PageTokens;

/// SageMaker's default page.
const DEFAULT_PAGE: usize = 10;

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
}

impl Paging<'_> {
    /// Sorts, skips what was shown, cuts. The token is none at the end, never an empty text.
    pub fn page<T>(
        &self,
        items: Vec<T>,
        key: impl Fn(&T) -> (SortKey, String),
    ) -> Result<(Vec<T>, Option<String>), ApiError> {
        let mut keyed: Vec<((SortKey, String), T)> = items.into_iter().map(|item| (key(&item), item)).collect();
        keyed.sort_by(|(left, _), (right, _)| if self.ascending { left.cmp(right) } else { right.cmp(left) });
        if let Some(position) = self.position()? {
            keyed.retain(|(key, _)| if self.ascending { *key > position } else { *key < position });
        }
        let limit = self.limit();
        let more = keyed.len() > limit;
        keyed.truncate(limit);
        let last = keyed.last().filter(|_| more).map(|(key, _)| serde_json::to_string(key));
        let next = last.transpose().map_err(ApiError::internal)?.map(|text| self.tokens.seal(&self.scope, &text));
        Ok((keyed.into_iter().map(|(_, item)| item).collect(), next))
    }

    /// How many items a page has at most.
    pub fn limit(&self) -> usize {
        self.max_results.and_then(|max| usize::try_from(max).ok()).unwrap_or(DEFAULT_PAGE).max(1)
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
        let text = serde_json::to_string(&position).map_err(ApiError::internal)?;
        Ok(self.tokens.seal(&self.scope, &text))
    }

    fn position(&self) -> Result<Option<(SortKey, String)>, ApiError> {
        let Some(token) = &self.next_token else { return Ok(None) };
        let opened = self.tokens.open(&self.scope, token);
        let text = opened.map_err(|error| ApiError::validation(format!("NextToken: {error}")))?;
        serde_json::from_str(&text).map(Some).map_err(ApiError::internal)
    }
}
