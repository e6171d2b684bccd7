//! Models: an image, its data and the role it runs as. A model is only a description until an endpoint runs it.

mod create;
mod delete;
mod describe;
mod list;

use serde::{Deserialize, Serialize};
use stoa_models_sagemaker::types::ContainerDefinition;

/// The store's kind.
pub(crate) const KIND: &str = "sagemaker:model";

/// A model as it is stored (version 1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelState {
    pub arn: String,
    pub container: ContainerDefinition,
    /// Whether the container was given as `PrimaryContainer` (or as the only one of `Containers`).
    pub primary: bool,
    pub execution_role_arn: Option<String>,
    pub network_isolation: bool,
}
