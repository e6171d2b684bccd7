//! Models, endpoint configurations, endpoints and their invocation.
//!
//! A handler records what is wanted in one transaction and returns; the endpoint reconciler makes it true. An endpoint
//! carries a snapshot of its models and configuration, so that both may be deleted while it serves (the SageMaker SDK
//! does so). After a crash the next pass starts what should run and stops what should not.

mod account_data;
mod data;
mod endpoint;
mod endpoint_config;
#[rustfmt::skip]
mod generated;
mod invocation;
mod listing;
mod model;
mod service;
mod tags;

pub use data::OpenedFolder;
pub use endpoint::EndpointReconciler;
pub use generated::ops::{SagemakerHostingOperations, routes};
pub use service::{Hosting, HostingParts, SharedServing};
