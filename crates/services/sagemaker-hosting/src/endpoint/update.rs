//! UpdateEndpoint: a new snapshot is started beside the one that serves, and takes over when it is healthy.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::UpdateEndpoint;
use stoa_models_sagemaker::types::{UpdateEndpointInput, UpdateEndpointOutput};
use stoa_sagemaker_common::{could_not_find, store_error};
use stoa_store::Transaction;

use super::create::state_event;
use super::delete::in_progress;
use super::{EndpointState, KIND};
use crate::service::Hosting;

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
                return Err(ApiError::validation(format!(
                    "{what} is not implemented by Stoa; see docs/compatibility.md"
                )));
            }
        }
        let Some(document) = self.find(cx, KIND, name).await? else { return Err(could_not_find("endpoint", &arn)) };
        match document.status.as_str() {
            "InService" => {}
            // AWS: deleting it is the only thing that can be done with a failed endpoint.
            "Failed" => {
                let message = format!("Cannot update failed endpoint \"{arn}\": delete it and create it again.");
                return Err(ApiError::validation(message));
            }
            _ => return Err(in_progress(&arn)),
        }
        let mut state: EndpointState = document.decode().map_err(store_error)?;
        state.next = Some(self.deployment(cx, &input.endpoint_config_name).await?);
        state.failure_reason = None;
        let changed = document.with_body(cx.now, &state).map_err(store_error)?.with_status("Updating");
        let changed = changed.with_blobs(state.digests());
        let transaction = Transaction::new().update(changed).emit(state_event(&arn, "Updating", cx.now));
        match self.parts.store.commit(transaction).await {
            Err(error) if error.is_conflict() => return Err(in_progress(&arn)),
            Err(error) => return Err(store_error(error)),
            Ok(()) => {}
        }
        self.parts.nudge.nudge();
        Ok(UpdateEndpointOutput { endpoint_arn: arn })
    }
}
