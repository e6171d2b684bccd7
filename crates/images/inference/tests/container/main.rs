//! Scenario tests of the inference container: the sample catalog, other graphs, and HTTP over a real Unix socket.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod catalog;
mod graphs;
mod http;
mod latency;
mod support;
