//! Verifying a bundle where no server is: all that an import checks, and every blob's bytes. Nothing is written.

use std::path::Path;

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stoa_blob::Digest;
use stoa_kernel::ApiError;

use super::super::import::ModelVersion;
use super::key::TrustedKey;
use super::read::{Bundle, Signer};

/// What is in a bundle that is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleReport {
    /// In order.
    pub models: Vec<ModelVersion>,
    /// How many blobs.
    pub blobs: usize,
    /// Bytes of all blobs.
    pub bytes: u64,
    /// Who signed it.
    pub signer: Signer,
}

/// Reads all of a bundle and checks every digest. With trusted keys, one of them must have signed it.
pub async fn verify_bundle(path: &Path, trusted: &[TrustedKey]) -> Result<BundleReport, ApiError> {
    let bundle = Bundle::open(path, trusted).await?;
    let mut report = BundleReport { models: Vec::new(), blobs: 0, bytes: 0, signer: bundle.signer.clone() };
    let mut damaged = Vec::new();
    for model in &bundle.models {
        for (blob, at) in &model.blobs {
            let mut pieces = bundle.blob(blob, *at).await?;
            let mut hash = Sha256::new();
            while let Some(piece) = pieces.next().await {
                hash.update(piece.map_err(|error| ApiError::validation(format!("{}: {error}", blob.blob_name())))?);
            }
            let found = Digest::from_bytes(hash.finalize().into());
            if found != blob.sha256 {
                damaged.push(bundle.damaged(blob, &found).message().to_owned());
            }
            report.blobs += 1;
            report.bytes += blob.size;
        }
        let manifest = &model.body.manifest;
        report.models.push(ModelVersion { id: manifest.id.clone(), version: manifest.version.to_string() });
    }
    if damaged.is_empty() { Ok(report) } else { Err(ApiError::validation(damaged.join("\n"))) }
}
