//! DescribeHub.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::DescribeHub;
use stoa_models_sagemaker::types::{DescribeHubRequest, DescribeHubResponse, HubS3StorageConfig, HubStatus};
use stoa_sagemaker_common::store_error;

use super::{HubBody, public_body};
use crate::service::{HubSource, Hubs};

impl Handles<DescribeHub> for Hubs {
    async fn handle(&self, cx: &Cx, input: Authorized<DescribeHubRequest>) -> Result<DescribeHubResponse, ApiError> {
        let hub = self.hub(cx, &input.hub_name).await?;
        let (body, status, created, modified) = match &hub.source {
            HubSource::Public(index) => (public_body(), HubStatus::InService, index.created, index.modified),
            HubSource::Private(document) => {
                let body: HubBody = document.decode().map_err(store_error)?;
                let status = document.status.parse().map_err(ApiError::internal)?;
                (body, status, document.created, document.modified)
            }
        };
        Ok(DescribeHubResponse {
            hub_arn: hub.name.arn(),
            hub_name: hub.name.name,
            hub_display_name: body.display_name,
            hub_description: Some(body.description),
            hub_search_keywords: Some(body.keywords),
            s3_storage_config: body.s3_output_path.map(|path| HubS3StorageConfig { s3_output_path: Some(path) }),
            hub_status: status,
            failure_reason: None,
            creation_time: created,
            last_modified_time: modified,
            created_by: None,
            last_modified_by: None,
        })
    }
}
