//! IAM and STS over the in-memory store, called as the pipeline calls them: targets, decision, handler.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod accounts;
mod bearer;
mod boundaries;
mod decisions;
mod federation_token;
mod groups;
mod idp;
mod insight;
mod instance_profiles;
mod keys;
mod last_accessed;
mod mfa;
mod organizations;
mod organizations_delegation;
mod passwords;
mod policies;
mod quotas;
mod renames;
mod reports;
mod roles;
mod saml;
mod service_linked;
mod sessions;
mod simulate;
mod slots;
mod support;
mod users;
mod web_identity;
