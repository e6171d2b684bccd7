//! ListModels.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::ListModels;
use stoa_models_sagemaker::types::{ListModelsInput, ListModelsOutput, ModelSortKey, ModelSummary, OrderKey};
use stoa_store::{Query, SortBy, TimeRange};

use super::{KIND, ModelState};
use crate::listing::Listing;
use crate::service::{Hosting, store_error};

impl Handles<ListModels> for Hosting {
    async fn handle(&self, cx: &Cx, input: Authorized<ListModelsInput>) -> Result<ListModelsOutput, ApiError> {
        let input = input.into_inner();
        let mut query = Query::of(KIND);
        query.name_contains = input.name_contains;
        query.created = TimeRange { after: input.creation_time_after, before: input.creation_time_before };
        query.sort_by = match input.sort_by {
            Some(ModelSortKey::Name) => SortBy::Name,
            Some(ModelSortKey::CreationTime) | None => SortBy::Created,
        };
        let listing = Listing {
            operation: "ListModels",
            ascending: input.sort_order == Some(OrderKey::Ascending),
            max_results: input.max_results,
            next_token: input.next_token,
        };
        let (documents, next_token) = self.list(cx, query, listing).await?;
        let mut found = Vec::with_capacity(documents.len());
        for document in documents {
            let state: ModelState = document.decode().map_err(store_error)?;
            found.push(ModelSummary {
                model_name: document.name.clone(),
                model_arn: state.arn,
                creation_time: document.created,
            });
        }
        Ok(ListModelsOutput { models: found, next_token })
    }
}
