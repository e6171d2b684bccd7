//! The built-in inference container: ONNX models behind /ping and /invocations.
//!
//! `run` is the whole program; the `stoa` binary calls it when it is started as this container. The container holds no
//! state but the loaded model, so a crash loses only the requests in flight and a restart serves the same answers.

mod config;
mod error;
mod media;
mod model_config;
mod npy;
mod onnx;
mod predictor;
mod server;
mod tasks;
mod tensor;

pub use config::{ContainerConfig, Listen};
pub use error::{ImageError, PredictError};
pub use media::{Accept, Answer, ContentType};
pub use predictor::Predictor;
pub use server::{run, run_until};

#[cfg(test)]
mod tests;
