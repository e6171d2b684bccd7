//! DeleteEndpointConfig. Endpoints made from it keep running: they carry a snapshot.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::DeleteEndpointConfig;
use stoa_models_sagemaker::types::DeleteEndpointConfigInput;
use stoa_sagemaker_common::{could_not_find, store_error};
use stoa_schema::Empty;
use stoa_store::{Expect, Transaction};

use super::KIND;
use crate::service::{Hosting, own_key};

impl Handles<DeleteEndpointConfig> for Hosting {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteEndpointConfigInput>) -> Result<Empty, ApiError> {
        let arn = cx.arn("sagemaker", &format!("endpoint-config/{}", input.endpoint_config_name));
        let key = own_key(cx, KIND, &input.endpoint_config_name);
        let transaction = Transaction::new().delete(key, Expect::Present).set_tags(&arn, Vec::new());
        match self.parts.store.commit(transaction).await {
            Err(error) if error.is_conflict() => Err(could_not_find("endpoint configuration", &arn)),
            Err(error) => Err(store_error(error)),
            Ok(()) => Ok(Empty {}),
        }
    }
}
