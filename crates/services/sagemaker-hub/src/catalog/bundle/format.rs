//! `stoa-bundle.json` and `stoa-bundle.sig`: their form, and what a document in a bundle must be.
//!
//! Pure. Everything here comes from a file that somebody brought: sizes and counts are bounded before they are used.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use stoa_blob::Digest;
use stoa_kernel::ApiError;

use super::super::folder::{LONGEST_CARD, LONGEST_EULA, LONGEST_PATH, MOST_FILES, is_plain};
use super::super::model::ModelBody;

/// The first entry.
pub(crate) const MANIFEST: &str = "stoa-bundle.json";
/// The second, where the bundle is signed.
pub(crate) const SIGNATURE: &str = "stoa-bundle.sig";
/// The one form there is.
pub(crate) const FORMAT: u32 = 1;
/// Of `stoa-bundle.json`: a line for each blob and model, for many thousands of models.
pub(crate) const LONGEST_MANIFEST: u64 = 64 << 20;
pub(crate) const LONGEST_SIGNATURE: u64 = 4096;
/// Of a model's document: ten thousand files and a card.
pub(crate) const LONGEST_BODY: u64 = 16 << 20;

/// `stoa-bundle.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BundleManifest {
    pub format: u32,
    /// ISO 8601.
    pub created: String,
    /// In the order in which they stand in the bundle.
    pub models: Vec<BundledModel>,
}

/// A model version in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BundledModel {
    pub id: String,
    pub version: String,
    pub document: SizedDigest,
    /// The blobs that stand before its document: those of its files that no model before it brought.
    pub blobs: Vec<SizedDigest>,
}

/// Bytes by their SHA-256 and number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SizedDigest {
    pub sha256: Digest,
    pub size: u64,
}

/// `stoa-bundle.sig`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignatureFile {
    /// `ed25519:…`.
    pub key: String,
    /// Base64, over the bytes of `stoa-bundle.json`.
    pub signature: String,
}

impl SizedDigest {
    pub fn blob_name(&self) -> String {
        format!("blobs/{}", self.sha256.as_str())
    }
    pub fn document_name(&self) -> String {
        format!("models/{}.json", self.sha256.as_str())
    }
}

impl BundleManifest {
    /// Reads the manifest; digests are digests, and nothing stands in it twice.
    pub fn parse(bytes: &[u8]) -> Result<BundleManifest, ApiError> {
        let refused = |why: String| ApiError::validation(format!("{MANIFEST}: {why}"));
        let found: BundleManifest = serde_json::from_slice(bytes).map_err(|error| refused(error.to_string()))?;
        if found.format != FORMAT {
            return Err(refused(format!("format {} is not known here, {FORMAT} is", found.format)));
        }
        let (mut blobs, mut models) = (BTreeSet::new(), BTreeSet::new());
        for model in &found.models {
            for one in model.blobs.iter().chain([&model.document]) {
                if Digest::parse(one.sha256.as_str()).is_none() {
                    return Err(refused(format!("`{}` is no SHA-256", one.sha256.as_str())));
                }
            }
            if model.document.size > LONGEST_BODY {
                return Err(refused(format!("{}: a document has at most {LONGEST_BODY} bytes", model.id)));
            }
            if !models.insert((&model.id, &model.version)) {
                return Err(refused(format!("{} {} is listed twice", model.id, model.version)));
            }
            for blob in &model.blobs {
                if !blobs.insert(&blob.sha256) {
                    return Err(refused(format!("{} is listed twice", blob.blob_name())));
                }
            }
        }
        Ok(found)
    }
}

/// Reads a model's document and judges it as an import from a folder judges one, all problems at once. `blobs` are those
/// that the bundle has up to it.
pub(crate) fn parse_body(
    model: &BundledModel,
    bytes: &[u8],
    blobs: &BTreeMap<&Digest, u64>,
) -> Result<ModelBody, Vec<String>> {
    let named = |problem: String| format!("{} {}: {problem}", model.id, model.version);
    let body: ModelBody = serde_json::from_slice(bytes).map_err(|error| vec![named(error.to_string())])?;
    let manifest = &body.manifest;
    let mut problems = manifest.problems();
    if manifest.id != model.id || manifest.version.to_string() != model.version {
        problems.push(format!("its document is of {} {}", manifest.id, manifest.version));
    }
    if body.card.trim().is_empty() || body.card.chars().count() > LONGEST_CARD {
        problems.push(format!("the card: 1 to {LONGEST_CARD} characters are expected"));
    }
    if manifest.gated != body.eula.is_some() {
        problems.push("a gated model has a licence file, and only a gated one".to_owned());
    }
    if let Some(licence) = &body.eula {
        let path = licence.path.escape_default();
        if manifest.eula.as_ref() != Some(&licence.path) {
            problems.push(format!("the licence file `{path}` is not the one that the manifest names"));
        }
        if licence.size > LONGEST_EULA {
            problems.push(format!("the licence `{path}`: at most {LONGEST_EULA} bytes are allowed"));
        }
    }
    file_problems(&body, blobs, &mut problems);
    let own: BTreeSet<&str> = body.digests().collect();
    for blob in model.blobs.iter().filter(|blob| !own.contains(blob.sha256.as_str())) {
        problems.push(format!("{} is of none of its files", blob.blob_name()));
    }
    if problems.is_empty() { Ok(body) } else { Err(problems.into_iter().map(named).collect()) }
}

fn file_problems(body: &ModelBody, blobs: &BTreeMap<&Digest, u64>, problems: &mut Vec<String>) {
    if body.files.is_empty() || body.files.len() > MOST_FILES {
        problems.push(format!("1 to {MOST_FILES} files are expected"));
    }
    let mut before: Option<&str> = None;
    for file in &body.files {
        if file.path.len() > LONGEST_PATH || !file.path.split('/').all(is_plain) {
            problems.push(format!("the file name `{}` is not a plain relative path", file.path.escape_default()));
        }
        if before.is_some_and(|before| before >= file.path.as_str()) {
            problems.push(format!("{}: files are in order of path and none is there twice", file.path));
        }
        before = Some(&file.path);
    }
    for file in body.files.iter().chain(&body.eula) {
        match blobs.get(&file.digest) {
            Some(size) if *size == file.size => {}
            Some(size) => problems.push(format!("{}: {} bytes, its blob has {size}", file.path, file.size)),
            None => {
                let digest = file.digest.as_str();
                problems.push(format!("{}: its blob {digest} is not in the bundle before it", file.path));
            }
        }
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if file.md5.len() != 32 || !file.md5.bytes().all(hex) {
            problems.push(format!("{}: `{}` is no MD5", file.path, file.md5.escape_default()));
        }
    }
}
