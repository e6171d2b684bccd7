//! The files of a model, by the path a container sees them under.
//!
//! INVARIANT: every path is relative, has no `.` or `..`, and no path is both a file and a folder. Whoever links them
//! into a folder relies on it.

use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stoa_blob::{Digest, Pin};
use stoa_kernel::ports::Sealed;

/// More than any model has.
pub(super) const MOST_FILES: usize = 100_000;

/// A file of a model: its path below `/opt/ml/model` and its blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ModelFile {
    pub path: String,
    pub digest: Digest,
    /// How the blob is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedBytes>,
    /// Keeps the blob until the endpoint's document names it.
    #[serde(skip)]
    pub pin: Pin,
}

/// What is needed to open a sealed blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SealedBytes {
    pub seal: Arc<Sealed>,
    /// Of the bytes in it.
    pub size: u64,
}

/// What holds the bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelBytes {
    pub digest: Digest,
    pub sealed: Option<SealedBytes>,
    pub pin: Pin,
}

/// Files as they are found. An error says what is wrong, for the failure reason.
#[derive(Debug, Default)]
pub(crate) struct Files(BTreeMap<String, ModelBytes>);

impl Files {
    /// Adds a file; of two with the same path the later one counts, as `tar` has it.
    pub fn add(&mut self, path: &Path, bytes: ModelBytes) -> Result<(), String> {
        let mut parts = Vec::new();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::Normal(name) => {
                    parts.push(name.to_str().ok_or_else(|| format!("`{}` is not UTF-8", path.display()))?);
                }
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(format!("`{}` leads out of its folder", path.display()));
                }
            }
        }
        if parts.is_empty() {
            return Err("a file has no name".to_owned());
        }
        self.0.insert(parts.join("/"), bytes);
        if self.0.len() > MOST_FILES { Err(format!("there are more than {MOST_FILES} files")) } else { Ok(()) }
    }

    /// All files, in order of path.
    pub fn done(self) -> Result<Vec<ModelFile>, String> {
        for path in self.0.keys() {
            let mut folders = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
            if let Some(folder) = folders.find(|folder| self.0.contains_key(*folder)) {
                return Err(format!("`{folder}` is both a file and a folder"));
            }
        }
        let file = |(path, ModelBytes { digest, sealed, pin })| ModelFile { path, digest, sealed, pin };
        Ok(self.0.into_iter().map(file).collect())
    }
}
