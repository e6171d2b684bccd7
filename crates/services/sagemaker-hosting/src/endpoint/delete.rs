//! DeleteEndpoint, of an endpoint in service or a failed one: marks the endpoint as `Deleting`; the reconciler stops what runs and then removes it.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::DeleteEndpoint;
use stoa_models_sagemaker::types::DeleteEndpointInput;
use stoa_sagemaker_common::{could_not_find, store_error};
use stoa_schema::Empty;
use stoa_store::Transaction;

use super::KIND;
use super::create::state_event;
use crate::service::Hosting;

const DELETING: &str = "Deleting";

impl Handles<DeleteEndpoint> for Hosting {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteEndpointInput>) -> Result<Empty, ApiError> {
        let arn = cx.arn("sagemaker", &format!("endpoint/{}", input.endpoint_name));
        let Some(document) = self.find(cx, KIND, &input.endpoint_name).await? else {
            return Err(could_not_find("endpoint", &arn));
        };
        if matches!(document.status.as_str(), "Creating" | "Updating" | "RollingBack") {
            return Err(in_progress(&arn));
        }
        if document.status == DELETING {
            return Ok(Empty {});
        }
        let mut marked = (*document).clone().with_status(DELETING);
        marked.modified = cx.now;
        let transaction = Transaction::new().update(marked).emit(state_event(&arn, DELETING, cx.now));
        match self.parts.store.commit(transaction).await {
            Err(error) if error.is_conflict() => return Err(in_progress(&arn)),
            Err(error) => return Err(store_error(error)),
            Ok(()) => {}
        }
        self.parts.nudge.nudge();
        Ok(Empty {})
    }
}

/// AWS's answer while the endpoint is on its way to another state, or was just sent there by somebody else.
pub(super) fn in_progress(arn: &str) -> ApiError {
    ApiError::validation(format!("Cannot update in-progress endpoint \"{arn}\"."))
}
