//! Built-in images as sandboxed processes.
//!
//! Each container is a re-execution of this binary in user, mount, PID, IPC and (when isolated) network namespaces of
//! its own, with a root file system of its own, and speaks HTTP over a Unix socket in its folder. A container dies
//! with the server; what should run is in the store, and the reconciler starts it again.

mod connection;
mod folder;
mod limits;
mod process;
mod runtime;
mod sandbox;

pub use runtime::{ProcessRuntime, ProcessRuntimeConfig};
pub use sandbox::{INIT_ARGUMENT, PROBE_ARGUMENT, RUN_ARGUMENT, container_main};

#[cfg(test)]
mod tests;
