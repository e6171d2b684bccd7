//! ListModels.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::ListModels;
use stoa_models_sagemaker::types::{ListModelsInput, ListModelsOutput, ModelSortKey, ModelSummary};
use stoa_store::{Document, Query, SortBy, TimeRange};

use super::{KIND, ModelState};
use crate::listing::Listing;
use crate::service::Hosting;

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
            order: input.sort_order,
            max_results: input.max_results,
            next_token: input.next_token,
        };
        let summary = |document: &Document, state: ModelState| {
            Ok(ModelSummary {
                model_name: document.name.clone(),
                model_arn: state.arn,
                creation_time: document.created,
            })
        };
        let (models, next_token) = self.list(cx, query, listing, summary).await?;
        Ok(ListModelsOutput { models, next_token })
    }
}
