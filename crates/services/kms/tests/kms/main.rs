//! Scenario tests of KMS, with the real authority and without the wire.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod aliases;
mod ciphertexts;
mod condition_keys;
mod decisions;
mod grants;
mod keys;
mod lifecycle;
mod policies;
mod services;
mod signing;
mod support;
