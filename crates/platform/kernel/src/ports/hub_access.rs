//! What hosting and jobs ask of hubs before they touch model data. Implemented by the hub service.

use async_trait::async_trait;

use crate::{ApiError, Cx, Target};

/// A data source of a model or job, as far as hubs care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelAccessRequest {
    /// `s3://bucket/prefix/` or `s3://bucket/key`.
    pub s3_uri: String,
    /// `HubAccessConfig.HubContentArn`, with or without a version.
    pub hub_content_arn: Option<String>,
    /// `ModelAccessConfig.AcceptEula`; absent counts as not accepted.
    pub accept_eula: Option<bool>,
}

/// Rules of hubs over model data.
#[async_trait]
pub trait HubAccess: Send + Sync {
    /// What must be allowed for this source besides the caller's own operation: the action
    /// (`sagemaker:DeployHubModel`, `sagemaker:TrainHubModel`) on the hub and its content. Read-only.
    async fn access_targets(
        &self,
        cx: &Cx,
        action: &'static str,
        request: &ModelAccessRequest,
    ) -> Result<Vec<Target>, ApiError>;
    /// Whether the source is gated content reached without a hub reference (`sagemaker:DirectGatedModelAccess`).
    async fn is_direct_gated(&self, request: &ModelAccessRequest) -> Result<bool, ApiError>;
    /// Refuses gated content without consent, a reference that does not lead to this data, a missing hub content.
    /// True when the hub vouches for the data, so that no right on the bucket is needed.
    async fn check(&self, cx: &Cx, request: &ModelAccessRequest) -> Result<bool, ApiError>;
    /// What stands in the way of a deployment that was allowed when its model was created: bytes that are no longer
    /// those that were approved, a content that left the hub. Asked again whenever containers are given the files. True
    /// when a hub vouches for the data, as [`HubAccess::check`] has it.
    async fn check_files(&self, request: &ModelAccessRequest) -> Result<bool, ApiError>;
}
