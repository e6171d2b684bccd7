//! The runtime: which containers there are, and what is asked of them.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use nix::sys::signal::Signal;
use parking_lot::Mutex;
use stoa_runtime::{
    ContainerSpec, ContainerState, ContainerStatus, Invocation, InvocationRequest, Runtime, RuntimeError,
};

use crate::connection::Connections;
use crate::folder::{Folder, SOCKET};
use crate::limits;
use crate::process::{Outer, Spawner};
use crate::sandbox::PROBE_ARGUMENT;

const CUSTOM_ATTRIBUTES: &str = "x-amzn-sagemaker-custom-attributes";

/// After SIGKILL: only a process that hangs in the kernel takes longer.
const KILL_GRACE: Duration = Duration::from_secs(10);

/// Where containers live and what they may take.
#[derive(Debug, Clone)]
pub struct ProcessRuntimeConfig {
    /// A folder on the disk of the blobs, so that models are hard links.
    pub folder: PathBuf,
    /// This binary.
    pub executable: PathBuf,
    /// The built-in programs it has.
    pub programs: Vec<String>,
    /// How long an invocation may take (SageMaker: 60 s).
    pub invocation_deadline: Duration,
    /// Between SIGTERM and SIGKILL.
    pub stop_grace: Duration,
}

/// Built-in images as sandboxed processes.
#[derive(Debug)]
pub struct ProcessRuntime {
    config: ProcessRuntimeConfig,
    spawner: Spawner,
    containers: Mutex<BTreeMap<String, Arc<Container>>>,
    starting: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Container {
    folder: Folder,
    outer: Mutex<Outer>,
    connections: Connections,
}

impl Container {
    async fn ends_within(&self, limit: Duration) -> Result<bool, RuntimeError> {
        const STEP: Duration = Duration::from_millis(10);
        let mut waited = Duration::ZERO;
        while self.outer.lock().ended().map_err(driver)?.is_none() {
            if waited >= limit {
                return Ok(false);
            }
            tokio::time::sleep(STEP).await;
            waited += STEP;
        }
        Ok(true)
    }
}

impl ProcessRuntime {
    /// A runtime over an empty folder: containers of an earlier server died with it.
    pub fn new(config: ProcessRuntimeConfig) -> io::Result<ProcessRuntime> {
        if config.folder.exists() {
            std::fs::remove_dir_all(&config.folder)?;
        }
        std::fs::create_dir_all(&config.folder)?;
        let spawner = Spawner::new(config.executable.clone())?;
        Ok(ProcessRuntime {
            config,
            spawner,
            containers: Mutex::new(BTreeMap::new()),
            starting: tokio::sync::Mutex::new(()),
        })
    }

    fn container(&self, name: &str) -> Option<Arc<Container>> {
        self.containers.lock().get(name).cloned()
    }

    async fn state(&self, container: &Container) -> Result<ContainerState, RuntimeError> {
        let ended = container.outer.lock().ended().map_err(driver)?;
        if let Some(status) = ended {
            let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
            let last_output = container.folder.tail(5).unwrap_or_default().join("; ");
            return Ok(ContainerState::Exited { code, last_output });
        }
        let request = Request::builder().method(Method::GET).uri("/ping").header(HOST, "container");
        let request = request.body(Full::new(Bytes::new())).map_err(driver)?;
        match container.connections.send(request, Duration::from_secs(2)).await {
            Ok(answer) if answer.status == StatusCode::OK => Ok(ContainerState::Healthy),
            Ok(answer) => {
                Ok(given_up(&answer.body)
                    .map_or(ContainerState::Starting, |reason| ContainerState::Unhealthy { reason }))
            }
            Err(_) => Ok(ContainerState::Starting),
        }
    }
}

/// The built-in images say in their `/ping` when waiting is of no use.
fn given_up(body: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    (answer.get("status")?.as_str()? == "failed")
        .then(|| answer.get("message").and_then(|text| text.as_str()).unwrap_or_default().to_owned())
}

#[async_trait]
impl Runtime for ProcessRuntime {
    async fn start(&self, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        let _one_at_a_time = self.starting.lock().await;
        if self.container(&spec.name).is_some() {
            return Ok(());
        }
        if !self.config.programs.contains(&spec.image) {
            return Err(RuntimeError::UnknownImage(spec.image.clone()));
        }
        let folder = Folder::of(&self.config.folder, &spec.name);
        let (made, wanted) = (folder.clone(), spec.clone());
        tokio::task::spawn_blocking(move || made.create(&wanted)).await.map_err(driver)?.map_err(driver)?;
        let connections = Connections::new(&folder.run(), SOCKET).map_err(driver)?;
        let outer = self.spawner.spawn(folder.clone()).await.map_err(driver)?;
        let container = Container { folder, outer: Mutex::new(outer), connections };
        self.containers.lock().insert(spec.name.clone(), Arc::new(container));
        Ok(())
    }

    async fn status(&self, name: &str) -> Result<Option<ContainerStatus>, RuntimeError> {
        let Some(container) = self.container(name) else { return Ok(None) };
        let state = self.state(&container).await?;
        Ok(Some(ContainerStatus { name: name.to_owned(), state }))
    }

    async fn list(&self) -> Result<Vec<ContainerStatus>, RuntimeError> {
        let all: Vec<_> = self.containers.lock().iter().map(|(name, one)| (name.clone(), Arc::clone(one))).collect();
        let states = all.into_iter().map(|(name, container)| async move {
            let state = self.state(&container).await?;
            Ok(ContainerStatus { name, state })
        });
        futures_util::future::join_all(states).await.into_iter().collect()
    }

    async fn invoke(&self, name: &str, request: InvocationRequest) -> Result<Invocation, RuntimeError> {
        let container = self.container(name).ok_or_else(|| RuntimeError::NotFound(name.to_owned()))?;
        let mut builder = Request::builder().method(Method::POST).uri("/invocations").header(HOST, "container");
        for (header, value) in [
            (CONTENT_TYPE.as_str(), request.content_type),
            (ACCEPT.as_str(), request.accept),
            (CUSTOM_ATTRIBUTES, request.custom_attributes),
        ] {
            if let Some(value) = value {
                builder = builder.header(header, value);
            }
        }
        let request = builder.body(Full::new(request.body)).map_err(driver)?;
        let answer = container.connections.send(request, self.config.invocation_deadline).await?;
        let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Invocation {
            status: answer.status.as_u16(),
            content_type: header(CONTENT_TYPE.as_str()),
            custom_attributes: header(CUSTOM_ATTRIBUTES),
            body: answer.body,
        })
    }

    async fn stop(&self, name: &str) -> Result<(), RuntimeError> {
        let Some(container) = self.container(name) else { return Ok(()) };
        container.outer.lock().signal(Signal::SIGTERM);
        if !container.ends_within(self.config.stop_grace).await? {
            container.outer.lock().signal(Signal::SIGKILL);
            if !container.ends_within(KILL_GRACE).await? {
                return Err(driver(format!("the container `{name}` cannot be killed")));
            }
        }
        // Forgotten last: a stop that is broken off is begun again.
        let (folder, gone) = (container.folder.clone(), name.to_owned());
        let clean = move || {
            limits::release(&gone);
            folder.remove()
        };
        tokio::task::spawn_blocking(clean).await.map_err(driver)?.map_err(driver)?;
        self.containers.lock().remove(name);
        Ok(())
    }

    async fn logs(&self, name: &str, lines: usize) -> Result<Vec<String>, RuntimeError> {
        let container = self.container(name).ok_or_else(|| RuntimeError::NotFound(name.to_owned()))?;
        container.folder.tail(lines).map_err(driver)
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut probe = Command::new(&self.config.executable);
        probe.arg(PROBE_ARGUMENT).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if !probe.status().is_ok_and(|status| status.success()) {
            warnings.push(
                "this kernel gives no user namespaces: containers run without isolation from this server, and models \
                 with network isolation are refused (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone)"
                    .to_owned(),
            );
        }
        if !limits::cgroups_writable() {
            warnings.push(
                "cgroup version 2 is not writable here: memory is limited per process (RLIMIT_DATA) and CPU by whole cores"
                    .to_owned(),
            );
        }
        warnings
    }
}

fn driver(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> RuntimeError {
    RuntimeError::Driver(error.into())
}
