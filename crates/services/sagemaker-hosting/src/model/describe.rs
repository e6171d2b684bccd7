//! DescribeModel.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::DescribeModel;
use stoa_models_sagemaker::types::{DescribeModelInput, DescribeModelOutput};
use stoa_sagemaker_common::{could_not_find, store_error};

use super::{KIND, ModelState};
use crate::service::Hosting;

impl Handles<DescribeModel> for Hosting {
    async fn handle(&self, cx: &Cx, input: Authorized<DescribeModelInput>) -> Result<DescribeModelOutput, ApiError> {
        let name = &input.model_name;
        let Some(document) = self.find(cx, KIND, name).await? else {
            return Err(could_not_find("model", &cx.arn("sagemaker", &format!("model/{name}"))));
        };
        let state: ModelState = document.decode().map_err(store_error)?;
        let (primary_container, containers) =
            if state.primary { (Some(state.container), None) } else { (None, Some(vec![state.container])) };
        Ok(DescribeModelOutput {
            model_name: name.clone(),
            model_arn: state.arn,
            primary_container,
            containers,
            execution_role_arn: state.execution_role_arn,
            enable_network_isolation: Some(state.network_isolation),
            creation_time: document.created,
            ..DescribeModelOutput::default()
        })
    }
}
