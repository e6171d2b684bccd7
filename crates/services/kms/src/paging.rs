//! KMS's paging: `Marker` in, `Truncated` and `NextMarker` out. Markers are sealed and bound to account, region,
//! operation and filters.

use stoa_kernel::{ApiError, Cx};
use stoa_store::{Document, Query};

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
    fn position(&self, cx: &Cx, paging: &Paging<'_>) -> Result<Option<String>, ApiError> {
        let Some(marker) = paging.marker else { return Ok(None) };
        self.page_tokens.open(&scope(cx, paging), marker).map(Some).map_err(|_| invalid_marker())
    }

    /// A page of documents, of those that `item` makes something of.
    pub(crate) async fn page_of_documents<T>(
        &self,
        cx: &Cx,
        paging: &Paging<'_>,
        mut query: Query,
        item: impl Fn(&Document) -> Result<Option<T>, ApiError>,
    ) -> Result<Items<T>, ApiError> {
        query.after = self.position(cx, paging)?;
        let limit = paging.limit();
        let mut items = Vec::new();
        loop {
            query.limit = limit - items.len();
            let page = self.store.query(&query).await.map_err(store_failed)?;
            for document in &page.documents {
                items.extend(item(document)?);
            }
            match page.next {
                Some(next) if items.len() < limit => query.after = Some(next),
                next => {
                    let marker = next.map(|next| self.page_tokens.seal(&scope(cx, paging), &next));
                    return Ok(Items { items, marker });
                }
            }
        }
    }

    /// A page of a list that is at hand. Each item comes with the text it is sorted by, different for each.
    pub(crate) fn page_of_list<T>(
        &self,
        cx: &Cx,
        paging: &Paging<'_>,
        mut list: Vec<(String, T)>,
    ) -> Result<Items<T>, ApiError> {
        let after = self.position(cx, paging)?;
        list.retain(|(key, _)| after.as_ref().is_none_or(|after| key > after));
        list.sort_by(|(left, _), (right, _)| left.cmp(right));
        let limit = paging.limit();
        let more = list.len() > limit;
        list.truncate(limit);
        let marker = match list.last() {
            Some((key, _)) if more => Some(self.page_tokens.seal(&scope(cx, paging), key)),
            _ => None,
        };
        Ok(Items { items: list.into_iter().map(|(_, item)| item).collect(), marker })
    }
}

fn scope(cx: &Cx, paging: &Paging<'_>) -> String {
    format!("{}/{}/{}", cx.principal.account, cx.region, paging.scope)
}
