//! KMS's paging: `Marker` in, `Truncated` and `NextMarker` out. Markers are sealed and bound to account, region,
//! operation and filters.

use stoa_kernel::{ApiError, Cx};
use stoa_store::{Document, Pages, Query};

use crate::Kms;
use crate::error::{invalid_marker, store_failed};

/// What a request says of paging.
pub(crate) struct Paging<'a> {
    /// The operation and its filters.
    pub(crate) scope: String,
    pub(crate) marker: Option<&'a str>,
    pub(crate) limit: Option<i64>,
    /// When the request says no limit.
    pub(crate) default: usize,
}

/// A page of items.
pub(crate) struct Items<T> {
    pub(crate) items: Vec<T>,
    pub(crate) marker: Option<String>,
}

impl<T> Items<T> {
    /// `Truncated`.
    pub(crate) fn truncated(&self) -> Option<bool> {
        Some(self.marker.is_some())
    }
}

impl Paging<'_> {
    fn limit(&self) -> usize {
        self.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(self.default).clamp(1, 1000)
    }
}

impl Kms {
    fn pages(&self, cx: &Cx, paging: &Paging<'_>) -> Pages<'_> {
        let scope = format!("{}/{}/{}", cx.principal.account, cx.region, paging.scope);
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
        query.after = pages.after(paging.marker).map_err(|_| invalid_marker())?;
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
        let after = pages.after(paging.marker).map_err(|_| invalid_marker())?;
        let (items, marker) = pages.of_list(after.as_deref(), list);
        Ok(Items { items, marker })
    }
}
