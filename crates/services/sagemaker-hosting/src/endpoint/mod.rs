//! Endpoints: models made to serve. What is wanted is in the store; the reconciler makes it true.

mod create;
mod delete;
mod describe;
mod list;
mod plan;
mod reconcile;
mod state;
mod update;

pub use reconcile::EndpointReconciler;
pub use state::{Serving, ServingVariant};
pub(crate) use state::{Deployment, EndpointState, KIND, Variant};

#[cfg(test)]
mod tests;
