//! Scenarios over RAM and IAM without a wire: what is shared with whom, and what that lets them do.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod associations;
mod closed;
mod consumers;
mod invitations;
mod keys;
mod organization;
mod permissions;
mod support;
mod yielding;
