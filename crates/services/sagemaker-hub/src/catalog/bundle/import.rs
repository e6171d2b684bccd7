//! Putting a bundle's models into the public hub: everything is judged first, then model after model its blobs become
//! durable and its document visible. A model that was there already is neither read again nor changed, but for marks that
//! are new here.
//!
//! INVARIANT: a blob gets its first name here only when its bytes were in the bundle. To know its digest is not enough,
//! even where it is stored already: it may be a private object's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use md5::{Digest as _, Md5};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use stoa_blob::{Digest, Pin};
use stoa_kernel::ApiError;
use stoa_sagemaker_common::store_error;
use stoa_store::{Document, Transaction};

use super::super::Catalog;
use super::super::claims::Claims;
use super::super::import::{ModelVersion, not_stored};
use super::super::model::{ModelBody, model_key};
use super::format::SizedDigest;
use super::key::TrustedKey;
use super::read::{Bundle, Signer};

/// A model that is there already.
struct Known {
    document: Arc<Document>,
    /// Its body with the bundle's marks, where those are new here.
    marked: Option<ModelBody>,
}

/// Blobs that are stored at once.
const PARALLEL: usize = 4;

/// What an import of a bundle did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleImported {
    /// New in the public hub.
    pub imported: Vec<ModelVersion>,
    /// There already, with the same content.
    pub unchanged: Vec<ModelVersion>,
    /// There already, with the same content and now with other marks (deprecated, vulnerabilities).
    pub marked: Vec<ModelVersion>,
    /// Blobs that were stored, and those that were there.
    pub blobs_stored: usize,
    /// Blobs that an earlier import, or another model, had brought.
    pub blobs_there: usize,
    /// Who signed it.
    pub signer: Signer,
}

impl Catalog {
    /// Imports a bundle. With trusted keys, one of them must have signed it.
    pub async fn import_bundle(&self, path: &Path, trusted: &[TrustedKey]) -> Result<BundleImported, ApiError> {
        let bundle = Bundle::open(path, trusted).await?;
        let _one_at_a_time = self.importing.lock().await;
        let known = self.known(&bundle).await?;
        let new = bundle.models.iter().enumerate().filter(|(number, _)| !known.contains_key(number));
        let files = new.flat_map(|(_, model)| model.body.files.iter().chain(&model.body.eula));
        let named_anew: BTreeSet<Digest> = files.map(|file| file.digest.clone()).collect();
        let mut done = BundleImported {
            imported: Vec::new(),
            unchanged: Vec::new(),
            marked: Vec::new(),
            blobs_stored: 0,
            blobs_there: 0,
            signer: bundle.signer.clone(),
        };
        for (number, model) in bundle.models.iter().enumerate() {
            // Also for a model that is known: a later one may stand on its blobs.
            // Pinned until the commit below.
            let (stored, _pins) = self.store_blobs(&bundle, &model.blobs, &named_anew).await?;
            done.blobs_stored += stored;
            done.blobs_there += model.blobs.len() - stored;
            let named =
                ModelVersion { id: model.body.manifest.id.clone(), version: model.body.manifest.version.to_string() };
            if let Some(existing) = known.get(&number) {
                let Some(marked) = &existing.marked else {
                    done.unchanged.push(named);
                    continue;
                };
                let marked = existing.document.with_body(self.clock.now(), marked).map_err(store_error)?;
                self.publish(Transaction::new().update(marked)).await.map_err(store_error)?;
                done.marked.push(named);
                continue;
            }
            let key = model_key(&model.body.manifest);
            let document = Document::new(key, &named.id, self.clock.now(), &model.body).map_err(store_error)?;
            let document = document.with_parent(&named.id).with_status("Available").with_blobs(model.body.digests());
            self.publish(Transaction::new().create(document)).await.map_err(store_error)?;
            done.imported.push(named);
        }
        Ok(done)
    }

    /// Which of the bundle's models are there with the same content, but for their marks; one with other content refuses
    /// the bundle.
    async fn known(&self, bundle: &Bundle) -> Result<BTreeMap<usize, Known>, ApiError> {
        let (mut known, mut conflicts) = (BTreeMap::new(), Vec::new());
        let mut claims = Claims::before(self, bundle.models.iter().map(|model| &model.body.manifest)).await?;
        for (number, model) in bundle.models.iter().enumerate() {
            let manifest = &model.body.manifest;
            let problem = match self.store.get(&model_key(manifest)).await.map_err(store_error)? {
                None => claims.add(manifest).err(),
                Some(document) => {
                    let stored: ModelBody = document.decode().map_err(store_error)?;
                    let marked = marked(&stored, &model.body);
                    known.insert(number, Known { document, marked: marked.as_ref().ok().cloned().flatten() });
                    marked.err()
                }
            };
            let named = |problem| format!("{} {}: {problem}", manifest.id, manifest.version);
            conflicts.extend(problem.map(named));
        }
        if conflicts.is_empty() {
            return Ok(known);
        }
        Err(ApiError::validation(format!("nothing of the bundle was imported:\n  {}", conflicts.join("\n  "))))
    }

    /// Stores the blobs that are not there; tells how many those were, and pins all until they are named. Those that get
    /// a new name are read in any case.
    async fn store_blobs(
        &self,
        bundle: &Bundle,
        blobs: &[(SizedDigest, u64)],
        named_anew: &BTreeSet<Digest>,
    ) -> Result<(usize, Vec<Pin>), ApiError> {
        let stored = stream::iter(blobs.to_vec())
            .map(
                |(blob, at)| async move { self.store_blob(bundle, &blob, at, named_anew.contains(&blob.sha256)).await },
            )
            .buffer_unordered(PARALLEL)
            .try_collect::<Vec<(bool, Pin)>>()
            .await?;
        let count = stored.iter().filter(|(stored, _)| *stored).count();
        Ok((count, stored.into_iter().map(|(_, pin)| pin).collect()))
    }

    async fn store_blob(
        &self,
        bundle: &Bundle,
        blob: &SizedDigest,
        at: u64,
        named_anew: bool,
    ) -> Result<(bool, Pin), ApiError> {
        if self.blobs.size(&blob.sha256).await.map_err(ApiError::internal)? == Some(blob.size)
            && let Some(pin) = self.blobs.hold(&blob.sha256).await.map_err(ApiError::internal)?
        {
            if named_anew {
                let (digest, md5) = bundle.hashed(blob, at).await?;
                bundle.prove(blob, &digest, &md5)?;
            }
            return Ok((false, pin));
        }
        let md5 = Arc::new(Mutex::new(Md5::new()));
        let hasher = Arc::clone(&md5);
        let bytes = bundle.blob(blob, at).await?.inspect_ok(move |piece: &Bytes| hasher.lock().update(piece)).boxed();
        let written = self.blobs.put(bytes).await.map_err(|error| not_stored(&blob.blob_name(), error))?;
        let md5 = hex::encode(md5.lock().clone().finalize());
        // Where it is another, what is there under its true name now belongs to nothing, and is collected.
        bundle.prove(blob, &written.digest, &md5)?;
        Ok((true, written.pin))
    }
}

/// The stored body with the marks that a bundle has beside its own, none where it has no others; or why the bundle's
/// cannot be the same version. A bundle never takes a mark away: it may be older than the mark, and a signature does not
/// say when it is played again.
fn marked(stored: &ModelBody, bundled: &ModelBody) -> Result<Option<ModelBody>, String> {
    if !stored.is_marked_as(bundled) {
        return Err("it is there already with other content; what was approved stays what it was".to_owned());
    }
    let manifest = stored.manifest.with_marks_of(&bundled.manifest);
    match manifest.length_problem() {
        Some(problem) => Err(problem),
        None => Ok((manifest != stored.manifest).then(|| ModelBody { manifest, ..stored.clone() })),
    }
}
