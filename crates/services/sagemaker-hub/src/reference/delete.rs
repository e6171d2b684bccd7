//! DeleteHubContentReference. What was deployed from it keeps running.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::DeleteHubContentReference;
use stoa_models_sagemaker::types::{DeleteHubContentReferenceRequest, HubContentType};
use stoa_sagemaker_common::store_error;
use stoa_schema::Empty;
use stoa_store::{Expect, Transaction};

use super::{check_kind, key};
use crate::content::no_such_content;
use crate::service::Hubs;

impl Handles<DeleteHubContentReference> for Hubs {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteHubContentReferenceRequest>) -> Result<Empty, ApiError> {
        check_kind(input.hub_content_type, "DeleteHubContent")?;
        let (hub, _) = self.own_hub(cx, &input.hub_name).await?;
        let (kind, name) = (HubContentType::ModelReference, &input.hub_content_name);
        let transaction = Transaction::new()
            .delete(key(&hub, name), Expect::Present)
            .set_tags(&hub.content_arn(kind.as_str(), name), Vec::new());
        match self.parts.store.commit(transaction).await {
            Ok(()) => Ok(Empty {}),
            Err(error) if error.is_conflict() => Err(no_such_content(&hub, kind, name, None)),
            Err(error) => Err(store_error(error)),
        }
    }
}
