//! A version of a public model as it is stored: its manifest, its card, and which blobs its files are. What of it is
//! held in memory is in `public.rs`.
//!
//! INVARIANT: a stored version never changes but for its marks (deprecated, vulnerabilities). What was approved under a
//! version stays what it was; new content is a new version.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stoa_blob::Digest;
use stoa_sagemaker_common::Version;
use stoa_store::Key;
use stoa_types::AccountId;

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

/// A commit's name: the beginning of the SHA-256 over what it is of and every file's path and digest.
pub(crate) fn commit_of<'f>(id: &'f str, version: &'f str, files: impl Iterator<Item = (&'f str, &'f str)>) -> String {
    let mut hash = Sha256::new();
    for (name, digest) in [(id, version)].into_iter().chain(files) {
        hash.update(name);
        hash.update([0]);
        hash.update(digest);
        hash.update([0]);
    }
    let mut text = hex::encode(hash.finalize());
    text.truncate(40);
    text
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

    /// Forty hex digits that follow from id, version, card and files, and from nothing else.
    pub fn commit(&self) -> String {
        let version = self.manifest.version.to_string();
        let card = hex::encode(Sha256::digest(&self.card));
        let files = self.files.iter().map(|file| (file.path.as_str(), file.digest.as_str()));
        commit_of(&self.manifest.id, &version, files.chain([("README.md", card.as_str())]))
    }

    /// Whether another reading of this version differs in its marks at most.
    pub fn is_marked_as(&self, other: &ModelBody) -> bool {
        ModelBody { manifest: self.manifest.marked_as(&other.manifest), ..self.clone() } == *other
    }
}

/// The key of a version.
pub(crate) fn model_key(manifest: &Manifest) -> Key {
    version_key(&manifest.id, manifest.version)
}

pub(crate) fn version_key(id: &str, version: Version) -> Key {
    let id = format!("{id}/{version}");
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
