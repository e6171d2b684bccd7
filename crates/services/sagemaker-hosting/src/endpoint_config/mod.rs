//! Endpoint configurations: which models run on how much of what. Immutable once created.

mod create;
mod delete;
mod describe;
mod list;

use serde::{Deserialize, Serialize};
use stoa_models_sagemaker::types::ProductionVariant;

/// The store's kind.
pub(crate) const KIND: &str = "sagemaker:endpoint-config";

/// An endpoint configuration as it is stored (version 1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EndpointConfigState {
    pub arn: String,
    pub variants: Vec<ProductionVariant>,
    pub kms_key_id: Option<String>,
    pub execution_role_arn: Option<String>,
    pub network_isolation: Option<bool>,
}
