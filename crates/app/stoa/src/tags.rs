//! The tags of resources, out of the store.

use std::sync::Arc;

use async_trait::async_trait;
use stoa_kernel::ApiError;
use stoa_kernel::ports::ResourceTags;
use stoa_store::Store;

/// Tags as the store has them.
pub struct StoredTags(pub Arc<dyn Store>);

#[async_trait]
impl ResourceTags for StoredTags {
    async fn resource_tags(&self, arn: &str) -> Result<Vec<(String, String)>, ApiError> {
        let tags = self.0.tags(arn).await.map_err(ApiError::internal)?;
        Ok((*tags).clone())
    }
}
