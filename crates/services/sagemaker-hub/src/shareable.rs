//! Hubs as RAM shares them (the kernel's `ShareableResources`): a hub's contents go with it.

use async_trait::async_trait;
use stoa_kernel::ApiError;
use stoa_kernel::ports::ShareableResources;
use stoa_sagemaker_common::store_error;
use stoa_types::Timestamp;

use crate::hub;
use crate::names::HubName;
use crate::service::Hubs;

#[async_trait]
impl ShareableResources for Hubs {
    async fn resource_created(&self, arn: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(name) = HubName::parse_arn(arn) else { return Ok(None) };
        let found = self.parts.store.get(&hub::key(&name)).await.map_err(store_error)?;
        Ok(found.map(|document| document.created))
    }
}
