//! RAM's paging: `nextToken` in and out, over lists that are at hand. Tokens are bound to account, region, operation and
//! filters.

use std::fmt::Debug;

use stoa_kernel::{ApiError, Cx};
use stoa_store::{Items, Pages};

use crate::Ram;
use crate::error::refused;

/// The page without `maxResults`, and the largest one.
const PAGE: usize = 100;
const MOST: usize = 500;

/// What a request says of paging.
pub(crate) struct Asked<'a> {
    scope: String,
    token: Option<&'a str>,
    limit: usize,
}

impl<'a> Asked<'a> {
    /// Of an operation, its filters, and its two members of paging.
    pub(crate) fn of(
        cx: &Cx,
        operation: &str,
        filters: &dyn Debug,
        token: Option<&'a String>,
        max_results: Option<i64>,
    ) -> Asked<'a> {
        let limit = max_results.and_then(|max| usize::try_from(max).ok()).unwrap_or(PAGE).clamp(1, MOST);
        let scope = format!("{}/{}/ram/{operation}/{filters:?}", cx.principal.account, cx.region);
        Asked { scope, token: token.map(String::as_str), limit }
    }
}

impl Ram {
    /// A page of a list, and the token of the next. Each item comes with the text it is sorted by, different for each.
    pub(crate) fn page<T>(&self, asked: &Asked<'_>, list: Vec<(String, T)>) -> Result<Items<T>, ApiError> {
        let pages = Pages { tokens: &self.parts.tokens, scope: asked.scope.clone(), limit: asked.limit };
        let wrong = |_| {
            refused(
                "InvalidNextTokenException",
                "The specified value for nextToken is not valid. Specify a token of the same request and try again.",
            )
        };
        let after = pages.after(asked.token).map_err(wrong)?;
        Ok(pages.of_list(after.as_deref(), list))
    }
}
