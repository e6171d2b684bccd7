//! Hubs, hub contents, references, the public hub and its catalog, the JumpStart buckets derived from it.

mod access;
mod account_data;
mod buckets;
mod catalog;
mod content;
mod contents_port;
mod document;
#[rustfmt::skip]
mod generated;
mod hub;
mod location;
mod names;
mod reference;
mod repositories_port;
mod search;
mod service;
mod settings;
mod shareable;
mod targets;
mod training;

pub use catalog::{
    BundleImported, BundleReport, Catalog, CatalogEntry, Exported, HuggingFace, HuggingFaceImport, HuggingFaceImported,
    Imported, Manifest, ModelFile, ModelVersion, Payload, SecretKey, Signer, TrustedKey, verify_bundle,
};
pub use generated::ops::{SagemakerHubOperations, routes};
pub use service::{Hubs, HubsParts};
pub use training::training_targets;
