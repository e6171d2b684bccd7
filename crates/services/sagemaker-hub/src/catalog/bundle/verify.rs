//! Verifying a bundle where no server is: all that an import checks, and every blob's bytes. Nothing is written.

use std::path::Path;

use serde::{Deserialize, Serialize};
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
            let (digest, md5) = bundle.hashed(blob, *at).await?;
            if let Err(error) = bundle.prove(blob, &digest, &md5) {
                damaged.push(error.message().to_owned());
            }
            report.blobs += 1;
            report.bytes += blob.size;
        }
        let manifest = &model.body.manifest;
        report.models.push(ModelVersion { id: manifest.id.clone(), version: manifest.version.to_string() });
    }
    if damaged.is_empty() { Ok(report) } else { Err(ApiError::validation(damaged.join("\n"))) }
}
