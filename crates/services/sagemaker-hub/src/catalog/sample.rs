//! The sample catalog that is built into the binary, loaded once.
//!
//! The set's digest is noted in the store with the models, in one transaction, so that every later start compares two
//! texts and is done.

use std::collections::BTreeMap;

use bytes::Bytes;
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};
use stoa_kernel::ApiError;
use stoa_sagemaker_common::store_error;
use stoa_store::{Document, Key, Transaction};
use stoa_types::AccountId;

use super::Catalog;
use super::folder::parse_manifest;
use super::import::{Imported, Source};
use super::model::{FileSource, ModelFolder, NOTE_KIND};

#[derive(RustEmbed)]
#[folder = "../../../catalog/sample"]
struct SampleFiles;

impl Catalog {
    /// Loads the built-in sample models, unless this very set was loaded before.
    pub async fn import_sample(&self) -> Result<Imported, ApiError> {
        let key = Key { kind: NOTE_KIND, account: AccountId::aws(), region: None, id: "sample".to_owned() };
        let digest = set_digest();
        let noted = self.store.get(&key).await.map_err(store_error)?;
        if let Some(noted) = &noted
            && noted.decode::<String>().map_err(store_error)? == digest
        {
            return Ok(Imported { imported: Vec::new(), unchanged: Vec::new(), marked: Vec::new() });
        }
        let folders = folders()?;
        let note = Document::new(key, "sample", self.clock.now(), &digest).map_err(store_error)?;
        self.import(folders, Source::Sample, Transaction::new().put(note)).await
    }
}

/// A digest of all paths and files, from the digests that were taken when the binary was built.
fn set_digest() -> String {
    let mut paths: Vec<_> = SampleFiles::iter().collect();
    paths.sort();
    let mut digest = Sha256::new();
    for path in paths {
        if let Some(file) = SampleFiles::get(&path) {
            digest.update(path.as_bytes());
            digest.update([0]);
            digest.update(file.metadata.sha256_hash());
        }
    }
    hex::encode(digest.finalize())
}

fn folders() -> Result<Vec<ModelFolder>, ApiError> {
    let mut files: BTreeMap<String, BTreeMap<String, Bytes>> = BTreeMap::new();
    for path in SampleFiles::iter() {
        let mut parts = path.splitn(3, '/');
        let (Some(id), Some(version), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let Some(file) = SampleFiles::get(&path) else { continue };
        let bytes = match file.data {
            std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
        };
        files.entry(format!("{id}/{version}")).or_default().insert(rest.to_owned(), bytes);
    }
    files.into_iter().map(|(origin, files)| folder(origin, files)).collect()
}

/// A sample that is wrong is a mistake of the build, which the tests of this crate find.
fn folder(origin: String, mut files: BTreeMap<String, Bytes>) -> Result<ModelFolder, ApiError> {
    let mut text = |name: &str| -> Result<String, ApiError> {
        let bytes = files.remove(name).ok_or_else(|| ApiError::internal(format!("{origin} has no {name}")))?;
        String::from_utf8(bytes.to_vec()).map_err(ApiError::internal)
    };
    let manifest = text("manifest.json")?;
    let card = text("README.md")?;
    let manifest = parse_manifest(&manifest).map_err(|found| ApiError::internal(format!("{origin}: {found:?}")))?;
    let mut eula = None;
    if let Some(name) = &manifest.eula {
        let bytes = files.remove(name).ok_or_else(|| ApiError::internal(format!("{origin} has no {name}")))?;
        eula = Some((name.clone(), FileSource::Memory(bytes)));
    }
    let artifact = files.into_iter().filter_map(|(path, bytes)| {
        path.strip_prefix("artifact/").map(|path| (path.to_owned(), FileSource::Memory(bytes)))
    });
    let files = artifact.collect();
    Ok(ModelFolder { origin, manifest, card, eula, files })
}
