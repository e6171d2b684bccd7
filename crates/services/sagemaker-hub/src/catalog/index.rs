//! The public hub in memory: every model with its versions, as far as `public.rs` holds them.
//!
//! Kept up by what imports say they wrote; read whole at the first use, and when the store says that a public model
//! changed and no import of this process knows of it. INVARIANT: the version is read before the documents, so an index
//! can only be older than it says. INVARIANT: what an import writes is announced before its commit and struck off only
//! by a reading that began after it, so that no reading misses it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use md5::Md5;
use sha2::{Digest as _, Sha256};
use stoa_kernel::ApiError;
use stoa_sagemaker_common::store_error;
use stoa_store::{Change, Key, Query, StoreError, Transaction};
use stoa_types::Timestamp;
use stoa_work::Nudge;

use super::Catalog;
use super::model::KIND;
use super::objects::Places;
use super::public::{PublicModel, Versions};
use crate::document;

const PAGE: usize = 500;

/// Every public model at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct CatalogIndex {
    pub models: BTreeMap<Arc<str>, Versions>,
    /// When the first model came, and the last.
    pub created: Timestamp,
    pub modified: Timestamp,
    /// The models that were imported from a Hugging Face repository, by its id.
    pub repositories: BTreeMap<Arc<str>, Arc<str>>,
    /// The models in order of the keys of their objects; made when a bucket is first listed.
    pub(super) places: Places,
}

impl CatalogIndex {
    /// Adds a version, or takes over its marks.
    fn insert(&mut self, mut model: PublicModel) {
        self.created = if self.models.is_empty() { model.imported } else { self.created.min(model.imported) };
        self.modified = self.modified.max(model.modified);
        // All versions of a model share its id.
        if let Some((id, _)) = self.models.get_key_value(&model.id) {
            model.id = Arc::clone(id);
        }
        let id = Arc::clone(&model.id);
        if let Some(repository) = model.huggingface.as_ref().and_then(|origin| origin.repository.as_ref()) {
            // Of several that came from one repository, the first in order of id has its name.
            let first = self.repositories.entry(Arc::clone(repository)).or_insert_with(|| Arc::clone(&id));
            if id < *first {
                *first = Arc::clone(&id);
            }
        }
        let model = Arc::new(model);
        match self.models.get_mut(&id) {
            Some(versions) => *versions = versions.with(model),
            None => {
                self.models.insert(id, Versions::of_one(model));
                self.places = Places::default();
            }
        }
    }

    /// The versions of a model; none when there is no such model.
    pub fn versions(&self, id: &str) -> Option<&Versions> {
        self.models.get(id)
    }

    /// The models that are not in a later index as they are in this one.
    pub fn changed_models(&self, later: &CatalogIndex) -> BTreeSet<Arc<str>> {
        let gone = self.models.keys().filter(|id| !later.models.contains_key(*id));
        let other = later
            .models
            .iter()
            .filter(|(id, versions)| self.models.get(*id).is_none_or(|before| !before.is_same(versions)));
        gone.chain(other.map(|(id, _)| id)).cloned().collect()
    }
}

/// `models_manifest.json`, the same in every region: its bytes and what names them.
#[derive(Debug, Clone)]
pub(crate) struct ManifestObject {
    pub bytes: Bytes,
    pub sha256: String,
    pub md5: String,
}

/// The manifest of an index, held once for all who read it.
#[derive(Debug, Default)]
pub(super) struct KeptManifest(Option<(Weak<CatalogIndex>, ManifestObject)>);

impl Catalog {
    /// `models_manifest.json` of this index; made when it is first asked for.
    pub(crate) fn manifest(&self, index: &Arc<CatalogIndex>) -> ManifestObject {
        let mut kept = self.manifest.lock();
        let this = Arc::downgrade(index);
        if let Some((of, manifest)) = &kept.0
            && Weak::ptr_eq(of, &this)
        {
            return manifest.clone();
        }
        // What was kept goes first: there is never more than one.
        kept.0 = None;
        let bytes = document::models_manifest(index.models.values().flat_map(Versions::values));
        let (sha256, md5) = (hex::encode(Sha256::digest(&bytes)), hex::encode(Md5::digest(&bytes)));
        let manifest = ManifestObject { bytes, sha256, md5 };
        kept.0 = Some((this, manifest.clone()));
        manifest
    }
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
        self.manifest.lock().0 = None;
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
                index.insert(PublicModel::of(&document, &mut self.texts.lock())?);
            }
        }
        Ok(index)
    }

    async fn read_all(&self) -> Result<CatalogIndex, ApiError> {
        let mut index = CatalogIndex::default();
        let mut query = Query::of(KIND).limit(PAGE);
        loop {
            let page = self.store.query(&query).await.map_err(store_error)?;
            for document in &page.documents {
                index.insert(PublicModel::of(document, &mut self.texts.lock())?);
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => {
                    self.texts.lock().sweep();
                    return Ok(index);
                }
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
