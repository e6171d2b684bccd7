//! AWS RAM: resource shares, the invitations to them, and the permissions that say what a share lets others do.
//!
//! [`Ram`] is the service: handlers, and the policies that shares put on resources, as the authority asks for them
//! ([`stoa_kernel::ports::ResourcePolicies`]). What can be shared is one table (`shareable`). All state is in the store.

mod access;
mod account_data;
mod error;
#[rustfmt::skip]
mod generated;
mod idempotency;
mod invitation;
mod organization;
mod paging;
mod permission;
mod principal;
mod service;
mod share;
mod shareable;
mod state;
mod tags;
mod targets;

pub use generated::ops::{RamOperations, routes};
pub use service::{Ram, RamParts};
