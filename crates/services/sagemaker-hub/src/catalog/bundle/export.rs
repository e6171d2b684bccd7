//! Writing a bundle, one at a time. The file gets its name when it is whole, and never another's; what a crash leaves
//! ends in `.partial`, and the next export to that name begins by removing it.
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
use stoa_blob::{BlobError, Digest};
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
        // Two to one file would write into each other.
        let _one_at_a_time = self.exporting.lock().await;
        let failed = |error: io::Error| not_written(out, &error);
        if tokio::fs::try_exists(out).await.map_err(failed)? {
            return Err(there_already(out));
        }
        let mut partial = out.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        remove(&partial).await.map_err(failed)?;
        let written = match self.write_bundle(&partial, &chosen, key).await {
            Ok(bytes) => take_name(&partial, out).await.map(|()| bytes),
            Err(error) => Err(error),
        };
        // A courtesy: the next export does it too.
        let _ = remove(&partial).await;
        let bytes = written?;
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
        let failed = |error: io::Error| not_written(path, &error);
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
        let bad = |how: &str| {
            let name = blob.blob_name();
            ApiError::validation(format!("{name} is {how} in the blob store: `stoa blobs verify` says what else is"))
        };
        let mut pieces = self.blobs.get(&blob.sha256, 0, None).await.map_err(|error| match error {
            BlobError::NotFound(_) => bad("missing"),
            BlobError::Source(_) | BlobError::Full(_) | BlobError::Backend(_) => ApiError::internal(error),
        })?;
        let (mut hash, mut size) = (Sha256::new(), 0);
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(ApiError::internal)?;
            hash.update(&piece);
            size += piece.len() as u64;
            writer.put(&piece).await.map_err(&failed)?;
        }
        if size != blob.size || hex::encode(hash.finalize()) != blob.sha256.as_str() {
            return Err(bad("damaged"));
        }
        writer.end(blob.size).await.map_err(failed)
    }
}

fn there_already(out: &Path) -> ApiError {
    ApiError::validation(format!("{} is there already: choose another name", out.display()))
}

fn not_written(path: &Path, error: &io::Error) -> ApiError {
    let path = path.display();
    ApiError::validation(match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("{path}: the disk that it is on is full: make room, then run the export again")
        }
        _ => format!("{path}: {error}"),
    })
}

/// Removes a file that need not be there.
async fn remove(path: &Path) -> io::Result<()> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives the whole file its name beside the one it has, unless that came to be somebody else's.
async fn take_name(partial: &Path, out: &Path) -> Result<(), ApiError> {
    let failed = |error: io::Error| not_written(out, &error);
    match tokio::fs::hard_link(partial, out).await {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(there_already(out)),
        // File systems of memory sticks have no links: there the last look must do.
        Err(_) if tokio::fs::try_exists(out).await.map_err(failed)? => Err(there_already(out)),
        Err(_) => tokio::fs::rename(partial, out).await.map_err(failed),
    }
}

fn named(model: &PublicModel) -> ModelVersion {
    ModelVersion { id: model.id.to_string(), version: model.version.to_string() }
}
