//! ListEndpointConfigs.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::ListEndpointConfigs;
use stoa_models_sagemaker::types::{EndpointConfigSortKey, EndpointConfigSummary, ListEndpointConfigsInput, ListEndpointConfigsOutput, OrderKey};
use stoa_store::{Query, SortBy, TimeRange};

use super::{KIND, EndpointConfigState};
use crate::listing::Listing;
use crate::service::{Hosting, store_error};

impl Handles<ListEndpointConfigs> for Hosting {
    async fn handle(&self, cx: &Cx, input: Authorized<ListEndpointConfigsInput>) -> Result<ListEndpointConfigsOutput, ApiError> {
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
            ascending: input.sort_order == Some(OrderKey::Ascending),
            max_results: input.max_results,
            next_token: input.next_token,
        };
        let (documents, next_token) = self.list(cx, query, listing).await?;
        let mut found = Vec::with_capacity(documents.len());
        for document in documents {
            let state: EndpointConfigState = document.decode().map_err(store_error)?;
            found.push(EndpointConfigSummary {
                endpoint_config_name: document.name.clone(),
                endpoint_config_arn: state.arn,
                creation_time: document.created,
            });
        }
        Ok(ListEndpointConfigsOutput { endpoint_configs: found, next_token })
    }
}
