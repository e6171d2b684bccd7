//! Endpoints: models made to serve. What is wanted is in the store; the reconciler makes it true.

mod create;
mod delete;
mod describe;
mod list;
mod memory;
mod plan;
mod reconcile;
mod serving;
mod start;
mod state;
mod update;

pub use reconcile::EndpointReconciler;
pub(crate) use state::{Deployment, EndpointState, KIND, Variant};
pub use state::{Serving, ServingVariant};

#[cfg(test)]
mod tests;
