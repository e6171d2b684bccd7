//! DeleteHubContentReference. What was deployed from it keeps running.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::DeleteHubContentReference;
use stoa_models_sagemaker::types::{DeleteHubContentReferenceRequest, HubContentType};
use stoa_sagemaker_common::store_error;
use stoa_schema::Empty;
use stoa_store::{Expect, StoreError, Transaction};

use super::{ReferenceBody, check_kind, key};
use crate::content::no_such_content;
use crate::rules::Cause;
use crate::service::{ATTEMPTS, Hubs};

impl Handles<DeleteHubContentReference> for Hubs {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteHubContentReferenceRequest>) -> Result<Empty, ApiError> {
        check_kind(input.hub_content_type, "DeleteHubContent")?;
        let (hub, _) = self.own_hub(cx, &input.hub_name).await?;
        let (kind, name) = (HubContentType::ModelReference, &input.hub_content_name);
        for _ in 0..ATTEMPTS {
            let gone = || no_such_content(&hub, kind, name, None);
            let found = self.parts.store.get(&key(&hub, name)).await.map_err(store_error)?.ok_or_else(gone)?;
            found.decode::<ReferenceBody>().map_err(store_error)?.check_by_hand(&hub, name)?;
            let transaction = Transaction::new()
                .delete(found.key.clone(), Expect::Generation(found.generation))
                .set_tags(&hub.content_arn(kind.as_str(), name), Vec::new());
            match self.parts.store.commit(self.again(&hub, transaction, Cause::Reference).await?).await {
                Ok(()) => {
                    self.parts.catalog.changed().nudge();
                    return Ok(Empty {});
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(store_error(error)),
            }
        }
        Err(ApiError::resource_in_use(format!("ModelReference {name} is changed by many at once, try again")))
    }
}
