//! IAM and STS over the in-memory store, called as the pipeline calls them: targets, decision, handler.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod accounts;
mod decisions;
mod federation_token;
mod mfa;
mod organizations;
mod organizations_delegation;
mod policies;
mod roles;
mod sessions;
mod simulate;
mod support;
mod users;
