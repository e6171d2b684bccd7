//! Putting model folders into the public hub: all of them are read and judged first, then their files become blobs,
//! then one transaction makes every new version visible.
//!
//! A crash before the transaction leaves blobs without a name and nothing else; the same import again repairs it.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use md5::{Digest as _, Md5};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use stoa_blob::{BlobError, ByteStream, Pin};
use stoa_kernel::ApiError;
use stoa_sagemaker_common::store_error;
use stoa_store::{Document, Transaction};
use tokio::io::AsyncReadExt;

use super::Catalog;
use super::claims::Claims;
use super::folder;
use super::model::{FileSource, ModelBody, ModelFile, ModelFolder, model_key};

/// Files that are stored at once.
const PARALLEL: usize = 16;
const CHUNK: usize = 256 * 1024;

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// New in the public hub.
    pub imported: Vec<ModelVersion>,
    /// There already, with the same content.
    pub unchanged: Vec<ModelVersion>,
    /// There already, with the same content and now with other marks (deprecated, vulnerabilities).
    pub marked: Vec<ModelVersion>,
}

/// A model and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelVersion {
    /// The model.
    pub id: String,
    /// The version.
    pub version: String,
}

/// Where models come from, which says what becomes of a version that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Its author's word: other marks are taken over, other content is refused.
    Folder,
    /// Knows nothing of marks and leaves them as they are; other content is refused.
    Repository,
    /// Leaves all as it is, and says so in the log where a newer binary has a changed sample.
    Sample,
}

impl Catalog {
    /// Imports a model version's folder, or a folder of such folders. Nothing is imported when anything is wrong.
    pub async fn import_dir(&self, folder: &Path) -> Result<Imported, ApiError> {
        let path = folder.to_owned();
        let read = tokio::task::spawn_blocking(move || folder::read_all(&path)).await.map_err(ApiError::internal)?;
        let folders = read.map_err(|problems| refused(folder, &problems))?;
        self.import(folders, Source::Folder, Transaction::new()).await
    }

    /// Stores the files, then adds the new versions to the transaction and commits it.
    pub(crate) async fn import(
        &self,
        folders: Vec<ModelFolder>,
        source: Source,
        mut transaction: Transaction,
    ) -> Result<Imported, ApiError> {
        let _one_at_a_time = self.importing.lock().await;
        let mut done = Imported { imported: Vec::new(), unchanged: Vec::new(), marked: Vec::new() };
        let mut conflicts = Vec::new();
        // The pins are kept until the names are committed.
        let (bodies, _pins) = self.store_all(folders).await?;
        let mut claims = Claims::before(self, bodies.iter().map(|(_, body)| &body.manifest)).await?;
        for (origin, body) in bodies {
            let key = model_key(&body.manifest);
            let named = ModelVersion { id: body.manifest.id.clone(), version: body.manifest.version.to_string() };
            let Some(existing) = self.store.get(&key).await.map_err(store_error)? else {
                if let Err(why) = claims.add(&body.manifest) {
                    conflicts.push(format!("{origin}: {} {}: {why}", named.id, named.version));
                    continue;
                }
                let document = Document::new(key, &named.id, self.clock.now(), &body).map_err(store_error)?;
                let document = document.with_blobs(body.digests());
                transaction = transaction.create(document.with_parent(&named.id).with_status("Available"));
                done.imported.push(named);
                continue;
            };
            let stored: ModelBody = existing.decode().map_err(store_error)?;
            match (stored == body, source) {
                (true, _) => done.unchanged.push(named),
                (false, Source::Folder) if stored.is_marked_as(&body) => {
                    let changed = existing.with_body(self.clock.now(), &body).map_err(store_error)?;
                    transaction = transaction.update(changed);
                    done.marked.push(named);
                }
                (false, _) if stored.is_marked_as(&body) => done.unchanged.push(named),
                (false, Source::Sample) => {
                    tracing::warn!(id = named.id, version = named.version, "a changed sample keeps its stored version");
                    done.unchanged.push(named);
                }
                (false, Source::Folder | Source::Repository) => conflicts.push(format!(
                    "{origin}: {} {} is there already with other content; what was approved stays what it was, so \
                     give the new content a new version",
                    named.id, named.version
                )),
            }
        }
        if !conflicts.is_empty() {
            return Err(ApiError::validation(conflicts.join("\n")));
        }
        if !transaction.changes.is_empty() {
            self.publish(transaction).await.map_err(store_error)?;
        }
        Ok(done)
    }

    async fn store_all(&self, folders: Vec<ModelFolder>) -> Result<(Vec<(String, ModelBody)>, Vec<Pin>), ApiError> {
        let mut wanted = Vec::new();
        for (number, folder) in folders.iter().enumerate() {
            let eula = folder.eula.iter().map(|(name, source)| (number, true, name.clone(), source.clone()));
            let files = folder.files.iter().map(|(path, source)| (number, false, path.clone(), source.clone()));
            wanted.extend(eula.chain(files));
        }
        let stored = stream::iter(wanted)
            .map(|(number, eula, path, source)| async move {
                Ok::<_, ApiError>((number, eula, self.store_file(path, source).await?))
            })
            .buffered(PARALLEL)
            .try_collect::<Vec<_>>()
            .await?;
        let mut bodies = Vec::with_capacity(folders.len());
        for folder in folders {
            let body = ModelBody { manifest: folder.manifest, card: folder.card, eula: None, files: Vec::new() };
            bodies.push((folder.origin, body));
        }
        let mut pins = Vec::with_capacity(stored.len());
        for (number, eula, (file, pin)) in stored {
            pins.push(pin);
            let Some((_, body)) = bodies.get_mut(number) else { continue };
            if eula {
                body.eula = Some(file);
            } else {
                body.files.push(file);
            }
        }
        for (_, body) in &mut bodies {
            body.files.sort_by(|left, right| left.path.cmp(&right.path));
        }
        Ok((bodies, pins))
    }

    async fn store_file(&self, path: String, source: FileSource) -> Result<(ModelFile, Pin), ApiError> {
        let md5 = Arc::new(Mutex::new(Md5::new()));
        let bytes = match source {
            FileSource::Memory(bytes) => stream::iter((!bytes.is_empty()).then_some(Ok(bytes))).boxed(),
            FileSource::Disk(on_disk) => {
                let opened = tokio::fs::File::open(&on_disk).await;
                file_stream(opened.map_err(|error| ApiError::validation(format!("{}: {error}", on_disk.display())))?)
            }
        };
        let hasher = Arc::clone(&md5);
        let hashed = bytes.inspect_ok(move |chunk: &Bytes| hasher.lock().update(chunk)).boxed();
        let written = self.blobs.put(hashed).await.map_err(|error| not_stored(&path, error))?;
        let md5 = hex::encode(md5.lock().clone().finalize());
        Ok((ModelFile { path, digest: written.digest, size: written.size, md5 }, written.pin))
    }
}

fn file_stream(file: tokio::fs::File) -> ByteStream {
    stream::try_unfold(file, |mut file| async move {
        let mut chunk = Vec::with_capacity(CHUNK);
        let read = (&mut file).take(CHUNK as u64).read_to_end(&mut chunk).await?;
        Ok((read > 0).then(|| (Bytes::from(chunk), file)))
    })
    .boxed()
}

/// Why the bytes of this file, or blob, were not stored.
pub(crate) fn not_stored(what: &str, error: BlobError) -> ApiError {
    match error {
        BlobError::Source(error) => ApiError::validation(format!("{what}: {error}")),
        BlobError::Full(_) => {
            let text = "the disk that the blobs are on is full: make room, then run the import again";
            ApiError::validation(text).with_cause(error)
        }
        BlobError::NotFound(_) | BlobError::Backend(_) => ApiError::internal(error),
    }
}

pub(crate) fn refused(folder: &Path, problems: &[String]) -> ApiError {
    let many = if problems.len() == 1 { "1 problem" } else { &format!("{} problems", problems.len()) };
    ApiError::validation(format!("{} was not imported, {many}:\n  {}", folder.display(), problems.join("\n  ")))
}
