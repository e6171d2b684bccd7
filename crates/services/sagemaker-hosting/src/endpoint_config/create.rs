//! CreateEndpointConfig. Every model it names must exist, and every member that has no effect here yet is refused.

use std::collections::BTreeSet;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::CreateEndpointConfig;
use stoa_models_sagemaker::types::{CreateEndpointConfigInput, CreateEndpointConfigOutput, ProductionVariant};
use stoa_sagemaker_common::{already_existing, could_not_find, instance_type, new_tags, store_error};
use stoa_store::{Document, Transaction};

use super::{EndpointConfigState, KIND};
use crate::model;
use crate::service::{Hosting, own_key};

impl Handles<CreateEndpointConfig> for Hosting {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CreateEndpointConfigInput>,
    ) -> Result<CreateEndpointConfigOutput, ApiError> {
        let input = input.into_inner();
        let name = &input.endpoint_config_name;
        let arn = cx.arn("sagemaker", &format!("endpoint-config/{name}"));
        refuse_what_is_not_here(&input)?;
        if self.find(cx, KIND, name).await?.is_some() {
            return Err(already_existing("endpoint configuration", &arn));
        }
        let mut names = BTreeSet::new();
        for variant in &input.production_variants {
            if !names.insert(&variant.variant_name) {
                return Err(ApiError::validation(format!("Variant name \"{}\" is used twice.", variant.variant_name)));
            }
            self.check_variant(cx, variant).await?;
        }
        let tags = new_tags(input.tags.as_deref())?;
        let state = EndpointConfigState {
            arn: arn.clone(),
            variants: input.production_variants,
            kms_key_id: input.kms_key_id,
            execution_role_arn: input.execution_role_arn,
            network_isolation: input.enable_network_isolation,
        };
        let document = Document::new(own_key(cx, KIND, name), name, cx.now, &state).map_err(store_error)?;
        match self.parts.store.commit(Transaction::new().create(document).set_tags(&arn, tags)).await {
            Err(error) if error.is_conflict() => Err(already_existing("endpoint configuration", &arn)),
            Err(error) => Err(store_error(error)),
            Ok(()) => Ok(CreateEndpointConfigOutput { endpoint_config_arn: arn }),
        }
    }
}

impl Hosting {
    async fn check_variant(&self, cx: &Cx, variant: &ProductionVariant) -> Result<(), ApiError> {
        let name = &variant.variant_name;
        let Some(model) = &variant.model_name else {
            return Err(ApiError::validation(format!(
                "Variant \"{name}\" names no model: inference components are not implemented by Stoa"
            )));
        };
        if self.find(cx, model::KIND, model).await?.is_none() {
            return Err(could_not_find("model", &cx.arn("sagemaker", &format!("model/{model}"))));
        }
        let Some(kind) = variant.instance_type else {
            return Err(ApiError::validation(format!("Variant \"{name}\" needs an InstanceType.")));
        };
        if instance_type(kind.as_str()).is_none() {
            return Err(ApiError::validation(format!("Instance type {kind} is not offered at this site.")));
        }
        if variant.initial_instance_count.is_none() {
            return Err(ApiError::validation(format!("Variant \"{name}\" needs an InitialInstanceCount.")));
        }
        Ok(())
    }
}

fn refuse_what_is_not_here(input: &CreateEndpointConfigInput) -> Result<(), ApiError> {
    let variants = &input.production_variants;
    for (given, what) in [
        // As AWS for instances with a disk of their own: there is no volume that could be encrypted.
        (input.kms_key_id.is_some(), "KmsKeyId"),
        (input.data_capture_config.is_some(), "DataCaptureConfig"),
        (input.async_inference_config.is_some(), "AsyncInferenceConfig"),
        (input.explainer_config.is_some(), "ExplainerConfig"),
        (input.shadow_production_variants.is_some(), "ShadowProductionVariants"),
        (input.vpc_config.is_some(), "VpcConfig"),
        (input.metrics_config.is_some(), "MetricsConfig"),
        (input.cross_region_traffic_config.is_some(), "CrossRegionTrafficConfig"),
        (variants.iter().any(|variant| variant.serverless_config.is_some()), "ServerlessConfig"),
        (variants.iter().any(|variant| variant.managed_instance_scaling.is_some()), "ManagedInstanceScaling"),
        (variants.iter().any(|variant| variant.core_dump_config.is_some()), "CoreDumpConfig"),
        (variants.iter().any(|variant| variant.accelerator_type.is_some()), "AcceleratorType"),
        (variants.iter().any(|variant| variant.capacity_reservation_config.is_some()), "CapacityReservationConfig"),
        (variants.iter().any(|variant| variant.instance_pools.is_some()), "InstancePools"),
    ] {
        if given {
            return Err(ApiError::validation(format!("{what} is not implemented by Stoa; see docs/compatibility.md")));
        }
    }
    Ok(())
}
