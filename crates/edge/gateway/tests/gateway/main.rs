//! The gateway over real sockets (port 0 each), with a small registry, authority and journal of the tests' own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

mod authentication;
mod client;
mod cost;
mod endpoints;
mod envelopes;
mod files;
mod front_door;
mod lifecycle;
mod limits;
mod model;
mod pipeline;
mod world;
