//! The public hub in memory: every model with its versions, and the names of the objects derived from them.
//!
//! Rebuilt when the store says that a public model changed. INVARIANT: the version is read before the documents, so an
//! index can only be older than it says.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use stoa_kernel::ApiError;
use stoa_sagemaker_common::{Version, store_error};
use stoa_store::Query;
use stoa_types::Timestamp;

use super::Catalog;
use super::model::{KIND, ModelBody, PublicModel};
use crate::document;
use crate::location;

const PAGE: usize = 500;

/// Every public model at one moment.
#[derive(Debug)]
pub(crate) struct CatalogIndex {
    pub models: BTreeMap<String, BTreeMap<Version, Arc<PublicModel>>>,
    /// When the first model came, and the last.
    pub created: Timestamp,
    pub modified: Timestamp,
    /// The models that were imported from a Hugging Face repository, by its id.
    pub repositories: BTreeMap<String, String>,
    /// The objects of the open bucket of any region, by key.
    pub open: BTreeMap<String, Derived>,
    /// The objects of the gated bucket of any region.
    pub gated: BTreeMap<String, Derived>,
    /// `models_manifest.json`, the same in every region.
    pub manifest: Bytes,
}

/// What an object of a JumpStart bucket is made of.
#[derive(Debug, Clone)]
pub(crate) enum Derived {
    Manifest,
    ProprietaryManifest,
    Spec(Arc<PublicModel>),
    Card(Arc<PublicModel>),
    Eula(Arc<PublicModel>),
    /// An artifact file, by its place in the list.
    Artifact(Arc<PublicModel>, usize),
}

impl CatalogIndex {
    fn build(models: BTreeMap<String, BTreeMap<Version, Arc<PublicModel>>>) -> CatalogIndex {
        let all = || models.values().flat_map(BTreeMap::values);
        let created = all().map(|model| model.imported).min().unwrap_or_default();
        let modified = all().map(|model| model.modified).max().unwrap_or_default();
        let (mut open, mut gated) = (BTreeMap::new(), BTreeMap::new());
        open.insert(location::MANIFEST_KEY.to_owned(), Derived::Manifest);
        open.insert(location::PROPRIETARY_MANIFEST_KEY.to_owned(), Derived::ProprietaryManifest);
        let mut repositories = BTreeMap::new();
        for model in all() {
            let manifest = &model.body.manifest;
            if let Some(repository) = manifest.huggingface.as_ref().and_then(|origin| origin.repository.clone()) {
                // In order of id: of several that came from one repository, the first has its name.
                repositories.entry(repository).or_insert_with(|| manifest.id.clone());
            }
            open.insert(location::spec_key(manifest), Derived::Spec(Arc::clone(model)));
            open.insert(location::card_key(manifest), Derived::Card(Arc::clone(model)));
            if manifest.gated {
                open.insert(location::eula_key(manifest), Derived::Eula(Arc::clone(model)));
                // In order of version: the latest stays.
                open.insert(location::latest_eula_key(&manifest.id), Derived::Eula(Arc::clone(model)));
            }
            let artifacts = if manifest.gated { &mut gated } else { &mut open };
            for (number, file) in model.body.files.iter().enumerate() {
                let key = format!("{}{}", location::artifact_prefix(manifest), file.path);
                artifacts.insert(key, Derived::Artifact(Arc::clone(model), number));
            }
        }
        let manifest = document::models_manifest(all().map(|model| &model.body.manifest));
        CatalogIndex { created, modified, repositories, open, gated, manifest, models }
    }

    /// The versions of a model; none when there is no such model.
    pub fn versions(&self, id: &str) -> Option<&BTreeMap<Version, Arc<PublicModel>>> {
        self.models.get(id)
    }
}

impl Catalog {
    /// The public hub as it is now.
    pub(crate) async fn index(&self) -> Result<Arc<CatalogIndex>, ApiError> {
        let version = self.store.version(KIND);
        if let Some((at, index)) = &*self.cached.read()
            && *at == version
        {
            return Ok(Arc::clone(index));
        }
        let mut models: BTreeMap<String, BTreeMap<Version, Arc<PublicModel>>> = BTreeMap::new();
        let mut query = Query::of(KIND).limit(PAGE);
        loop {
            let page = self.store.query(&query).await.map_err(store_error)?;
            for document in &page.documents {
                let body: ModelBody = document.decode().map_err(store_error)?;
                let (id, version) = (body.manifest.id.clone(), body.manifest.version);
                let model = Arc::new(PublicModel::new(body, document.created, document.modified));
                models.entry(id).or_default().insert(version, model);
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        let index = Arc::new(CatalogIndex::build(models));
        *self.cached.write() = Some((version, Arc::clone(&index)));
        Ok(index)
    }
}
