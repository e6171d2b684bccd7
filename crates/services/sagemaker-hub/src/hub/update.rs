//! UpdateHub. What the request does not name stays.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::UpdateHub;
use stoa_models_sagemaker::types::{UpdateHubRequest, UpdateHubResponse};
use stoa_sagemaker_common::store_error;
use stoa_store::{StoreError, Transaction};

use super::HubBody;
use crate::service::{ATTEMPTS, Hubs};

impl Handles<UpdateHub> for Hubs {
    async fn handle(&self, cx: &Cx, input: Authorized<UpdateHubRequest>) -> Result<UpdateHubResponse, ApiError> {
        let input = input.into_inner();
        for _ in 0..ATTEMPTS {
            let (hub, document) = self.own_hub(cx, &input.hub_name).await?;
            let mut body: HubBody = document.decode().map_err(store_error)?;
            if let Some(description) = &input.hub_description {
                body.description.clone_from(description);
            }
            if input.hub_display_name.is_some() {
                body.display_name.clone_from(&input.hub_display_name);
            }
            if let Some(keywords) = &input.hub_search_keywords {
                body.keywords.clone_from(keywords);
            }
            let changed = document.with_body(cx.now, &body).map_err(store_error)?;
            match self.parts.store.commit(Transaction::new().update(changed)).await {
                Ok(()) => return Ok(UpdateHubResponse { hub_arn: hub.arn() }),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(store_error(error)),
            }
        }
        Err(ApiError::resource_in_use(format!("hub {} is changed by many at once, try again", input.hub_name)))
    }
}
