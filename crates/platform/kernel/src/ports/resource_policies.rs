//! Policies that live on resources (hubs shared with RAM, buckets, keys). Implemented by the services that own them.

use std::sync::Arc;

use async_trait::async_trait;
use stoa_policy::PolicySet;

use crate::ApiError;

/// The resource-based policies of one service's resources.
#[async_trait]
pub trait ResourcePolicies: Send + Sync {
    /// The compiled policy of this resource; none for a resource without one or of another service.
    /// On the hot path: cached by the implementer.
    async fn resource_policy(&self, resource: &str) -> Result<Option<Arc<PolicySet>>, ApiError>;
}
