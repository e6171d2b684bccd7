//! Tokens and responses, honest and forged.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod metadata;
mod saml;
mod saml_attacks;
mod signing;
mod tokens;
