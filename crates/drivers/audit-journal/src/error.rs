//! What keeps a journal from opening, always naming the file.

use std::io;
use std::path::{Path, PathBuf};

/// Why the journal cannot be opened. Ends the start of the server.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes it.
    #[error("the audit journal `{}` is in use by another process", path.display())]
    InUse {
        /// The journal's folder.
        path: PathBuf,
    },
    /// A file cannot be made, read or written.
    #[error("the audit journal file `{}` cannot be opened", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The writer thread cannot be started.
    #[error("the audit journal's writer cannot be started")]
    Thread(#[source] io::Error),
}

impl OpenError {
    /// A failure over this file.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
        let path = path.to_owned();
        move |source| OpenError::File { path, source }
    }
}
