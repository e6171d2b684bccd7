//! Scenario tests of the inference container: the sample catalog, other graphs, and HTTP over a real Unix socket.

mod catalog;
mod graphs;
mod http;
mod latency;
mod support;
