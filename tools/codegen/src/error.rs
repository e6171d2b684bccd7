//! What can be wrong with facts, overlay or disk.

use std::path::PathBuf;

/// Shown to whoever runs codegen; nothing here reaches a client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Unknown arguments.
    #[error("usage: codegen [--check | --compatibility]")]
    Usage,
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// A file is not in its form.
    #[error("{}: {message}", path.display())]
    Form { path: PathBuf, message: String },
    /// Facts and overlay do not fit together.
    #[error("{0}")]
    Facts(String),
    /// What is on disk is not what the facts give.
    #[error("generated files differ from a fresh run (`cargo run -p codegen` writes them):\n{0}")]
    Differs(String),
}
