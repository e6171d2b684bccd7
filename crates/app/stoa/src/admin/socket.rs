//! A Unix socket's path may not be longer than 107 bytes, and a data folder's may: so the folder is opened and the
//! socket named through it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// A short name for a socket in a folder, valid as long as this lives.
pub struct SocketName {
    folder: File,
    name: &'static str,
}

impl SocketName {
    pub fn in_folder(folder: &Path, name: &'static str) -> io::Result<SocketName> {
        Ok(SocketName { folder: File::open(folder)?, name })
    }
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{}", self.folder.as_raw_fd(), self.name))
    }
}
