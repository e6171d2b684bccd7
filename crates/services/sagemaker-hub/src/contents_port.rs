//! What a hub holds (the kernel's `HubContents`): names only, for the access matrix.

use std::collections::BTreeSet;

use async_trait::async_trait;
use stoa_kernel::ApiError;
use stoa_kernel::ports::{HubContentName, HubContents};
use stoa_models_sagemaker::types::HubContentType;
use stoa_sagemaker_common::store_error;

use crate::hub;
use crate::names::HubName;
use crate::service::{Hub, HubSource, Hubs, no_such_hub};

/// Everything a hub can hold.
const KINDS: [HubContentType; 5] = [
    HubContentType::Model,
    HubContentType::ModelReference,
    HubContentType::Notebook,
    HubContentType::DataSet,
    HubContentType::JsonDoc,
];

#[async_trait]
impl HubContents for Hubs {
    async fn hub_contents(&self, hub_arn: &str) -> Result<Vec<HubContentName>, ApiError> {
        let refused = || ApiError::validation(format!("`{hub_arn}` is not the ARN of a hub"));
        let name = HubName::parse_arn(hub_arn).ok_or_else(refused)?;
        let source = if name.is_public() {
            HubSource::Public(self.parts.catalog.index().await?)
        } else {
            let found = self.parts.store.get(&hub::key(&name)).await.map_err(store_error)?;
            HubSource::Private(found.ok_or_else(|| no_such_hub(&name))?)
        };
        let hub = Hub { name, source };
        let mut names = BTreeSet::new();
        for kind in KINDS {
            for view in self.contents(&hub, kind).await? {
                let arn = hub.name.content_arn(kind.as_str(), &view.name);
                names.insert(HubContentName { kind: kind.as_str().to_owned(), name: view.name, arn });
            }
        }
        Ok(names.into_iter().collect())
    }
}
