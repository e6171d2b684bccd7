//! KMS: keys, their policies, grants and aliases, and the cryptography under them.
//!
//! [`Kms`] is the service: handlers, the key policies as the authority asks for them ([`stoa_kernel::ports::ResourcePolicies`]),
//! data keys for other services ([`stoa_kernel::ports::DataKeys`]), and the reconciler that deletes and rotates keys when
//! they are due. All state is in the store; key material in it is sealed under a master key that is not (`stoa-seal`).

mod access;
mod account_data;
mod alias;
mod blob;
mod crypto;
mod data_keys;
mod error;
mod find;
#[rustfmt::skip]
mod generated;
mod grant;
mod key;
mod managed;
mod name;
mod operations;
mod paging;
mod reconcile;
mod service;
mod signatures;
mod spec;
mod state;
mod tags;
mod targets;

pub use generated::ops::{KmsOperations, routes};
pub use reconcile::KeyReconciler;
pub use service::{Kms, KmsParts};
