//! A version of a public model as it is stored: its manifest, its card, and which blobs its files are.
//!
//! INVARIANT: a stored version never changes. What was approved under a version stays what it was; new content is a
//! new version.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stoa_blob::Digest;
use stoa_store::Key;
use stoa_types::{AccountId, Timestamp};

use super::Manifest;

/// The kind of public models. They are of no region: every region shows the same ones.
pub(crate) const KIND: &str = "sagemaker:public-model";
/// The kind of notes about the catalog itself (which sample was loaded).
pub(crate) const NOTE_KIND: &str = "sagemaker:catalog-note";

/// A file: its path below the artifact folder (or its name), and its bytes' name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// With `/`, never climbing.
    pub path: String,
    /// SHA-256.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// For ETags.
    pub md5: String,
}

/// The body of a public model's document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelBody {
    pub manifest: Manifest,
    pub card: String,
    pub eula: Option<ModelFile>,
    /// In order of path.
    pub files: Vec<ModelFile>,
}

/// A version of a public model.
#[derive(Debug)]
pub(crate) struct PublicModel {
    pub body: ModelBody,
    pub imported: Timestamp,
}

impl ModelBody {
    /// The blobs it names.
    pub fn digests(&self) -> impl Iterator<Item = &str> {
        self.files.iter().chain(&self.eula).map(|file| file.digest.as_str())
    }
    /// Bytes of all artifact files.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// The key of a version.
pub(crate) fn model_key(manifest: &Manifest) -> Key {
    let id = format!("{}/{}", manifest.id, manifest.version);
    Key { kind: KIND, account: AccountId::aws(), region: None, id }
}

/// Where a file's bytes come from while it is imported.
#[derive(Debug, Clone)]
pub(crate) enum FileSource {
    Disk(std::path::PathBuf),
    Memory(Bytes),
}

/// A model folder that was read and found right, its artifact not yet stored.
#[derive(Debug)]
pub(crate) struct ModelFolder {
    /// For messages.
    pub origin: String,
    pub manifest: Manifest,
    pub card: String,
    pub eula: Option<(String, FileSource)>,
    /// In order of path.
    pub files: Vec<(String, FileSource)>,
}
