//! What can go wrong: at start (`ImageError`, ends the process or the load) and in a request (`PredictError`, becomes
//! one HTTP answer).

use std::path::PathBuf;

/// Why the container could not start or its model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// An environment variable has a value that cannot be used.
    #[error("environment variable `{name}` has the unusable value `{value}`")]
    Environment {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// The socket could not be bound or served.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The TCP address or socket path.
        address: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A signal handler could not be installed.
    #[error("cannot wait for termination signals")]
    Signal(#[source] std::io::Error),
    /// A file of the model cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The model folder has no model, or one that this image cannot serve.
    #[error("{0}")]
    Model(String),
}

/// Why a request got no prediction.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// The body is not what the model takes: HTTP 400.
    #[error("{0}")]
    BadInput(String),
    /// The body's media type is not read here or not by this model: HTTP 415.
    #[error("content type `{0}` is not supported by this model")]
    UnsupportedContentType(String),
    /// No media type of `Accept` can be written for this model: HTTP 406.
    #[error("no accepted media type can be produced: `{0}`")]
    NotAcceptable(String),
    /// The model itself failed: HTTP 500.
    #[error("the model failed: {0}")]
    Model(String),
    /// The caller went away; nobody reads the answer.
    #[error("the request was abandoned")]
    Abandoned,
}

impl PredictError {
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::BadInput(message.into())
    }

    /// The HTTP status and the `type` of the error document.
    pub fn status(&self) -> (u16, &'static str) {
        match self {
            Self::BadInput(_) => (400, "BadRequestException"),
            Self::UnsupportedContentType(_) => (415, "UnsupportedMediaTypeException"),
            Self::NotAcceptable(_) => (406, "NotAcceptableException"),
            Self::Model(_) => (500, "ModelException"),
            Self::Abandoned => (503, "ServiceUnavailableException"),
        }
    }
}
