//! DeleteHubContent: one version of an imported content. Its tags go with the last version.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::DeleteHubContent;
use stoa_models_sagemaker::types::{DeleteHubContentRequest, HubContentType};
use stoa_sagemaker_common::store_error;
use stoa_schema::Empty;
use stoa_store::{Expect, Transaction};

use super::{keys, no_such_content};
use crate::names;
use crate::provenance;
use crate::service::{Hub, HubSource, Hubs};

impl Handles<DeleteHubContent> for Hubs {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteHubContentRequest>) -> Result<Empty, ApiError> {
        let (kind, name) = (input.hub_content_type, &input.hub_content_name);
        if kind == HubContentType::ModelReference {
            return Err(ApiError::validation(
                "a ModelReference has no versions of its own: use DeleteHubContentReference",
            ));
        }
        let version = names::version("HubContentVersion", &input.hub_content_version)?;
        let (hub, document) = self.own_hub(cx, &input.hub_name).await?;
        let hub = Hub { name: hub, source: HubSource::Private(document) };
        let versions = self.versions(&hub, kind, name).await?;
        let gone = || no_such_content(&hub.name, kind, name, Some(version));
        if !versions.iter().any(|view| view.version == version) {
            return Err(gone());
        }
        let [key, text_key] = keys(&hub.name, kind, name, version);
        let mut transaction = Transaction::new().delete(key, Expect::Present).delete(text_key, Expect::Any);
        transaction = transaction.delete(provenance::key(&hub.name, kind, name, version), Expect::Any);
        if versions.len() == 1 {
            transaction = transaction.set_tags(&hub.name.content_arn(kind.as_str(), name), Vec::new());
        }
        match self.parts.store.commit(transaction).await {
            Ok(()) => Ok(Empty {}),
            Err(error) if error.is_conflict() => Err(gone()),
            Err(error) => Err(store_error(error)),
        }
    }
}
