//! DeleteEndpoint: marks the endpoint as `Deleting`; the reconciler stops what runs and then removes it.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::DeleteEndpoint;
use stoa_models_sagemaker::types::DeleteEndpointInput;
use stoa_schema::Empty;
use stoa_store::Transaction;

use super::KIND;
use super::create::state_event;
use crate::service::{Hosting, could_not_find, store_error};

impl Handles<DeleteEndpoint> for Hosting {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteEndpointInput>) -> Result<Empty, ApiError> {
        let arn = cx.arn("sagemaker", &format!("endpoint/{}", input.endpoint_name));
        let Some(document) = self.find(cx, KIND, &input.endpoint_name).await? else {
            return Err(could_not_find("endpoint", &arn));
        };
        if matches!(document.status.as_str(), "Creating" | "Updating" | "RollingBack") {
            return Err(ApiError::validation(format!("Cannot update in-progress endpoint \"{arn}\".")));
        }
        let mut marked = (*document).clone().with_status("Deleting");
        marked.modified = cx.now;
        let transaction = Transaction::new().update(marked).emit(state_event(&arn, "Deleting", cx.now));
        self.parts.store.commit(transaction).await.map_err(store_error)?;
        self.parts.nudge.nudge();
        Ok(Empty {})
    }
}
