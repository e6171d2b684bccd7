//! ListEndpoints.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::ListEndpoints;
use stoa_models_sagemaker::types::{EndpointSortKey, EndpointSummary, ListEndpointsInput, ListEndpointsOutput};
use stoa_store::{Document, Query, SortBy, TimeRange};

use super::{EndpointState, KIND};
use crate::listing::Listing;
use crate::service::Hosting;

impl Handles<ListEndpoints> for Hosting {
    async fn handle(&self, cx: &Cx, input: Authorized<ListEndpointsInput>) -> Result<ListEndpointsOutput, ApiError> {
        let input = input.into_inner();
        let mut query = Query::of(KIND);
        query.name_contains = input.name_contains;
        query.created = TimeRange { after: input.creation_time_after, before: input.creation_time_before };
        query.modified = TimeRange { after: input.last_modified_time_after, before: input.last_modified_time_before };
        query.statuses = input.status_equals.map(|status| status.to_string()).into_iter().collect();
        query.sort_by = match input.sort_by {
            Some(EndpointSortKey::Name) => SortBy::Name,
            Some(EndpointSortKey::Status) => SortBy::Status,
            Some(EndpointSortKey::CreationTime) | None => SortBy::Created,
        };
        let listing = Listing {
            operation: "ListEndpoints",
            order: input.sort_order,
            max_results: input.max_results,
            next_token: input.next_token,
        };
        let summary = |document: &Document, state: EndpointState| {
            Ok(EndpointSummary {
                endpoint_name: document.name.clone(),
                endpoint_arn: state.arn,
                creation_time: document.created,
                last_modified_time: document.modified,
                endpoint_status: document.status.parse().map_err(ApiError::internal)?,
            })
        };
        let (endpoints, next_token) = self.list(cx, query, listing, summary).await?;
        Ok(ListEndpointsOutput { endpoints, next_token })
    }
}
