//! Containers to SageMaker's contracts: the trait that drivers implement.
//!
//! A runtime starts, observes, logs, measures and stops containers. It holds no state that matters: what should run
//! is in the store, and a container that outlived its server is found again by [`Runtime::list`] or stopped.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Unique on this machine; letters, digits and dashes.
    pub name: String,
    /// The built-in program or the engine's image reference.
    pub image: String,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// Read-only files: path below `/opt/ml/model` and the local file behind it.
    pub model_files: Vec<(String, PathBuf)>,
    /// Memory limit in MiB, from the instance type.
    pub memory_mib: u64,
    /// CPU limit in thousandths of a core, from the instance type.
    pub cpu_millis: u64,
    /// No network at all.
    pub network_isolation: bool,
}

/// A container as a driver sees it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerStatus {
    /// Its name.
    pub name: String,
    /// What it does.
    pub state: ContainerState,
}

/// The states of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerState {
    /// Started, `/ping` has not answered 200 yet.
    Starting,
    /// `/ping` answers 200.
    Healthy,
    /// It runs and says itself that it will never serve (`/ping` answers `{"status": "failed", …}`).
    Unhealthy {
        /// What it says.
        reason: String,
    },
    /// It ended by itself.
    Exited {
        /// Exit status, or 128 + signal.
        code: i32,
        /// The last lines it wrote, for the failure reason.
        last_output: String,
    },
}

/// An invocation's answer, or the container's own error answer.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The container's HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `X-Amzn-SageMaker-Custom-Attributes`.
    pub custom_attributes: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// What is sent to a container.
#[derive(Debug, Clone, Default)]
pub struct InvocationRequest {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Accept`.
    pub accept: Option<String>,
    /// `X-Amzn-SageMaker-Custom-Attributes`.
    pub custom_attributes: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// A runtime's error.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// There is no container of this name. The caller starts it again.
    #[error("no container `{0}`")]
    NotFound(String),
    /// The image cannot be run here. Becomes the endpoint's failure reason.
    #[error("the image `{0}` cannot be run by this runtime")]
    UnknownImage(String),
    /// The container did not answer in time or broke the connection. ModelError / ModelNotReadyException.
    #[error("the container did not answer: {0}")]
    NoAnswer(String),
    /// The driver failed. Internal; the reconciler tries again.
    #[error("the container runtime failed")]
    Driver(#[source] Box<dyn Error + Send + Sync>),
}

/// Starts, observes and stops containers.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Starts a container; starting one that runs already (same name) changes nothing.
    async fn start(&self, spec: &ContainerSpec) -> Result<(), RuntimeError>;
    /// Its state now; none when there is no such container.
    async fn status(&self, name: &str) -> Result<Option<ContainerStatus>, RuntimeError>;
    /// All containers of this runtime, also those an earlier server left running.
    async fn list(&self) -> Result<Vec<ContainerStatus>, RuntimeError>;
    /// `POST /invocations`.
    async fn invoke(&self, name: &str, request: InvocationRequest) -> Result<Invocation, RuntimeError>;
    /// Stops and removes it: SIGTERM, then SIGKILL after a grace; stopping one that is gone is fine.
    async fn stop(&self, name: &str) -> Result<(), RuntimeError>;
    /// The lines it wrote, newest last, at most so many.
    async fn logs(&self, name: &str, lines: usize) -> Result<Vec<String>, RuntimeError>;
    /// What this runtime cannot do here (no user namespaces, no cgroups), to be warned about at start.
    fn warnings(&self) -> Vec<String>;
}
