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
mod service;
mod settings;
mod shareable;
mod targets;

pub use catalog::{Catalog, CatalogEntry, Imported, Manifest, ModelFile, ModelVersion, Payload};
pub use generated::ops::{SagemakerHubOperations, routes};
pub use service::{Hubs, HubsParts};
