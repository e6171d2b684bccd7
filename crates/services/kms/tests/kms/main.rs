//! Scenario tests of KMS, with the real authority and without the wire.

mod aliases;
mod ciphertexts;
mod decisions;
mod grants;
mod keys;
mod lifecycle;
mod policies;
mod services;
mod signing;
mod support;
