//! What is held in memory of a version of a public model: what lists show and what filters, rules and references ask.
//!
//! The rest (card, files, payloads, environment) is read from the store when it is wanted: see `bodies.rs`. A site may
//! have many tens of thousands of these, so texts that many models share are held once (`texts.rs`), and nothing is
//! held that can be made from the rest.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use stoa_kernel::ApiError;
use stoa_sagemaker_common::{Version, store_error};
use stoa_store::{Document, StoreError};
use stoa_types::Timestamp;

use super::texts::{Texts, Words};

/// A version of a public model.
#[derive(Debug)]
pub(crate) struct PublicModel {
    pub id: Arc<str>,
    pub version: Version,
    pub display_name: Box<str>,
    pub description: Box<str>,
    pub task: Arc<str>,
    pub framework: Arc<str>,
    pub provider: Arc<str>,
    pub licence: Arc<str>,
    pub image: Arc<str>,
    pub keywords: Words,
    pub supported_instance_types: Words,
    pub min_memory_mb: u64,
    pub gated: bool,
    pub deprecated: Option<Arc<str>>,
    pub vulnerabilities: Words,
    /// The digest of its licence's text.
    pub eula: Option<Arc<str>>,
    pub huggingface: Option<Box<Origin>>,
    /// Bytes of all artifact files, and how many they are.
    pub size: u64,
    pub files: u32,
    pub imported: Timestamp,
    /// When it was imported, or last marked.
    pub modified: Timestamp,
    /// Of its document.
    pub generation: u64,
}

/// What rules ask of a model from a Hugging Face repository.
#[derive(Debug)]
pub(crate) struct Origin {
    pub repository: Option<Arc<str>>,
    pub library_name: Option<Arc<str>>,
    pub architectures: Words,
    pub tags: Words,
    pub languages: Words,
    pub base_models: Words,
    /// Of all types together; none where nothing says it.
    pub parameters: Option<u64>,
}

/// A model's document, as far as it is held. What is in it besides is stepped over and not copied.
#[derive(Deserialize)]
struct Glimpse<'d> {
    #[serde(borrow)]
    manifest: ManifestGlimpse<'d>,
    #[serde(borrow, default)]
    eula: Option<EulaGlimpse<'d>>,
    files: Vec<FileGlimpse>,
}

#[derive(Deserialize)]
struct ManifestGlimpse<'d> {
    #[serde(borrow)]
    id: Cow<'d, str>,
    version: Version,
    #[serde(borrow)]
    display_name: Cow<'d, str>,
    #[serde(borrow)]
    description: Cow<'d, str>,
    #[serde(borrow)]
    task: Cow<'d, str>,
    #[serde(borrow)]
    framework: Cow<'d, str>,
    #[serde(borrow)]
    provider: Cow<'d, str>,
    #[serde(borrow)]
    licence: Cow<'d, str>,
    #[serde(borrow)]
    image: Cow<'d, str>,
    #[serde(default)]
    gated: bool,
    #[serde(default)]
    keywords: Vec<String>,
    supported_instance_types: Vec<String>,
    min_memory_mb: u64,
    #[serde(default)]
    huggingface: Option<super::HuggingFace>,
    #[serde(default)]
    deprecated: Option<String>,
    #[serde(default)]
    vulnerabilities: Vec<String>,
}

#[derive(Deserialize)]
struct EulaGlimpse<'d> {
    #[serde(borrow)]
    digest: Cow<'d, str>,
}

#[derive(Deserialize)]
struct FileGlimpse {
    size: u64,
}

impl PublicModel {
    /// What is held of a stored version.
    pub fn of(document: &Document, texts: &mut Texts) -> Result<PublicModel, ApiError> {
        let read = serde_json::from_str::<Glimpse<'_>>(&document.body);
        let found = read.map_err(|cause| store_error(StoreError::corrupt(&document.key, cause)))?;
        let manifest = found.manifest;
        Ok(PublicModel {
            id: manifest.id.as_ref().into(),
            version: manifest.version,
            display_name: manifest.display_name.into(),
            description: manifest.description.into(),
            task: texts.text(&manifest.task),
            framework: texts.text(&manifest.framework),
            provider: texts.text(&manifest.provider),
            licence: texts.text(&manifest.licence),
            image: texts.text(&manifest.image),
            keywords: texts.words(&manifest.keywords),
            supported_instance_types: texts.words(&manifest.supported_instance_types),
            min_memory_mb: manifest.min_memory_mb,
            gated: manifest.gated,
            deprecated: manifest.deprecated.as_deref().map(|why| texts.text(why)),
            vulnerabilities: texts.words(&manifest.vulnerabilities),
            eula: found.eula.map(|file| texts.text(&file.digest)),
            huggingface: manifest.huggingface.map(|origin| Box::new(Origin::of(&origin, texts))),
            size: found.files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.size)),
            files: u32::try_from(found.files.len()).map_err(ApiError::internal)?,
            imported: document.created,
            modified: document.modified,
            generation: document.generation,
        })
    }

    #[cfg(test)]
    pub fn new(body: super::model::ModelBody, imported: Timestamp, modified: Timestamp) -> PublicModel {
        let key = super::model::model_key(&body.manifest);
        let mut document = Document::new(key, &body.manifest.id, imported, &body).unwrap();
        document.modified = modified;
        PublicModel::of(&document, &mut Texts::default()).unwrap()
    }
}

impl Origin {
    fn of(origin: &super::HuggingFace, texts: &mut Texts) -> Origin {
        let counts = origin.parameters.values();
        Origin {
            repository: origin.repository.as_deref().map(Into::into),
            library_name: origin.library_name.as_deref().map(|name| texts.text(name)),
            architectures: texts.words(&origin.architectures),
            tags: texts.words(&origin.tags),
            languages: texts.words(&origin.languages),
            base_models: texts.words(&origin.base_models),
            parameters: (!origin.parameters.is_empty())
                .then(|| counts.fold(0, |sum: u64, count| sum.saturating_add(*count))),
        }
    }
}

/// The versions of a model, lowest first; at least one.
#[derive(Debug, Clone)]
pub(crate) struct Versions(Arc<[Arc<PublicModel>]>);

impl Versions {
    pub fn of_one(model: Arc<PublicModel>) -> Versions {
        Versions(Arc::new([model]))
    }

    /// The same with another version, or with this one in the place of what was there.
    #[must_use]
    pub fn with(&self, model: Arc<PublicModel>) -> Versions {
        let other = self.0.iter().filter(|known| known.version != model.version).cloned();
        let mut all: Vec<Arc<PublicModel>> = other.chain([Arc::clone(&model)]).collect();
        all.sort_by_key(|model| model.version);
        Versions(all.into())
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Version, &Arc<PublicModel>)> {
        self.0.iter().map(|model| (&model.version, model))
    }

    pub fn values(&self) -> std::slice::Iter<'_, Arc<PublicModel>> {
        self.0.iter()
    }

    pub fn get(&self, version: &Version) -> Option<&Arc<PublicModel>> {
        let at = self.0.binary_search_by_key(version, |model| model.version).ok()?;
        self.0.get(at)
    }

    /// Whether these are the very same versions. Those that did not change are shared by an index and a later one, so
    /// this compares addresses.
    pub fn is_same(&self, other: &Versions) -> bool {
        let same = |(left, right): (&Arc<PublicModel>, &Arc<PublicModel>)| Arc::ptr_eq(left, right);
        Arc::ptr_eq(&self.0, &other.0) || (self.0.len() == other.0.len() && self.0.iter().zip(other.0.iter()).all(same))
    }
}
