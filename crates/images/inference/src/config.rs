//! The container's settings, all from the environment, as SageMaker's container contract has it.

use std::{net::SocketAddr, path::PathBuf};

use crate::error::ImageError;

const DEFAULT_MODEL_DIR: &str = "/opt/ml/model";
const DEFAULT_PORT: u16 = 8080;
const DEFAULT_MAX_BODY: usize = 25 * 1024 * 1024;

/// Where the container listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket; an old socket file in its place is replaced.
    Unix(PathBuf),
}

/// All that `run` needs to know.
#[derive(Clone, Debug)]
pub struct ContainerConfig {
    /// The folder with the model's files.
    pub model_dir: PathBuf,
    /// Where to listen.
    pub listen: Listen,
    /// The largest request body in bytes.
    pub max_body_bytes: usize,
    /// How many predictions run at the same time; more wait.
    pub workers: usize,
}

impl ContainerConfig {
    /// The settings for a model folder and a socket, with the defaults for the rest.
    pub fn new(model_dir: impl Into<PathBuf>, listen: Listen) -> Self {
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { model_dir: model_dir.into(), listen, max_body_bytes: DEFAULT_MAX_BODY, workers }
    }

    /// Reads `STOA_MODEL_DIR`, `STOA_BIND_UNIX`, `SAGEMAKER_BIND_TO_PORT`, `STOA_MAX_BODY_BYTES` and `STOA_WORKERS`.
    /// A variable that is unset or empty takes its default: SageMaker passes empty values on.
    ///
    /// # Errors
    /// `ImageError::Environment` when a number is none.
    pub fn from_env() -> Result<Self, ImageError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    pub(crate) fn from_lookup(lookup: impl Fn(&'static str) -> Option<String>) -> Result<Self, ImageError> {
        let get = |name: &'static str| lookup(name).filter(|value| !value.is_empty());
        let listen = match get("STOA_BIND_UNIX") {
            Some(path) => Listen::Unix(path.into()),
            None => {
                let port = number(get, "SAGEMAKER_BIND_TO_PORT")?.unwrap_or(usize::from(DEFAULT_PORT));
                let port = u16::try_from(port)
                    .map_err(|_| ImageError::Environment { name: "SAGEMAKER_BIND_TO_PORT", value: port.to_string() })?;
                Listen::Tcp(SocketAddr::from(([0, 0, 0, 0], port)))
            }
        };
        let model_dir = get("STOA_MODEL_DIR").unwrap_or_else(|| DEFAULT_MODEL_DIR.to_owned());
        let mut config = Self::new(model_dir, listen);
        if let Some(bytes) = number(get, "STOA_MAX_BODY_BYTES")? {
            config.max_body_bytes = bytes;
        }
        if let Some(workers) = number(get, "STOA_WORKERS")? {
            config.workers = workers.max(1);
        }
        Ok(config)
    }
}

fn number(get: impl Fn(&'static str) -> Option<String>, name: &'static str) -> Result<Option<usize>, ImageError> {
    get(name).map(|value| value.parse().map_err(|_| ImageError::Environment { name, value })).transpose()
}
