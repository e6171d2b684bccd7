//! What keeps a store from opening, always naming the file; and how SQLite's failures become store errors.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use stoa_store::{Outcome, StoreError};

/// Why the store cannot be opened. Ends the start of the server.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the file.
    #[error("the store `{}` is in use by another process", path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The file or its lock cannot be made or opened.
    #[error("the store file `{}` cannot be opened", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite refuses the file: no database, damaged, or unreadable.
    #[error("the store `{}` cannot be read as a database", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file is an SQLite database, but of another program.
    #[error("`{}` is a database of another program", path.display())]
    Foreign {
        /// The database file.
        path: PathBuf,
    },
    /// The file was written by a later version.
    #[error("the store `{}` has schema version {found}, this program knows up to {known}", path.display())]
    TooNew {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
}

/// A failed read: nothing was written.
pub fn reading(cause: rusqlite::Error) -> StoreError {
    StoreError::backend(Outcome::NotApplied, cause)
}

/// Whether a failed COMMIT may have reached the disk all the same: after an I/O error nobody knows.
pub fn outcome_of_commit(cause: &rusqlite::Error) -> Outcome {
    match cause.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull | ErrorCode::ReadOnly) => {
            Outcome::NotApplied
        }
        _ => Outcome::Unknown,
    }
}
