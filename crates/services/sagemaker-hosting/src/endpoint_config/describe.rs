//! DescribeEndpointConfig.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::DescribeEndpointConfig;
use stoa_models_sagemaker::types::{DescribeEndpointConfigInput, DescribeEndpointConfigOutput};
use stoa_sagemaker_common::{could_not_find, store_error};

use super::{EndpointConfigState, KIND};
use crate::service::Hosting;

impl Handles<DescribeEndpointConfig> for Hosting {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DescribeEndpointConfigInput>,
    ) -> Result<DescribeEndpointConfigOutput, ApiError> {
        let name = &input.endpoint_config_name;
        let Some(document) = self.find(cx, KIND, name).await? else {
            let arn = cx.arn("sagemaker", &format!("endpoint-config/{name}"));
            return Err(could_not_find("endpoint configuration", &arn));
        };
        let state: EndpointConfigState = document.decode().map_err(store_error)?;
        Ok(DescribeEndpointConfigOutput {
            endpoint_config_name: name.clone(),
            endpoint_config_arn: state.arn,
            production_variants: state.variants,
            kms_key_id: state.kms_key_id,
            execution_role_arn: state.execution_role_arn,
            enable_network_isolation: state.network_isolation,
            creation_time: document.created,
            ..DescribeEndpointConfigOutput::default()
        })
    }
}
