//! DeleteHubContent: one version of an imported content. Its tags go with the last version.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::DeleteHubContent;
use stoa_models_sagemaker::types::{DeleteHubContentRequest, HubContentType};
use stoa_sagemaker_common::store_error;
use stoa_schema::Empty;
use stoa_store::{Expect, StoreError, Transaction};

use super::{keys, no_such_content};
use crate::names;
use crate::provenance;
use crate::service::{ATTEMPTS, Hubs};

impl Handles<DeleteHubContent> for Hubs {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteHubContentRequest>) -> Result<Empty, ApiError> {
        let (kind, name) = (input.hub_content_type, &input.hub_content_name);
        if kind == HubContentType::ModelReference {
            return Err(ApiError::validation(
                "a ModelReference has no versions of its own: use DeleteHubContentReference",
            ));
        }
        let version = names::version("HubContentVersion", &input.hub_content_version)?;
        let (hub, _) = self.own_hub(cx, &input.hub_name).await?;
        let [key, text_key] = keys(&hub, kind, name, version);
        for _ in 0..ATTEMPTS {
            let documents = self.imported_versions(&hub, kind, name).await?;
            let found = documents.iter().find(|document| document.key == key);
            let found = found.ok_or_else(|| no_such_content(&hub, kind, name, Some(version)))?;
            let transaction = Transaction::new()
                .delete(key.clone(), Expect::Generation(found.generation))
                .delete(text_key.clone(), Expect::Any)
                .delete(provenance::key(&hub, kind, name, version), Expect::Any);
            // INVARIANT: tags are there only while a version is. Of two deletions at once, the second finds the version
            // gone that it left them to; an import that adds a version writes one that was there before.
            let transaction = match documents.iter().find(|document| document.key != key) {
                Some(other) => transaction.require(other.key.clone(), Expect::Present),
                None => transaction.set_tags(&hub.content_arn(kind.as_str(), name), Vec::new()),
            };
            match self.parts.store.commit(transaction).await {
                Ok(()) => return Ok(Empty {}),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(store_error(error)),
            }
        }
        Err(ApiError::resource_in_use(format!("{kind} {name} is changed by many at once, try again")))
    }
}
