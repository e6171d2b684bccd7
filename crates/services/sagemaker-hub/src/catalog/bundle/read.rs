//! A bundle looked through without its weights: manifest, signature, the order of all entries, every document.
//!
//! What is wrong is found here, before anything is written. Blobs are hashed by whoever reads them next.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stoa_blob::{ByteStream, Digest};
use stoa_kernel::ApiError;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};

use super::super::model::ModelBody;
use super::format::{
    BundleManifest, LONGEST_MANIFEST, LONGEST_SIGNATURE, MANIFEST, SIGNATURE, SignatureFile, SizedDigest, parse_body,
};
use super::key::TrustedKey;
use super::tape::Tape;

const CHUNK: usize = 256 * 1024;

/// Who signed a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signer {
    /// `ed25519:…`; none where it is not signed.
    pub key: Option<String>,
    /// Whether the key is one that was said to be trusted. Without trusted keys, digests alone were checked.
    pub trusted: bool,
}

/// A bundle whose form, signature and documents are right.
pub(crate) struct Bundle {
    pub path: PathBuf,
    pub signer: Signer,
    pub models: Vec<Found>,
}

/// A model in it.
pub(crate) struct Found {
    pub body: ModelBody,
    /// The blobs that stand before its document, each with the byte it begins at.
    pub blobs: Vec<(SizedDigest, u64)>,
}

impl Bundle {
    /// Looks a bundle through. With trusted keys, one of them must have signed it.
    pub async fn open(path: &Path, trusted: &[TrustedKey]) -> Result<Bundle, ApiError> {
        let mut tape = Tape::open(path).await?;
        let manifest_bytes = small(&mut tape, MANIFEST, LONGEST_MANIFEST).await?;
        let signed = tape.peek().await?.is_some_and(|entry| entry.name == SIGNATURE);
        let signature = if signed { Some(small(&mut tape, SIGNATURE, LONGEST_SIGNATURE).await?) } else { None };
        let signer = check_signature(path, &manifest_bytes, signature.as_deref(), trusted)?;
        let manifest = BundleManifest::parse(&manifest_bytes)?;
        let models = documents(&mut tape, &manifest).await?;
        tape.expect_end().await?;
        Ok(Bundle { path: path.to_owned(), signer, models })
    }

    /// The bytes of a blob as the bundle has them, not yet known to be right.
    pub async fn blob(&self, blob: &SizedDigest, at: u64) -> Result<ByteStream, ApiError> {
        let failed = |error: std::io::Error| ApiError::validation(format!("{}: {error}", self.path.display()));
        let mut file = tokio::fs::File::open(&self.path).await.map_err(failed)?;
        file.seek(SeekFrom::Start(at)).await.map_err(failed)?;
        file.set_max_buf_size(CHUNK);
        let pieces = stream::try_unfold((file, blob.size), |(mut file, left)| async move {
            let next = left.min(CHUNK as u64);
            let mut chunk = vec![0; usize::try_from(next)?];
            file.read_exact(&mut chunk).await?;
            Ok((next > 0).then(|| (Bytes::from(chunk), (file, left - next))))
        });
        Ok(pieces.boxed())
    }

    /// The files that are this blob, for messages.
    pub fn files_of(&self, digest: &Digest) -> String {
        let mut names = Vec::new();
        for model in &self.models {
            let manifest = &model.body.manifest;
            let files = model.body.files.iter().chain(&model.body.eula).filter(|file| file.digest == *digest);
            names.extend(files.map(|file| format!("{} of {} {}", file.path, manifest.id, manifest.version)));
        }
        names.truncate(3);
        names.join(", ")
    }

    /// A blob whose bytes are not what its name says.
    pub fn damaged(&self, blob: &SizedDigest, found: &Digest) -> ApiError {
        ApiError::validation(format!(
            "{}: {} ({}) was altered or damaged: its bytes have the SHA-256 {}",
            self.path.display(),
            blob.blob_name(),
            self.files_of(&blob.sha256),
            found.as_str()
        ))
    }
}

async fn small(tape: &mut Tape, name: &str, most: u64) -> Result<Vec<u8>, ApiError> {
    let found = tape.peek().await?;
    let size = found.filter(|entry| entry.name == name).map(|entry| entry.size);
    let path = tape.path().display();
    let size =
        size.ok_or_else(|| ApiError::validation(format!("{path}: no {name} is where it should be: no bundle")))?;
    if size > most {
        return Err(ApiError::validation(format!("{path}: {name} has {size} bytes, at most {most} are allowed")));
    }
    let at = tape.expect(name, size).await?;
    tape.bytes(at, size).await
}

fn check_signature(
    path: &Path,
    signed: &[u8],
    signature: Option<&[u8]>,
    trusted: &[TrustedKey],
) -> Result<Signer, ApiError> {
    let refused = |why: String| ApiError::validation(format!("{}: {why}", path.display()));
    let Some(signature) = signature else {
        return match trusted {
            [] => Ok(Signer { key: None, trusted: false }),
            _ => Err(refused("the bundle is not signed, and a trusted signature is asked for".to_owned())),
        };
    };
    let file: SignatureFile =
        serde_json::from_slice(signature).map_err(|error| refused(format!("{SIGNATURE}: {error}")))?;
    let key = TrustedKey::parse(&file.key).map_err(|_| refused(format!("{SIGNATURE}: `key` is no Ed25519 key")))?;
    let bytes = STANDARD.decode(&file.signature).unwrap_or_default();
    if !key.verifies(signed, &bytes) {
        return Err(refused(format!("the signature over {MANIFEST} does not hold: the bundle was altered")));
    }
    if !trusted.is_empty() && !trusted.contains(&key) {
        return Err(refused(format!("the bundle was signed by {key}, which is not among the trusted keys")));
    }
    Ok(Signer { key: Some(key.to_string()), trusted: !trusted.is_empty() })
}

/// Goes through all entries in their order and reads the documents.
async fn documents(tape: &mut Tape, manifest: &BundleManifest) -> Result<Vec<Found>, ApiError> {
    let blobs = manifest.blobs();
    let (mut models, mut problems) = (Vec::with_capacity(manifest.models.len()), Vec::new());
    for model in &manifest.models {
        let mut starts = Vec::with_capacity(model.blobs.len());
        for blob in &model.blobs {
            starts.push((blob.clone(), tape.expect(&blob.blob_name(), blob.size).await?));
        }
        let name = model.document.document_name();
        let at = tape.expect(&name, model.document.size).await?;
        let bytes = tape.bytes(at, model.document.size).await?;
        if hex::encode(Sha256::digest(&bytes)) != model.document.sha256.as_str() {
            problems.push(format!("{name} ({} {}) was altered or damaged", model.id, model.version));
            continue;
        }
        match parse_body(model, &bytes, &blobs) {
            Ok(body) => models.push(Found { body, blobs: starts }),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        return Ok(models);
    }
    Err(ApiError::validation(format!("{}: {}", tape.path().display(), problems.join("\n  "))))
}
