//! Hosting through its routes: every operation, the life of endpoints, invocation. One binary.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test crate: its helpers fail the test")]

mod condition_keys;
mod endpoints;
mod fakes;
mod invocations;
mod lists;
mod models;
mod support;
mod tags;
