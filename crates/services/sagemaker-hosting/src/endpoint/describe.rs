//! DescribeEndpoint.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::DescribeEndpoint;
use stoa_models_sagemaker::types::{
    DeployedImage, DescribeEndpointInput, DescribeEndpointOutput, EndpointStatus, ProductionVariantSummary,
};
use stoa_sagemaker_common::{could_not_find, store_error};

use super::{Deployment, EndpointState, KIND};
use crate::service::Hosting;

impl Handles<DescribeEndpoint> for Hosting {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DescribeEndpointInput>,
    ) -> Result<DescribeEndpointOutput, ApiError> {
        let name = &input.endpoint_name;
        let Some(document) = self.find(cx, KIND, name).await? else {
            return Err(could_not_find("endpoint", &cx.arn("sagemaker", &format!("endpoint/{name}"))));
        };
        let state: EndpointState = document.decode().map_err(store_error)?;
        let endpoint_status: EndpointStatus = document.status.parse().map_err(ApiError::internal)?;
        // What is shown is what serves; while nothing does yet, only the name of what is being started.
        let shown = state.current.as_ref().or(state.next.as_ref());
        Ok(DescribeEndpointOutput {
            endpoint_name: name.clone(),
            endpoint_arn: state.arn.clone(),
            endpoint_config_name: shown.map(|deployment| deployment.config_name.clone()),
            production_variants: state.current.as_ref().map(summaries),
            endpoint_status,
            failure_reason: state.failure_reason.clone(),
            creation_time: document.created,
            last_modified_time: document.modified,
            data_capture_config: None,
            last_deployment_config: None,
            async_inference_config: None,
            pending_deployment_summary: None,
            explainer_config: None,
            shadow_production_variants: None,
            metrics_config: None,
            cross_region_traffic_config: None,
        })
    }
}

fn summaries(deployment: &Deployment) -> Vec<ProductionVariantSummary> {
    let summary = |variant: &super::Variant| ProductionVariantSummary {
        variant_name: variant.name.clone(),
        deployed_images: variant.container.image.as_ref().map(|image| {
            vec![DeployedImage {
                specified_image: Some(image.clone()),
                resolved_image: None,
                resolution_time: Some(deployment.started),
            }]
        }),
        current_weight: Some(variant.weight),
        desired_weight: Some(variant.weight),
        current_instance_count: Some(i64::from(variant.instances)),
        desired_instance_count: Some(i64::from(variant.instances)),
        ..ProductionVariantSummary::default()
    };
    deployment.variants.iter().map(summary).collect()
}
