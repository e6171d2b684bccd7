//! Knows the tags of a resource by its ARN. Implemented over the store.

use async_trait::async_trait;

use crate::ApiError;

/// The tags of resources.
#[async_trait]
pub trait ResourceTags: Send + Sync {
    /// The tags, in order of key; none for a resource that has none or does not exist. On the hot path: cached.
    async fn resource_tags(&self, arn: &str) -> Result<Vec<(String, String)>, ApiError>;
}
