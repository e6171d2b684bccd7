//! DeleteHub. A hub with contents is in use.

use std::sync::Arc;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::DeleteHub;
use stoa_models_sagemaker::types::DeleteHubRequest;
use stoa_sagemaker_common::store_error;
use stoa_schema::Empty;
use stoa_store::{Document, Expect, Query, StoreError, Transaction};

use super::{DELETING, IN_SERVICE, key};
use crate::names::HubName;
use crate::service::Hubs;
use crate::{content, reference};

impl Handles<DeleteHub> for Hubs {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteHubRequest>) -> Result<Empty, ApiError> {
        let (hub, document) = self.own_hub(cx, &input.hub_name).await?;
        let in_use = |count| {
            ApiError::resource_in_use(format!(
                "hub {} has {count} contents: delete them first (DeleteHubContentReference, DeleteHubContent; PutHubRules without rules for those that rules made)",
                hub.name
            ))
        };
        let count = self.count_contents(&hub).await?;
        if count > 0 && document.status != DELETING {
            return Err(in_use(count));
        }
        let marked = self.mark(cx, &hub, &document, DELETING).await?;
        let count = self.count_contents(&hub).await?;
        if count > 0 {
            self.mark(cx, &hub, &marked, IN_SERVICE).await?;
            // Its rules waited for this.
            self.parts.catalog.changed().nudge();
            return Err(in_use(count));
        }
        let transaction = Transaction::new()
            .delete(key(&hub), Expect::Generation(marked.generation))
            .set_tags(&hub.arn(), Vec::new());
        let transaction = self.delete_rules(&hub, transaction).await?;
        match self.parts.store.commit(transaction).await {
            Ok(()) => Ok(Empty {}),
            Err(error) => Err(changed(error)),
        }
    }
}

impl Hubs {
    async fn count_contents(&self, hub: &HubName) -> Result<u64, ApiError> {
        let mut count = 0;
        for (kind, parent) in content::parents(hub).into_iter().chain([(reference::KIND, hub.name.clone())]) {
            let query = Query::of(kind).owned_by(&hub.account, Some(&hub.region)).children_of(&parent);
            count += self.parts.store.count(&query).await.map_err(store_error)?;
        }
        Ok(count)
    }

    /// Sets the hub's status and gives back the document as it then is.
    async fn mark(&self, cx: &Cx, hub: &HubName, document: &Document, status: &str) -> Result<Arc<Document>, ApiError> {
        let transaction = Transaction::new().update(document.clone().with_status(status));
        self.parts.store.commit(transaction).await.map_err(changed)?;
        let (_, marked) = self.own_hub(cx, &hub.arn()).await?;
        // INVARIANT: contents are counted under the mark. Another deletion may have taken it off again.
        if marked.status == status { Ok(marked) } else { Err(at_once()) }
    }
}

fn changed(error: StoreError) -> ApiError {
    match error {
        StoreError::Conflict { .. } => at_once(),
        other => store_error(other),
    }
}

fn at_once() -> ApiError {
    ApiError::resource_in_use("the hub was changed at the same time, try again")
}
