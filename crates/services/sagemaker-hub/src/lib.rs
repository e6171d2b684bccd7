//! Hubs, hub contents, references, the public hub and its catalog, the JumpStart buckets derived from it.

mod access;
mod account_data;
mod admission;
mod buckets;
mod catalog;
mod content;
mod contents_port;
mod document;
mod eula;
#[rustfmt::skip]
mod generated;
mod hub;
mod location;
mod names;
mod provenance;
mod reference;
mod repositories_port;
mod rules;
mod search;
mod service;
mod settings;
mod shareable;
mod targets;
mod training;

pub use admission::AdmissionReconciler;
pub use catalog::{
    BundleImported, BundleReport, Catalog, CatalogEntry, Exported, HuggingFace, HuggingFaceImport, HuggingFaceImported,
    Imported, Manifest, ModelFile, ModelVersion, Payload, SecretKey, Signer, TrustedKey, verify_bundle,
};
pub use eula::Consents;
pub use generated::ops::{SagemakerHubOperations, routes};
pub use rules::{HubRulesReconciler, RulesCaller};
pub use service::{Hubs, HubsParts};
pub use training::training_targets;
