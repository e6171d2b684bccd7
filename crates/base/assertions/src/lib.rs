//! Web identity tokens and SAML responses: bytes, keys and the time in, verified claims out.
//!
//! Pure: no I/O, no clock. What a document says is believed only after its signature held, and only as far as it is
//! signed; everything unusual is refused rather than interpreted. Who may do what with the claims is decided elsewhere.
//!
//! Tokens are verified by `jsonwebtoken` over `ring`; SAML by `uppsala` (XML), `bergshamra-c14n` (canonical form) and
//! `ring` (signatures), with the reference processing of XML-DSig written here, narrowly: see ADR 0004.

mod jwt;
mod key;
mod saml;
mod xml;

pub use jwt::{KeySet, KeySetError, TokenError, WebToken, peek_issuer, peek_key_id, verify_token};
pub use saml::{Assertion, Metadata, MetadataError, SamlError, verify_response};

/// How far two clocks may be apart, in milliseconds.
pub const CLOCK_SKEW_MILLIS: i64 = 60_000;
