//! UpdateHub. What the request does not name stays.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::UpdateHub;
use stoa_models_sagemaker::types::{UpdateHubRequest, UpdateHubResponse};
use stoa_sagemaker_common::store_error;
use stoa_store::Transaction;

use super::HubBody;
use crate::service::Hubs;

impl Handles<UpdateHub> for Hubs {
    async fn handle(&self, cx: &Cx, input: Authorized<UpdateHubRequest>) -> Result<UpdateHubResponse, ApiError> {
        let input = input.into_inner();
        let (hub, document) = self.own_hub(cx, &input.hub_name).await?;
        let mut body: HubBody = document.decode().map_err(store_error)?;
        if let Some(description) = input.hub_description {
            body.description = description;
        }
        if let Some(name) = input.hub_display_name {
            body.display_name = Some(name);
        }
        if let Some(keywords) = input.hub_search_keywords {
            body.keywords = keywords;
        }
        let changed = document.with_body(cx.now, &body).map_err(store_error)?;
        self.parts.store.commit(Transaction::new().update(changed)).await.map_err(store_error)?;
        Ok(UpdateHubResponse { hub_arn: hub.arn() })
    }
}
