//! IAM's paging: `Marker` in, `IsTruncated` and `Marker` out. Markers are sealed and bound to account, operation and
//! filters.

use stoa_kernel::{ApiError, Cx};
use stoa_models_iam::types::Tag;
use stoa_store::{Document, PageTokenError, Pages, Query};

use crate::Iam;
use crate::documents::wire_tags;
use crate::error::store_failed;
use crate::state::Tags;

const DEFAULT_ITEMS: i64 = 100;

/// What a request says of paging, with a scope that names the operation and its filters.
pub(crate) struct Paging<'a> {
    pub(crate) scope: String,
    pub(crate) marker: Option<&'a str>,
    pub(crate) max_items: Option<i64>,
}

/// A page of items.
pub(crate) struct Items<T> {
    pub(crate) items: Vec<T>,
    pub(crate) marker: Option<String>,
}

impl<T> Items<T> {
    /// `IsTruncated`.
    pub(crate) fn truncated(&self) -> Option<bool> {
        Some(self.marker.is_some())
    }
}

impl Paging<'_> {
    fn limit(&self) -> usize {
        usize::try_from(self.max_items.unwrap_or(DEFAULT_ITEMS)).unwrap_or(1).clamp(1, 1000)
    }
}

impl Iam {
    fn pages(&self, cx: &Cx, paging: &Paging<'_>) -> Pages<'_> {
        let scope = format!("{}/{}", cx.principal.account, paging.scope);
        Pages { tokens: &self.page_tokens, scope, limit: paging.limit() }
    }

    /// A page of documents, of those that `item` makes something of.
    pub(crate) async fn page_of_documents<T>(
        &self,
        cx: &Cx,
        paging: &Paging<'_>,
        mut query: Query,
        item: impl Fn(&Document) -> Result<Option<T>, ApiError>,
    ) -> Result<Items<T>, ApiError> {
        let pages = self.pages(cx, paging);
        query.after = pages.after(paging.marker).map_err(invalid_marker)?;
        let (items, marker) = pages.of_documents(&*self.store, query, item, store_failed).await?;
        Ok(Items { items, marker })
    }

    /// A page of a list that is at hand. Each item comes with the text it is sorted by, different for each.
    pub(crate) fn page_of_list<T>(
        &self,
        cx: &Cx,
        paging: &Paging<'_>,
        list: Vec<(String, T)>,
    ) -> Result<Items<T>, ApiError> {
        let pages = self.pages(cx, paging);
        let after = pages.after(paging.marker).map_err(invalid_marker)?;
        let (items, marker) = pages.of_list(after.as_deref(), list);
        Ok(Items { items, marker })
    }

    /// A page of tags.
    pub(crate) fn page_of_tags(&self, cx: &Cx, paging: &Paging<'_>, tags: &Tags) -> Result<Items<Tag>, ApiError> {
        let list = wire_tags(tags).unwrap_or_default();
        self.page_of_list(cx, paging, list.into_iter().map(|tag| (tag.key.clone(), tag)).collect())
    }
}

fn invalid_marker(_: PageTokenError) -> ApiError {
    ApiError::validation("Invalid Marker.")
}
