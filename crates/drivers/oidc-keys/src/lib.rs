//! The signing keys of OpenID Connect issuers: pinned by the operator, or fetched over TLS from the issuer.
//!
//! Implements the kernel's `IssuerKeys`. Nothing is stored: what was fetched is held in memory for a while, and after a
//! crash it is fetched again.

mod certificates;
mod fetch;
mod source;

pub use source::{OidcKeys, Pin, Settings};
