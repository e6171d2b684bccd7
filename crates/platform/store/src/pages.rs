//! Pages of lists, and the tokens that lead from one to the next.

use crate::{Document, PageTokenError, PageTokens, Query, Store, StoreError};

/// How one list is cut into pages.
#[derive(Debug, Clone)]
pub struct Pages<'a> {
    /// The installation's tokens.
    pub tokens: &'a PageTokens,
    /// Account, region, operation and every filter: a token of another list does not open.
    pub scope: String,
    /// At most so many items a page; one at least.
    pub limit: usize,
}

/// Items, and the token of the next page where there are more.
pub type Items<T> = (Vec<T>, Option<String>);

impl Pages<'_> {
    /// The place that a request's token stands for.
    ///
    /// # Errors
    /// [`PageTokenError`] for a token of another list, or none of ours.
    pub fn after(&self, token: Option<&str>) -> Result<Option<String>, PageTokenError> {
        token.map(|token| self.tokens.open(&self.scope, token)).transpose()
    }

    /// A page of a list that is at hand. Each item comes with the text it is sorted by, different for each.
    pub fn of_list<T>(&self, after: Option<&str>, mut list: Vec<(String, T)>) -> Items<T> {
        list.retain(|(key, _)| after.is_none_or(|after| key.as_str() > after));
        list.sort_by(|(left, _), (right, _)| left.cmp(right));
        let more = list.len() > self.limit;
        list.truncate(self.limit);
        let last = list.last().filter(|_| more);
        let next = last.map(|(key, _)| self.tokens.seal(&self.scope, key));
        (list.into_iter().map(|(_, item)| item).collect(), next)
    }

    /// A page of documents, of those that `item` makes something of.
    ///
    /// # Errors
    /// What `item` says, and what `failed` makes of the store's.
    pub async fn of_documents<T, E>(
        &self,
        store: &dyn Store,
        query: Query,
        item: impl Fn(&Document) -> Result<Option<T>, E>,
        failed: impl Fn(StoreError) -> E,
    ) -> Result<Items<T>, E> {
        let mut query = query;
        let mut items = Vec::new();
        loop {
            query.limit = self.limit - items.len();
            let page = store.query(&query).await.map_err(&failed)?;
            for document in &page.documents {
                items.extend(item(document)?);
            }
            match page.next {
                Some(next) if items.len() < self.limit => query.after = Some(next),
                next => return Ok((items, next.map(|next| self.tokens.seal(&self.scope, &next)))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages<'a>(tokens: &'a PageTokens, scope: &str) -> Pages<'a> {
        Pages { tokens, scope: scope.to_owned(), limit: 2 }
    }

    #[test]
    fn a_list_goes_on_where_it_ended() -> Result<(), PageTokenError> {
        let tokens = PageTokens::new([7; 32]);
        let (all, list) = (pages(&tokens, "all"), || ["c", "a", "b"].map(|name| (name.to_owned(), name)).to_vec());
        let (first, next) = all.of_list(None, list());
        assert_eq!(first, ["a", "b"]);
        let after = all.after(next.as_deref())?;
        assert_eq!(all.of_list(after.as_deref(), list()), (vec!["c"], None));
        assert!(pages(&tokens, "others").after(next.as_deref()).is_err());
        Ok(())
    }
}
