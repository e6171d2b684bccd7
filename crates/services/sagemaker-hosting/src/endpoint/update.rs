//! UpdateEndpoint: a new snapshot is started beside the one that serves, and takes over when it is healthy.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::UpdateEndpoint;
use stoa_models_sagemaker::types::{UpdateEndpointInput, UpdateEndpointOutput};
use stoa_store::Transaction;

use super::create::state_event;
use super::{EndpointState, KIND};
use crate::service::{Hosting, could_not_find, store_error};

impl Handles<UpdateEndpoint> for Hosting {
    async fn handle(&self, cx: &Cx, input: Authorized<UpdateEndpointInput>) -> Result<UpdateEndpointOutput, ApiError> {
        let name = &input.endpoint_name;
        let arn = cx.arn("sagemaker", &format!("endpoint/{name}"));
        for (given, what) in [
            (input.deployment_config.is_some(), "DeploymentConfig"),
            (input.retain_all_variant_properties == Some(true), "RetainAllVariantProperties"),
            (input.exclude_retained_variant_properties.is_some(), "ExcludeRetainedVariantProperties"),
            (input.retain_deployment_config == Some(true), "RetainDeploymentConfig"),
        ] {
            if given {
                return Err(ApiError::validation(format!("{what} is not implemented by Stoa; see docs/compatibility.md")));
            }
        }
        let Some(document) = self.find(cx, KIND, name).await? else { return Err(could_not_find("endpoint", &arn)) };
        if document.status != "InService" && document.status != "Failed" {
            return Err(ApiError::validation(format!("Cannot update in-progress endpoint \"{arn}\".")));
        }
        let mut state: EndpointState = document.decode().map_err(store_error)?;
        state.next = Some(self.deployment(cx, &input.endpoint_config_name).await?);
        state.failure_reason = None;
        let changed = document.with_body(cx.now, &state).map_err(store_error)?.with_status("Updating");
        let transaction = Transaction::new().update(changed).emit(state_event(&arn, "Updating", cx.now));
        self.parts.store.commit(transaction).await.map_err(store_error)?;
        self.parts.nudge.nudge();
        Ok(UpdateEndpointOutput { endpoint_arn: arn })
    }
}
