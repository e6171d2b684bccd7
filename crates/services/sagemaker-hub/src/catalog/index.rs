//! The public hub in memory: every model with its versions, and the names of the objects derived from them.
//!
//! Kept up by what imports say they wrote; read whole at the first use, and when the store says that a public model
//! changed and no import of this process knows of it. INVARIANT: the version is read before the documents, so an index
//! can only be older than it says. INVARIANT: what an import writes is announced before its commit and struck off only
//! by a reading that began after it, so that no reading misses it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use md5::Md5;
use sha2::{Digest as _, Sha256};
use stoa_kernel::ApiError;
use stoa_sagemaker_common::{Version, store_error};
use stoa_store::{Change, Document, Key, Query, StoreError, Transaction};
use stoa_types::Timestamp;
use stoa_work::Nudge;

use super::Catalog;
use super::model::{KIND, ModelBody, PublicModel};
use crate::document;
use crate::location;

const PAGE: usize = 500;

type Versions = BTreeMap<Version, Arc<PublicModel>>;

/// Every public model at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct CatalogIndex {
    pub models: BTreeMap<Arc<str>, Versions>,
    /// When the first model came, and the last.
    pub created: Timestamp,
    pub modified: Timestamp,
    /// The models that were imported from a Hugging Face repository, by its id.
    pub repositories: BTreeMap<String, Arc<str>>,
    /// The objects of the open bucket of any region, by key.
    pub open: BTreeMap<Arc<str>, Derived>,
    /// The objects of the gated bucket of any region.
    pub gated: BTreeMap<Arc<str>, Derived>,
    /// `models_manifest.json`, the same in every region; made when it is first asked for.
    manifest: OnceLock<ManifestObject>,
}

/// The manifest's bytes and what names them.
#[derive(Debug, Clone)]
pub(crate) struct ManifestObject {
    pub bytes: Bytes,
    pub sha256: String,
    pub md5: String,
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
    /// Nothing in it but the manifests.
    fn empty() -> CatalogIndex {
        let mut index = CatalogIndex::default();
        index.open.insert(location::MANIFEST_KEY.into(), Derived::Manifest);
        index.open.insert(location::PROPRIETARY_MANIFEST_KEY.into(), Derived::ProprietaryManifest);
        index
    }

    /// Adds a version, or takes over its marks.
    fn insert(&mut self, model: &Arc<PublicModel>) {
        let manifest = &model.body.manifest;
        self.created = if self.models.is_empty() { model.imported } else { self.created.min(model.imported) };
        self.modified = self.modified.max(model.modified);
        let id: Arc<str> = match self.models.get_key_value(manifest.id.as_str()) {
            Some((id, _)) => Arc::clone(id),
            None => manifest.id.as_str().into(),
        };
        if let Some(repository) = manifest.huggingface.as_ref().and_then(|origin| origin.repository.clone()) {
            // Of several that came from one repository, the first in order of id has its name.
            let first = self.repositories.entry(repository).or_insert_with(|| Arc::clone(&id));
            if id < *first {
                *first = Arc::clone(&id);
            }
        }
        self.open.insert(location::spec_key(manifest).into(), Derived::Spec(Arc::clone(model)));
        self.open.insert(location::card_key(manifest).into(), Derived::Card(Arc::clone(model)));
        if manifest.gated {
            self.open.insert(location::eula_key(manifest).into(), Derived::Eula(Arc::clone(model)));
        }
        let artifacts = if manifest.gated { &mut self.gated } else { &mut self.open };
        for (number, file) in model.body.files.iter().enumerate() {
            let key = format!("{}{}", location::artifact_prefix(manifest), file.path);
            artifacts.insert(key.into(), Derived::Artifact(Arc::clone(model), number));
        }
        let versions = self.models.entry(id).or_default();
        versions.insert(manifest.version, Arc::clone(model));
        if let Some(latest) = versions.values().rev().find(|model| model.body.manifest.gated) {
            let key = location::latest_eula_key(&manifest.id);
            self.open.insert(key.into(), Derived::Eula(Arc::clone(latest)));
        }
        self.manifest = OnceLock::new();
    }

    /// The versions of a model; none when there is no such model.
    pub fn versions(&self, id: &str) -> Option<&Versions> {
        self.models.get(id)
    }

    /// `models_manifest.json`.
    pub fn manifest(&self) -> &ManifestObject {
        self.manifest.get_or_init(|| {
            let models = self.models.values().flat_map(BTreeMap::values);
            let bytes = document::models_manifest(models.map(|model| &model.body.manifest));
            let (sha256, md5) = (hex::encode(Sha256::digest(&bytes)), hex::encode(Md5::digest(&bytes)));
            ManifestObject { bytes, sha256, md5 }
        })
    }

    /// The models that are not in a later index as they are in this one. Versions that did not change are shared by
    /// both, so this compares addresses.
    pub fn changed_models(&self, later: &CatalogIndex) -> BTreeSet<Arc<str>> {
        let same = |left: &Versions, right: &Versions| {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| left.0 == right.0 && Arc::ptr_eq(left.1, right.1))
        };
        let gone = self.models.keys().filter(|id| !later.models.contains_key(*id));
        let other = later
            .models
            .iter()
            .filter(|(id, versions)| self.models.get(*id).is_none_or(|before| !same(before, versions)));
        gone.chain(other.map(|(id, _)| id)).cloned().collect()
    }
}

fn public_model(document: &Document) -> Result<Arc<PublicModel>, ApiError> {
    let body: ModelBody = document.decode().map_err(store_error)?;
    Ok(Arc::new(PublicModel::new(body, document.created, document.modified)))
}

/// A model that an import of this process writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Announced {
    key: Key,
    /// Whether its commit has returned, well or not.
    done: bool,
}

impl Catalog {
    /// The public hub as it is now.
    pub(crate) async fn index(&self) -> Result<Arc<CatalogIndex>, ApiError> {
        if let Some(index) = self.current() {
            return Ok(index);
        }
        let _one_at_a_time = self.refreshing.lock().await;
        if let Some(index) = self.current() {
            return Ok(index);
        }
        let version = self.store.version(KIND);
        let announced = self.announced.lock().clone();
        let before = self.cached.read().as_ref().map(|(_, index)| Arc::clone(index));
        let index = match before {
            Some(before) if !announced.is_empty() => self.refreshed(&before, &announced).await?,
            _ => self.read_all().await?,
        };
        let index = Arc::new(index);
        *self.cached.write() = Some((version, Arc::clone(&index)));
        self.announced.lock().retain(|one| !one.done || !announced.contains(one));
        Ok(index)
    }

    fn current(&self) -> Option<Arc<CatalogIndex>> {
        let version = self.store.version(KIND);
        let cached = self.cached.read();
        cached.as_ref().filter(|(at, _)| *at == version).map(|(_, index)| Arc::clone(index))
    }

    async fn refreshed(&self, before: &CatalogIndex, announced: &[Announced]) -> Result<CatalogIndex, ApiError> {
        let mut index = before.clone();
        for one in announced {
            if let Some(document) = self.store.get(&one.key).await.map_err(store_error)? {
                index.insert(&public_model(&document)?);
            }
        }
        Ok(index)
    }

    async fn read_all(&self) -> Result<CatalogIndex, ApiError> {
        let mut index = CatalogIndex::empty();
        let mut query = Query::of(KIND).limit(PAGE);
        loop {
            let page = self.store.query(&query).await.map_err(store_error)?;
            for document in &page.documents {
                index.insert(&public_model(document)?);
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(index),
            }
        }
    }

    /// Commits what changes public models, so that the index follows without reading all of them.
    pub(super) async fn publish(&self, transaction: Transaction) -> Result<(), StoreError> {
        let keys: Vec<Key> = transaction
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::Put { document, .. } if document.key.kind == KIND => Some(document.key.clone()),
                _ => None,
            })
            .collect();
        let announced = keys.iter().map(|key| Announced { key: key.clone(), done: false });
        self.announced.lock().extend(announced);
        let result = self.store.commit(transaction).await;
        let written: BTreeSet<&Key> = keys.iter().collect();
        self.announced.lock().iter_mut().filter(|one| written.contains(&one.key)).for_each(|one| one.done = true);
        self.changed.nudge();
        result
    }

    /// Nudged when public models changed, and when a hub's rules did.
    pub(crate) fn changed(&self) -> Nudge {
        self.changed.clone()
    }
}
