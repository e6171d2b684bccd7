//! Putting a bundle's models into the public hub: everything is judged first, then model after model its blobs become
//! durable and its document visible. What was there already is neither read again nor changed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use stoa_blob::{BlobError, Pin};
use stoa_kernel::ApiError;
use stoa_sagemaker_common::store_error;
use stoa_store::{Document, Transaction};

use super::super::Catalog;
use super::super::import::ModelVersion;
use super::super::model::{ModelBody, model_key};
use super::format::SizedDigest;
use super::key::TrustedKey;
use super::read::{Bundle, Signer};

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
            let (stored, _pins) = self.store_blobs(&bundle, &model.blobs).await?;
            done.blobs_stored += stored;
            done.blobs_there += model.blobs.len() - stored;
            let named =
                ModelVersion { id: model.body.manifest.id.clone(), version: model.body.manifest.version.to_string() };
            if let Some(existing) = known.get(&number) {
                if existing.decode::<ModelBody>().map_err(store_error)? == model.body {
                    done.unchanged.push(named);
                    continue;
                }
                let marked = existing.with_body(self.clock.now(), &model.body).map_err(store_error)?;
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
    async fn known(&self, bundle: &Bundle) -> Result<BTreeMap<usize, Arc<Document>>, ApiError> {
        let (mut known, mut conflicts) = (BTreeMap::new(), Vec::new());
        for (number, model) in bundle.models.iter().enumerate() {
            let key = model_key(&model.body.manifest);
            let Some(existing) = self.store.get(&key).await.map_err(store_error)? else { continue };
            if existing.decode::<ModelBody>().map_err(store_error)?.is_marked_as(&model.body) {
                known.insert(number, existing);
                continue;
            }
            let manifest = &model.body.manifest;
            conflicts.push(format!(
                "{} {} is there already with other content; what was approved stays what it was, so nothing of the \
                 bundle was imported",
                manifest.id, manifest.version
            ));
        }
        if conflicts.is_empty() { Ok(known) } else { Err(ApiError::validation(conflicts.join("\n"))) }
    }

    /// Stores the blobs that are not there; tells how many those were, and pins all until they are named.
    async fn store_blobs(&self, bundle: &Bundle, blobs: &[(SizedDigest, u64)]) -> Result<(usize, Vec<Pin>), ApiError> {
        let stored = stream::iter(blobs.to_vec())
            .map(|(blob, at)| async move { self.store_blob(bundle, &blob, at).await })
            .buffer_unordered(PARALLEL)
            .try_collect::<Vec<(bool, Pin)>>()
            .await?;
        let count = stored.iter().filter(|(stored, _)| *stored).count();
        Ok((count, stored.into_iter().map(|(_, pin)| pin).collect()))
    }

    async fn store_blob(&self, bundle: &Bundle, blob: &SizedDigest, at: u64) -> Result<(bool, Pin), ApiError> {
        if self.blobs.size(&blob.sha256).await.map_err(ApiError::internal)? == Some(blob.size)
            && let Some(pin) = self.blobs.hold(&blob.sha256).await.map_err(ApiError::internal)?
        {
            return Ok((false, pin));
        }
        let bytes = bundle.blob(blob, at).await?;
        let written = self.blobs.put(bytes).await.map_err(|error| match error {
            BlobError::Source(error) => ApiError::validation(format!("{}: {error}", blob.blob_name())),
            BlobError::NotFound(_) | BlobError::Backend(_) | BlobError::Full(_) => ApiError::internal(error),
        })?;
        // What is there under its true name now belongs to nothing, and is collected.
        if written.digest == blob.sha256 { Ok((true, written.pin)) } else { Err(bundle.damaged(blob, &written.digest)) }
    }
}
