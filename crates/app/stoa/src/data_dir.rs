//! The data folder: what is where in it.
//!
//! ```text
//! stoa.db        state                     audit/       the journal
//! blobs/         object bytes              run/         containers (made anew at each start)
//! tmp/           bytes on their way        damaged/     what `stoa blobs verify` put aside
//! spool/         what is unpacked while it is looked into; with blob-cache/, also instead of blobs/ and tmp/ where
//!                blobs are in an object store
//! opened/        encrypted model data on its way into a container (0700, emptied at each start)
//! ca.pem         the front door's CA       credentials  an AWS shared-credentials file (mode 0600)
//! master.key     seals secrets (0600; see `master_key.rs`)
//! admin.sock   for the command line (0600)
//! server.json    where the running server listens
//! ```

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

/// The paths below the data folder.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

/// Where a running server is found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServerFile {
    /// `http://host:port`.
    pub url: String,
    /// The regions served; the first is the default.
    pub regions: Vec<String>,
    /// The server's process.
    pub pid: u32,
    /// The VPC endpoints' listeners.
    #[serde(default)]
    pub vpc_endpoints: Vec<EndpointEntry>,
}

/// Where a VPC endpoint is found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndpointEntry {
    /// `vpce-…`.
    pub id: String,
    /// `http://host:port`.
    pub url: String,
    /// What is to be said against its policy.
    pub warning: Option<String>,
}

impl DataDir {
    /// The folder, absolute; it need not exist.
    pub fn new(path: &Path) -> io::Result<DataDir> {
        Ok(DataDir(std::path::absolute(path)?))
    }
    /// Makes the folder, for this user only.
    pub fn create(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }
    pub fn path(&self) -> &Path {
        &self.0
    }
    /// Who works on this folder, for leases: the same after a crash, since one process at a time may have the folder.
    pub fn holder(&self) -> String {
        let host = nix::unistd::gethostname().unwrap_or_default();
        format!("{}:{}", host.to_string_lossy(), self.0.display())
    }
    /// What tells the folder from its copies: it stays when the folder is renamed, and is another on another disk.
    pub fn identity(&self) -> io::Result<String> {
        let found = fs::metadata(&self.0)?;
        // Not every file system knows when a file was made.
        let made = found.created().ok().and_then(|made| made.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        Ok(format!("{:x}-{:x}", found.ino(), made.as_nanos()))
    }
    pub fn database(&self) -> PathBuf {
        self.0.join("stoa.db")
    }
    pub fn audit(&self) -> PathBuf {
        self.0.join("audit")
    }
    pub fn containers(&self) -> PathBuf {
        self.0.join("run")
    }
    /// Files in it have no names; those of the object store's driver lie there too.
    pub fn spool(&self) -> PathBuf {
        self.0.join("spool")
    }
    pub fn opened(&self) -> PathBuf {
        self.0.join("opened")
    }
    pub fn credentials(&self) -> PathBuf {
        self.0.join("credentials")
    }
    pub fn ca(&self) -> PathBuf {
        self.0.join("ca.pem")
    }
    pub fn server_file(&self) -> PathBuf {
        self.0.join("server.json")
    }
    pub fn admin_socket(&self) -> PathBuf {
        self.0.join("admin.sock")
    }

    /// Writes a file that only this user may read, whole or not at all.
    pub fn write_private(&self, path: &Path, content: &str) -> io::Result<()> {
        let temporary = path.with_extension("new");
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        self.sync()
    }

    /// Makes what was made, renamed or removed in the folder durable.
    pub fn sync(&self) -> io::Result<()> {
        fs::File::open(&self.0)?.sync_all()
    }
}
