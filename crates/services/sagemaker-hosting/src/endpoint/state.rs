//! What is stored of an endpoint, and what is known of it while it serves.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use serde::{Deserialize, Serialize};
use stoa_models_sagemaker::types::ContainerDefinition;
use stoa_types::Timestamp;

use crate::data::ModelFile;

/// The store's kind. The document's status is the endpoint's status, in AWS's words.
pub(crate) const KIND: &str = "sagemaker:endpoint";

/// An endpoint as it is stored (version 1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EndpointState {
    pub arn: String,
    /// What serves.
    pub current: Option<Deployment>,
    /// What is being started: by creation, or by an update beside what serves.
    pub next: Option<Deployment>,
    pub failure_reason: Option<String>,
}

impl EndpointState {
    /// The blobs it names: the model files of deployments that were promoted.
    pub fn digests(&self) -> impl Iterator<Item = &str> {
        let variants = self.current.iter().chain(&self.next).flat_map(|deployment| &deployment.variants);
        variants.flat_map(|variant| variant.files.iter().flatten()).map(|file| file.digest.as_str())
    }
}

/// A snapshot of a configuration and its models, with containers of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Deployment {
    /// The start of its containers' names; unique.
    pub id: String,
    pub config_name: String,
    pub variants: Vec<Variant>,
    pub started: Timestamp,
}

/// A production variant with the model it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Variant {
    pub name: String,
    pub weight: f64,
    pub instances: u32,
    pub instance_type: String,
    pub container: ContainerDefinition,
    pub network_isolation: bool,
    /// The model's execution role: it opens model data that is sealed.
    #[serde(default)]
    pub execution_role_arn: Option<String>,
    /// How long `/ping` may take to answer 200.
    pub health_timeout_seconds: u32,
    /// The model's files, from when the deployment is promoted: what serves comes back after a restart as it was,
    /// whatever became of the objects it was made from.
    #[serde(default)]
    pub files: Option<Vec<ModelFile>>,
}

/// What an invocation needs of an endpoint in service.
#[derive(Debug)]
pub struct Serving {
    /// One entry a variant.
    pub variants: Vec<ServingVariant>,
    /// Counts invocations, to spread them.
    pub turn: AtomicU64,
}

/// A variant's healthy containers.
#[derive(Debug)]
pub struct ServingVariant {
    /// Its name.
    pub name: String,
    /// Its share of the traffic, relative to the others.
    pub weight: f64,
    /// Its containers.
    pub instances: Vec<String>,
    /// Counts invocations, to spread them.
    pub turn: AtomicU64,
}

impl Deployment {
    /// The names of a variant's containers.
    pub fn containers_of(&self, index: usize) -> Vec<String> {
        let count = self.variants.get(index).map_or(0, |variant| variant.instances);
        (0..count).map(|instance| format!("{}-{index}-{instance}", self.id)).collect()
    }
    /// Every container, with its variant.
    pub fn containers(&self) -> BTreeMap<String, &Variant> {
        let mut all = BTreeMap::new();
        for (index, variant) in self.variants.iter().enumerate() {
            for name in self.containers_of(index) {
                all.insert(name, variant);
            }
        }
        all
    }
}
