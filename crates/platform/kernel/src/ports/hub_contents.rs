//! What a hub holds, for those who ask who may use it. Implemented by the hub service.

use async_trait::async_trait;

use crate::ApiError;

/// A content of a hub, whatever its versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HubContentName {
    /// `Model`, `ModelReference`, `Notebook`, …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its ARN without a version, as policies name it.
    pub arn: String,
}

/// Hubs, looked into without being a caller of theirs.
#[async_trait]
pub trait HubContents: Send + Sync {
    /// The contents of the hub with this ARN, in order of type and name; `ResourceNotFound` when there is no such hub.
    async fn hub_contents(&self, hub_arn: &str) -> Result<Vec<HubContentName>, ApiError>;
}
