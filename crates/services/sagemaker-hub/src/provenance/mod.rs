//! Where an imported content came from: who brought what from where, with the digest of every file, signed under a KMS key
//! where the hub's admission policy names one.
//!
//! The statement is kept as the very text that was signed. It is written in the transaction that makes the content, and
//! never changes; what the judging found is beside it. INVARIANT: a content with a statement is served only while its
//! document and its files are the ones that the statement names, and its signature, if the hub wants one, is genuine.

mod blobs;
mod operation;
mod verify;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stoa_kernel::ports::Signature;
use stoa_kernel::{ApiError, Cx};
use stoa_models_sagemaker::types::HubContentType;
use stoa_sagemaker_common::Version;
use stoa_store::Key;

use crate::location::S3Place;
use crate::names::HubName;
use crate::service::{Hubs, key_in};

pub(crate) use blobs::VerifiedBlobs;
pub(crate) use operation::in_document;

/// Under the content's own id.
pub(crate) const KIND: &str = "sagemaker:hub-content-provenance";
/// Files of a content that is governed.
pub(crate) const MOST_FILES: usize = 10_000;

/// The body of the document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Provenance {
    /// A [`Statement`] as JSON: what is signed.
    pub statement: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<StoredSignature>,
    /// What the judging said of the whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// Of the statement's files, in its order, once they were judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileVerdict>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FileVerdict {
    pub format: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredSignature {
    pub key_arn: String,
    pub algorithm: String,
    /// Hex.
    pub bytes: String,
}

impl StoredSignature {
    fn of(signature: Signature) -> StoredSignature {
        let bytes = hex::encode(signature.bytes);
        StoredSignature { key_arn: signature.key_arn, algorithm: signature.algorithm, bytes }
    }

    fn signature(&self) -> Option<Signature> {
        let bytes = hex::decode(&self.bytes).ok()?;
        Some(Signature { key_arn: self.key_arn.clone(), algorithm: self.algorithm.clone(), bytes })
    }
}

/// What is vouched for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Statement {
    /// The content's ARN with its version: a statement of one content is of no use for another.
    pub content: String,
    /// SHA-256 of its document.
    pub document: String,
    /// Where the files were: none for a content without files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    pub imported_by: String,
    pub imported_at: String,
    /// In order of path.
    pub files: Vec<StatedFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StatedFile {
    pub path: String,
    pub sha256: String,
    pub size: u64,
}

pub(crate) fn key(hub: &HubName, kind: HubContentType, name: &str, version: Version) -> Key {
    key_in(hub, KIND, format!("{}/{kind}/{name}/{version}", hub.name))
}

impl Hubs {
    /// The statement of what is being imported, signed where a key is named. The files are read in the caller's name.
    pub(crate) async fn state(
        &self,
        cx: &Cx,
        content: &str,
        document: &str,
        governed: bool,
        signing_key: Option<&str>,
    ) -> Result<Provenance, ApiError> {
        let source = artifact_uri_in(document);
        let files = match source.as_deref().filter(|_| governed) {
            Some(uri) => self.stated_files(cx, uri).await?,
            None => Vec::new(),
        };
        let statement = Statement {
            content: content.to_owned(),
            document: hex::encode(Sha256::digest(document)),
            source,
            imported_by: cx.principal.arn.clone(),
            imported_at: cx.now.iso8601(),
            files,
        };
        let statement = serde_json::to_string(&statement).map_err(ApiError::internal)?;
        let signature = match signing_key {
            Some(key) => Some(self.signatures()?.sign(cx, "sagemaker", key, statement.as_bytes()).await?),
            None => None,
        };
        let signature = signature.map(StoredSignature::of);
        Ok(Provenance { statement, signature, findings: Vec::new(), files: Vec::new() })
    }

    async fn stated_files(&self, cx: &Cx, uri: &str) -> Result<Vec<StatedFile>, ApiError> {
        let objects = self.objects()?;
        let refused = || ApiError::validation(format!("HostingArtifactUri {uri}: s3://bucket/prefix/ is expected"));
        let place = S3Place::parse(uri).ok_or_else(refused)?;
        self.may_list(cx, &place).await?;
        let entries = place.entries(objects, None, MOST_FILES + 1).await?;
        if entries.is_empty() {
            return Err(ApiError::validation(format!("HostingArtifactUri {uri}: no file is there")));
        }
        if entries.len() > MOST_FILES {
            return Err(ApiError::validation(format!(
                "HostingArtifactUri {uri}: more than {MOST_FILES} files, which a hub with an admission policy does not take"
            )));
        }
        let mut files = Vec::with_capacity(entries.len());
        for entry in entries {
            self.may_read(cx, &place.bucket, &entry.key).await?;
            let path = place.relative(&entry.key).to_owned();
            if entry.sealed.is_some() {
                // What cannot be looked into cannot be judged, and its digest is that of the sealed bytes.
                return Err(ApiError::validation(format!(
                    "HostingArtifactUri {uri}: {path} is encrypted, and a hub with an admission policy looks into every \
                     file: import it from a place without encryption"
                )));
            }
            files.push(StatedFile { path, sha256: entry.digest, size: entry.size });
        }
        Ok(files)
    }
}

/// `HostingArtifactUri` of a document.
pub(crate) fn artifact_uri_in(document: &str) -> Option<String> {
    let document: serde_json::Value = serde_json::from_str(document).ok()?;
    document.get("HostingArtifactUri").and_then(serde_json::Value::as_str).map(str::to_owned)
}
