//! Resources that RAM can share. Implemented by the services that own them.

use async_trait::async_trait;
use stoa_types::Timestamp;

use crate::ApiError;

/// The shareable resources of one service.
#[async_trait]
pub trait ShareableResources: Send + Sync {
    /// When the resource with this ARN was made, which tells it from a later one of the same name; none when it is not
    /// there or of another service. On the hot path: one cached read.
    async fn resource_created(&self, arn: &str) -> Result<Option<Timestamp>, ApiError>;
}
