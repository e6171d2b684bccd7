//! IAM, STS and Organizations: identities, credentials and the authority that decides.
//!
//! [`Iam`] is the service: handlers of both APIs, the kernel's `Authority`, and the accounts of the organization.
//! All state is in the store (see `state`); secrets in it are sealed under a master key that is not.

mod access_key;
mod account;
mod accounts;
mod authority;
mod cache;
mod documents;
mod entities;
mod entity;
mod error;
#[rustfmt::skip]
mod generated;
mod group;
mod holder;
mod hugging_face;
mod insight;
mod inspect;
mod instance_profile;
mod last_accessed;
mod managed;
mod mfa;
mod named;
mod oidc;
mod organizations;
mod paging;
mod password;
mod policy;
mod quotas;
mod role;
mod saml;
mod seal;
mod service;
mod session;
mod simulate;
mod state;
mod sts;
mod targets;
mod usage;
mod user;

pub use accounts::{Account, LocalCredentials, NewAccount};
pub use authority::Gathered;
pub use generated::ops::{IamOperations, routes};
pub use insight::IamInsight;
pub use seal::SealingKey;
pub use service::Iam;
pub use session::SessionCredentials;
pub use state::{Organization, PolicyType};
