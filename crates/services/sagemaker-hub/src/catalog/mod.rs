//! The catalog: models of the public hub, imported from folders, kept as documents and blobs.

mod bodies;
mod bundle;
mod claims;
mod folder;
mod huggingface;
mod import;
mod index;
mod manifest;
mod model;
mod objects;
mod public;
mod sample;
mod texts;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use stoa_blob::BlobStore;
use stoa_kernel::ApiError;
use stoa_store::Store;
use stoa_types::Clock;
use stoa_work::Nudge;

pub use bundle::{BundleImported, BundleReport, Exported, SecretKey, Signer, TrustedKey, verify_bundle};
pub(crate) use folder::{LONGEST_DOCUMENT, is_plain};
pub(crate) use huggingface::front_matter;
pub use huggingface::{HuggingFaceImport, HuggingFaceImported};
pub use import::{Imported, ModelVersion};
pub(crate) use index::CatalogIndex;
pub use manifest::{HuggingFace, Manifest, Payload};
pub(crate) use manifest::{SDK_ACCEPT_TYPE, is_name};
pub use model::ModelFile;
pub(crate) use model::{ModelBody, commit_of};
pub(crate) use objects::Derived;
pub(crate) use public::{Origin, PublicModel, Versions};

/// The models of the public hub.
pub struct Catalog {
    store: Arc<dyn Store>,
    blobs: Arc<dyn BlobStore>,
    clock: Arc<dyn Clock>,
    importing: tokio::sync::Mutex<()>,
    exporting: tokio::sync::Mutex<()>,
    cached: RwLock<Option<(u64, Arc<CatalogIndex>)>>,
    /// Held while the index is brought up to date.
    refreshing: tokio::sync::Mutex<()>,
    announced: Mutex<Vec<index::Announced>>,
    changed: Nudge,
    texts: Mutex<texts::Texts>,
    bodies: Mutex<bodies::Bodies>,
    manifest: Mutex<index::KeptManifest>,
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Catalog")
    }
}

/// A model version, as `stoa catalog list` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogEntry {
    /// The model.
    pub id: String,
    /// The version.
    pub version: String,
    /// For people.
    pub display_name: String,
    /// `Text Generation`.
    pub task: String,
    /// The first part of the id.
    pub framework: String,
    /// Whether use needs consent to an EULA.
    pub gated: bool,
    /// Path of each artifact file and its SHA-256.
    pub files: BTreeMap<String, String>,
    /// Bytes of all artifact files.
    pub size_bytes: u64,
    /// Why it is not to be used any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
    /// Known vulnerabilities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vulnerabilities: Vec<String>,
}

impl Catalog {
    /// A catalog over this store; its documents belong to the pseudo-account `aws`.
    pub fn new(store: Arc<dyn Store>, blobs: Arc<dyn BlobStore>, clock: Arc<dyn Clock>) -> Catalog {
        Catalog {
            store,
            blobs,
            clock,
            importing: tokio::sync::Mutex::new(()),
            exporting: tokio::sync::Mutex::new(()),
            cached: RwLock::new(None),
            refreshing: tokio::sync::Mutex::new(()),
            announced: Mutex::new(Vec::new()),
            changed: Nudge::new(),
            texts: Mutex::default(),
            bodies: Mutex::default(),
            manifest: Mutex::default(),
        }
    }

    /// Where the files' bytes are.
    pub(crate) fn blobs(&self) -> &Arc<dyn BlobStore> {
        &self.blobs
    }

    /// Every model version, in order of id and version.
    pub async fn list(&self) -> Result<Vec<CatalogEntry>, ApiError> {
        let index = self.index().await?;
        let mut entries = Vec::new();
        for model in index.models.values().flat_map(Versions::values) {
            entries.push(entry(&*self.body(model).await?));
        }
        Ok(entries)
    }
}

fn entry(body: &ModelBody) -> CatalogEntry {
    let manifest = &body.manifest;
    let files = body.files.iter().map(|file| (file.path.clone(), file.digest.as_str().to_owned()));
    CatalogEntry {
        id: manifest.id.clone(),
        version: manifest.version.to_string(),
        display_name: manifest.display_name.clone(),
        task: manifest.task.clone(),
        framework: manifest.framework.clone(),
        gated: manifest.gated,
        files: files.collect(),
        size_bytes: body.size(),
        deprecated: manifest.deprecated.clone(),
        vulnerabilities: manifest.vulnerabilities.clone(),
    }
}
