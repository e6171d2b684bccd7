//! One server per store: an exclusive lock on a file beside the database, given up by the kernel when we die.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::OpenError;

/// Holds the lock until dropped.
#[derive(Debug)]
pub struct DirectoryLock(#[expect(dead_code, reason = "held for its lock, which ends with the file")] File);

impl DirectoryLock {
    /// Takes the lock, or says who cannot.
    pub fn take(database: &Path) -> Result<DirectoryLock, OpenError> {
        let mut name = database.file_name().map_or_else(OsString::new, ToOwned::to_owned);
        name.push(".lock");
        let file = private_file(&database.with_file_name(name))?;
        match file.try_lock() {
            Ok(()) => Ok(DirectoryLock(file)),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: database.to_owned() }),
            Err(TryLockError::Error(source)) => Err(OpenError::File { path: database.to_owned(), source }),
        }
    }
}

/// Opens or makes a file that only we may read. SQLite gives its `-wal` and `-shm` files the same mode.
pub fn private_file(path: &Path) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(|source| OpenError::File { path: PathBuf::from(path), source })
}
