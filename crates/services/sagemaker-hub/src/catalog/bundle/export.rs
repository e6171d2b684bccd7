//! Writing a bundle. The file gets its name when it is whole; what a crash leaves ends in `.partial`.
//!
//! Blobs are hashed as they pass, so that damaged ones are found here and not at the other end.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stoa_blob::Digest;
use stoa_kernel::ApiError;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::super::import::ModelVersion;
use super::super::{Catalog, PublicModel, Versions};
use super::format::{BundleManifest, BundledModel, FORMAT, MANIFEST, SIGNATURE, SignatureFile, SizedDigest};
use super::key::SecretKey;
use super::tape::{BLOCK, header, padding};

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// Where.
    pub path: PathBuf,
    /// Which.
    pub models: Vec<ModelVersion>,
    /// Of the bundle.
    pub bytes: u64,
    /// `ed25519:…`; none where it is not signed.
    pub signed_by: Option<String>,
}

struct Writer {
    file: File,
    written: u64,
    seconds: u64,
}

impl Writer {
    async fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    async fn begin(&mut self, name: &str, size: u64) -> io::Result<()> {
        let header = header(name, size, self.seconds)?;
        self.put(&header).await
    }

    async fn end(&mut self, size: u64) -> io::Result<()> {
        let zeros = vec![0; usize::try_from(padding(size)).unwrap_or_default()];
        self.put(&zeros).await
    }

    async fn entry(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.begin(name, bytes.len() as u64).await?;
        self.put(bytes).await?;
        self.end(bytes.len() as u64).await
    }
}

impl Catalog {
    /// Writes these models (`id` or `id@version`; none: all) into a new file, signed where there is a key.
    pub async fn export_bundle(
        &self,
        out: &Path,
        models: &[String],
        key: Option<&SecretKey>,
    ) -> Result<Exported, ApiError> {
        let chosen = self.chosen(models).await?;
        let failed = |error: io::Error| ApiError::validation(format!("{}: {error}", out.display()));
        if tokio::fs::try_exists(out).await.map_err(failed)? {
            return Err(ApiError::validation(format!("{} is there already: choose another name", out.display())));
        }
        let mut partial = out.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let bytes = self.write_bundle(&partial, &chosen, key).await;
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => {
                // A courtesy: the next export writes over it.
                let _ = tokio::fs::remove_file(&partial).await;
                return Err(error);
            }
        };
        tokio::fs::rename(&partial, out).await.map_err(failed)?;
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).await.map_err(failed)?.sync_all().await.map_err(failed)?;
        let models = chosen.iter().map(|model| named(model)).collect();
        Ok(Exported { path: out.to_owned(), models, bytes, signed_by: key.map(|key| key.public().to_string()) })
    }

    /// The models that are meant, in order of id and version.
    async fn chosen(&self, wanted: &[String]) -> Result<Vec<Arc<PublicModel>>, ApiError> {
        let index = self.index().await?;
        let all = index.models.values().flat_map(Versions::values);
        if wanted.is_empty() {
            return Ok(all.cloned().collect());
        }
        let fits = |model: &PublicModel, text: &str| match text.split_once('@') {
            Some((id, version)) => *model.id == *id && model.version.to_string() == version,
            None => *model.id == *text,
        };
        let missing: Vec<&String> = wanted.iter().filter(|text| !all.clone().any(|model| fits(model, text))).collect();
        if let Some(text) = missing.first() {
            return Err(ApiError::resource_not_found(format!(
                "{text} is not in the public hub; `stoa catalog list` names what is"
            )));
        }
        Ok(all.filter(|model| wanted.iter().any(|text| fits(model, text))).cloned().collect())
    }

    async fn write_bundle(
        &self,
        path: &Path,
        models: &[Arc<PublicModel>],
        key: Option<&SecretKey>,
    ) -> Result<u64, ApiError> {
        let failed = |error: io::Error| ApiError::validation(format!("{}: {error}", path.display()));
        let now = self.clock.now();
        let manifest = self.listed(models, now.iso8601()).await?;
        let manifest_bytes = serde_json::to_vec(&manifest).map_err(ApiError::internal)?;
        let mut file = File::create(path).await.map_err(failed)?;
        file.set_max_buf_size(1 << 20);
        let mut writer = Writer { file, written: 0, seconds: u64::try_from(now.seconds()).unwrap_or_default() };
        writer.entry(MANIFEST, &manifest_bytes).await.map_err(failed)?;
        if let Some(key) = key {
            let signature = STANDARD.encode(key.sign(&manifest_bytes));
            let signature = SignatureFile { key: key.public().to_string(), signature };
            let bytes = serde_json::to_vec(&signature).map_err(ApiError::internal)?;
            writer.entry(SIGNATURE, &bytes).await.map_err(failed)?;
        }
        for (bundled, model) in manifest.models.iter().zip(models) {
            for blob in &bundled.blobs {
                self.write_blob(&mut writer, blob, failed).await?;
            }
            let document = self.document_of(model).await?;
            if Digest::from_bytes(Sha256::digest(&document).into()) != bundled.document.sha256 {
                let ModelVersion { id, version } = named(model);
                return Err(ApiError::validation(format!("{id} {version} was marked meanwhile: export again")));
            }
            writer.entry(&bundled.document.document_name(), &document).await.map_err(failed)?;
        }
        writer.put(&[0; 2 * BLOCK as usize]).await.map_err(failed)?;
        writer.file.sync_all().await.map_err(failed)?;
        Ok(writer.written)
    }

    /// The bytes of a model's document, the same whenever they are made.
    async fn document_of(&self, model: &PublicModel) -> Result<Vec<u8>, ApiError> {
        serde_json::to_vec(&*self.body(model).await?).map_err(ApiError::internal)
    }

    /// The bundle's manifest. Documents are made for it and made again when they are written: they are not held.
    async fn listed(&self, models: &[Arc<PublicModel>], created: String) -> Result<BundleManifest, ApiError> {
        let mut seen: BTreeSet<Digest> = BTreeSet::new();
        let mut manifest = BundleManifest { format: FORMAT, created, models: Vec::with_capacity(models.len()) };
        for model in models {
            let body = self.body(model).await?;
            let files = body.files.iter().chain(&body.eula);
            let new = files.filter(|file| seen.insert(file.digest.clone()));
            let blobs = new.map(|file| SizedDigest { sha256: file.digest.clone(), size: file.size }).collect();
            let bytes = self.document_of(model).await?;
            let document =
                SizedDigest { sha256: Digest::from_bytes(Sha256::digest(&bytes).into()), size: bytes.len() as u64 };
            let ModelVersion { id, version } = named(model);
            manifest.models.push(BundledModel { id, version, document, blobs });
        }
        Ok(manifest)
    }

    async fn write_blob(
        &self,
        writer: &mut Writer,
        blob: &SizedDigest,
        failed: impl Fn(io::Error) -> ApiError,
    ) -> Result<(), ApiError> {
        writer.begin(&blob.blob_name(), blob.size).await.map_err(&failed)?;
        let mut pieces = self.blobs.get(&blob.sha256, 0, None).await.map_err(ApiError::internal)?;
        let (mut hash, mut size) = (Sha256::new(), 0);
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(ApiError::internal)?;
            hash.update(&piece);
            size += piece.len() as u64;
            writer.put(&piece).await.map_err(&failed)?;
        }
        if size != blob.size || hex::encode(hash.finalize()) != blob.sha256.as_str() {
            return Err(ApiError::internal(format!("the blob {} is damaged in the store", blob.sha256.as_str())));
        }
        writer.end(blob.size).await.map_err(failed)
    }
}

fn named(model: &PublicModel) -> ModelVersion {
    ModelVersion { id: model.id.to_string(), version: model.version.to_string() }
}
