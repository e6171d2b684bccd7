//! The data folder: what is where in it, and the master key.
//!
//! ```text
//! stoa.db        state                     audit/       the journal
//! blobs/         object bytes              run/         containers (made anew at each start)
//! ca.pem         the front door's CA       credentials  an AWS shared-credentials file (mode 0600)
//! master.key     seals secrets (0600)      admin.sock   for the command line (0600)
//! server.json    where the running server listens
//! ```

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stoa_types::IdSource;

/// Overrides the file.
const MASTER_KEY_VARIABLE: &str = "STOA_MASTER_KEY";

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

/// Thirty-two bytes from which every other key is derived.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

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
    pub fn database(&self) -> PathBuf {
        self.0.join("stoa.db")
    }
    pub fn audit(&self) -> PathBuf {
        self.0.join("audit")
    }
    pub fn containers(&self) -> PathBuf {
        self.0.join("run")
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
        fs::rename(&temporary, path)
    }

    /// The master key from the environment or its file; a first start makes the file.
    pub fn master_key(&self, ids: &dyn IdSource) -> io::Result<MasterKey> {
        if let Ok(text) = std::env::var(MASTER_KEY_VARIABLE) {
            return MasterKey::parse(&text, MASTER_KEY_VARIABLE);
        }
        let path = self.0.join("master.key");
        match fs::read_to_string(&path) {
            Ok(text) => MasterKey::parse(text.trim(), &path.display().to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.database().exists() => {
                let mut key = [0; 32];
                ids.fill(&mut key);
                self.write_private(&path, &hex::encode(key))?;
                Ok(MasterKey(key))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(io::Error::other(format!(
                "{} is missing, and without it the secrets in {} cannot be read: restore it, or set {MASTER_KEY_VARIABLE}",
                path.display(),
                self.database().display()
            ))),
            Err(error) => Err(error),
        }
    }
}

impl MasterKey {
    fn parse(text: &str, from: &str) -> io::Result<MasterKey> {
        let mut key = [0; 32];
        hex::decode_to_slice(text, &mut key)
            .map_err(|_| io::Error::other(format!("the master key in {from} is not 64 hexadecimal digits")))?;
        Ok(MasterKey(key))
    }
    /// A key for one purpose.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        Sha256::new().chain_update(self.0).chain_update(purpose).finalize().into()
    }
    /// The key itself, for the one that seals with it.
    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }
}
