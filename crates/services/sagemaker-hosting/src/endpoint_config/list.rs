//! ListEndpointConfigs.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::ListEndpointConfigs;
use stoa_models_sagemaker::types::{
    EndpointConfigSortKey, EndpointConfigSummary, ListEndpointConfigsInput, ListEndpointConfigsOutput,
};
use stoa_store::{Document, Query, SortBy, TimeRange};

use super::{EndpointConfigState, KIND};
use crate::listing::Listing;
use crate::service::Hosting;

impl Handles<ListEndpointConfigs> for Hosting {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListEndpointConfigsInput>,
    ) -> Result<ListEndpointConfigsOutput, ApiError> {
        let input = input.into_inner();
        let mut query = Query::of(KIND);
        query.name_contains = input.name_contains;
        query.created = TimeRange { after: input.creation_time_after, before: input.creation_time_before };
        query.sort_by = match input.sort_by {
            Some(EndpointConfigSortKey::Name) => SortBy::Name,
            Some(EndpointConfigSortKey::CreationTime) | None => SortBy::Created,
        };
        let listing = Listing {
            operation: "ListEndpointConfigs",
            order: input.sort_order,
            max_results: input.max_results,
            next_token: input.next_token,
        };
        let summary = |document: &Document, state: EndpointConfigState| {
            Ok(EndpointConfigSummary {
                endpoint_config_name: document.name.clone(),
                endpoint_config_arn: state.arn,
                creation_time: document.created,
            })
        };
        let (endpoint_configs, next_token) = self.list(cx, query, listing, summary).await?;
        Ok(ListEndpointConfigsOutput { endpoint_configs, next_token })
    }
}
