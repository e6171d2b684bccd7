//! CreateEndpoint: records the snapshot to serve as `Creating` and wakes the reconciler.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::CreateEndpoint;
use stoa_models_sagemaker::types::{CreateEndpointInput, CreateEndpointOutput, ProductionVariant};
use stoa_sagemaker_common::{already_existing, could_not_find, new_tags, store_error};
use stoa_store::{Document, OutboxEvent, Transaction};
use stoa_work::failpoint;

use super::{Deployment, EndpointState, KIND, Variant};
use crate::endpoint_config::{self, EndpointConfigState};
use crate::model::{self, ModelState};
use crate::service::{Hosting, own_key};

/// SageMaker's own when the configuration names none.
const DEFAULT_HEALTH_TIMEOUT_SECONDS: u32 = 600;

impl Handles<CreateEndpoint> for Hosting {
    async fn handle(&self, cx: &Cx, input: Authorized<CreateEndpointInput>) -> Result<CreateEndpointOutput, ApiError> {
        let name = &input.endpoint_name;
        let arn = cx.arn("sagemaker", &format!("endpoint/{name}"));
        if input.deployment_config.is_some() {
            return Err(ApiError::validation("DeploymentConfig is not implemented by Stoa; see docs/compatibility.md"));
        }
        if self.find(cx, KIND, name).await?.is_some() {
            return Err(already_existing("endpoint", &arn));
        }
        let next = self.deployment(cx, &input.endpoint_config_name).await?;
        let tags = new_tags(input.tags.as_deref())?;
        let state = EndpointState { arn: arn.clone(), current: None, next: Some(next), failure_reason: None };
        let document = Document::new(own_key(cx, KIND, name), name, cx.now, &state).map_err(store_error)?;
        let document = document.with_status("Creating");
        failpoint("endpoint-create-before-commit").map_err(ApiError::internal)?;
        let transaction =
            Transaction::new().create(document).set_tags(&arn, tags).emit(state_event(&arn, "Creating", cx.now));
        match self.parts.store.commit(transaction).await {
            Err(error) if error.is_conflict() => return Err(already_existing("endpoint", &arn)),
            Err(error) => return Err(store_error(error)),
            Ok(()) => {}
        }
        failpoint("endpoint-create-after-commit").map_err(ApiError::internal)?;
        self.parts.nudge.nudge();
        Ok(CreateEndpointOutput { endpoint_arn: arn })
    }
}

/// The event that follows every change of status.
pub(super) fn state_event(arn: &str, status: &str, at: stoa_types::Timestamp) -> OutboxEvent {
    OutboxEvent {
        topic: "sagemaker.endpoint.state".to_owned(),
        subject: arn.to_owned(),
        at,
        body: serde_json::json!({ "EndpointStatus": status }).to_string(),
    }
}

impl Hosting {
    /// A snapshot of a configuration and its models.
    pub(super) async fn deployment(&self, cx: &Cx, config_name: &str) -> Result<Deployment, ApiError> {
        let Some(document) = self.find(cx, endpoint_config::KIND, config_name).await? else {
            let arn = cx.arn("sagemaker", &format!("endpoint-config/{config_name}"));
            return Err(could_not_find("endpoint configuration", &arn));
        };
        let config: EndpointConfigState = document.decode().map_err(store_error)?;
        let mut variants = Vec::with_capacity(config.variants.len());
        for variant in &config.variants {
            variants.push(self.variant(cx, &config, variant).await?);
        }
        let mut unique = [0_u8; 8];
        cx.platform.ids.fill(&mut unique);
        let id = format!("ep{:016x}", u64::from_be_bytes(unique));
        Ok(Deployment { id, config_name: config_name.to_owned(), variants, started: cx.now })
    }

    async fn variant(
        &self,
        cx: &Cx,
        config: &EndpointConfigState,
        variant: &ProductionVariant,
    ) -> Result<Variant, ApiError> {
        let model_name = variant.model_name.as_deref().unwrap_or_default();
        let Some(document) = self.find(cx, model::KIND, model_name).await? else {
            return Err(could_not_find("model", &cx.arn("sagemaker", &format!("model/{model_name}"))));
        };
        let model: ModelState = document.decode().map_err(store_error)?;
        let timeout = variant.container_startup_health_check_timeout_in_seconds.and_then(|s| u32::try_from(s).ok());
        Ok(Variant {
            name: variant.variant_name.clone(),
            weight: variant.initial_variant_weight.unwrap_or(1.0),
            instances: variant.initial_instance_count.and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
            instance_type: variant.instance_type.map(|kind| kind.to_string()).unwrap_or_default(),
            container: model.container,
            network_isolation: model.network_isolation || config.network_isolation.unwrap_or(false),
            execution_role_arn: model.execution_role_arn,
            health_timeout_seconds: timeout.unwrap_or(DEFAULT_HEALTH_TIMEOUT_SECONDS),
            files: None,
        })
    }
}
