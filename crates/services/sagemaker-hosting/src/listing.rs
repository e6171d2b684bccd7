//! What the three List operations share: the caller's documents, page by page, with tokens bound to the request.

use serde::de::DeserializeOwned;
use stoa_kernel::{ApiError, Cx};
use stoa_models_sagemaker::types::OrderKey;
use stoa_sagemaker_common::store_error;
use stoa_store::{Document, Order, Query};

use crate::service::Hosting;

/// SageMaker's default page.
const DEFAULT_PAGE: usize = 10;

/// How a page was asked for.
pub(crate) struct Listing {
    pub operation: &'static str,
    /// Descending when none.
    pub order: Option<OrderKey>,
    pub max_results: Option<i64>,
    pub next_token: Option<String>,
}

impl Hosting {
    /// A page of the caller's documents, each as its summary, and the token of the next page.
    pub(crate) async fn list<State: DeserializeOwned, Summary>(
        &self,
        cx: &Cx,
        query: Query,
        listing: Listing,
        summary: impl Fn(&Document, State) -> Result<Summary, ApiError>,
    ) -> Result<(Vec<Summary>, Option<String>), ApiError> {
        let mut query = query.owned_by(&cx.principal.account, Some(&cx.region));
        query.order = if listing.order == Some(OrderKey::Ascending) { Order::Ascending } else { Order::Descending };
        // The filters are part of the scope: a token of another request does not open.
        let scope = format!("{}/{}/{}/{query:?}", cx.principal.account, cx.region, listing.operation);
        query.limit = listing.max_results.and_then(|max| usize::try_from(max).ok()).unwrap_or(DEFAULT_PAGE);
        if let Some(token) = listing.next_token {
            let position = self.parts.tokens.open(&scope, &token);
            query.after = Some(position.map_err(|error| ApiError::validation(format!("NextToken: {error}")))?);
        }
        let page = self.parts.store.query(&query).await.map_err(store_error)?;
        let next = page.next.map(|position| self.parts.tokens.seal(&scope, &position));
        let mut summaries = Vec::with_capacity(page.documents.len());
        for document in &page.documents {
            summaries.push(summary(document, document.decode().map_err(store_error)?)?);
        }
        Ok((summaries, next))
    }
}
