//! What files are, by digest: read once for the whole installation, kept in the store.
//!
//! A scan follows from the bytes, so it is never wrong later; a newer scanner looks again, which `SCANNER` says.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek as _, SeekFrom};

use serde::{Deserialize, Serialize};
use stoa_artifacts::{Limits, ReadSeek, Scan, Spool};
use stoa_blob::{Digest, read_all};
use stoa_kernel::ApiError;
use stoa_sagemaker_common::store_error;
use stoa_store::{Document, Key, Transaction};
use stoa_types::{AccountId, Timestamp};

use super::judge::{Described, Examined, Verdict};
use super::{Action, AdmissionPolicy};
use crate::catalog::{ModelBody, PublicModel};
use crate::service::Hubs;

/// Id: the digest.
const KIND: &str = "sagemaker:blob-scan";
/// Goes up when the scanner finds more.
const SCANNER: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    scanner: u32,
    scan: Scan,
}

/// Members of archives lie in files without a name while they are looked at.
struct Unnamed;

impl Spool for Unnamed {
    fn spool(&self, reader: &mut dyn Read) -> io::Result<Box<dyn ReadSeek>> {
        let mut file = tempfile::tempfile()?;
        io::copy(reader, &mut file)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Box::new(file))
    }
}

impl Hubs {
    /// What a file is. Its bytes are held to its digest first.
    pub(super) async fn scan(&self, path: &str, digest: &str, now: Timestamp) -> Result<Scan, ApiError> {
        let key = Key { kind: KIND, account: AccountId::aws(), region: None, id: digest.to_owned() };
        let known = self.parts.store.get(&key).await.map_err(store_error)?;
        if let Some(known) = &known {
            let kept: Kept = known.decode().map_err(store_error)?;
            if kept.scanner == SCANNER {
                return Ok(kept.scan);
            }
        }
        self.must_be_intact(path, digest).await?;
        let blobs = self.parts.catalog.blobs();
        let name = Digest::parse(digest).ok_or_else(|| ApiError::internal("a digest is none"))?;
        let mut reader: Box<dyn ReadSeek + Send> = match blobs.local_path(&name).await.map_err(ApiError::internal)? {
            Some(path) => Box::new(File::open(path).map_err(ApiError::internal)?),
            None => Box::new(Cursor::new(read_all(&**blobs, &name).await.map_err(ApiError::internal)?)),
        };
        let read = move || stoa_artifacts::scan(&mut *reader, &Unnamed, Limits::default());
        let scan = tokio::task::spawn_blocking(read).await.map_err(ApiError::internal)?.map_err(ApiError::internal)?;
        let kept = Kept { scanner: SCANNER, scan };
        let transaction = match &known {
            Some(known) => Transaction::new().update(known.with_body(now, &kept).map_err(store_error)?),
            None => Transaction::new().create(Document::new(key, digest, now, &kept).map_err(store_error)?),
        };
        match self.parts.store.commit(transaction).await {
            // Somebody else found the same at the same time.
            Err(error) if error.is_conflict() => {}
            other => other.map_err(store_error)?,
        }
        Ok(kept.scan)
    }

    /// Refuses a public model that a hub's policy keeps out. There is nothing to hold in quarantine: that refuses too.
    pub(crate) async fn admits_public(&self, policy: &AdmissionPolicy, model: &PublicModel) -> Result<(), ApiError> {
        if policy.is_default() {
            return Ok(());
        }
        let verdict = self.judge_public(policy, model).await?;
        match verdict.kept_out(policy.unsafe_pickle) {
            None => Ok(()),
            Some((_, why)) => Err(ApiError::validation(format!(
                "{} {} is kept out by this hub's admission policy: {why}",
                model.id, model.version
            ))),
        }
    }

    async fn judge_public(&self, policy: &AdmissionPolicy, model: &PublicModel) -> Result<Verdict, ApiError> {
        let body = self.parts.catalog.body(model).await?;
        let described = described_public(model, &body)?;
        let mut scans = Vec::new();
        for file in &body.files {
            scans.push(self.scan(&file.path, file.digest.as_str(), model.modified).await?);
        }
        let files: Vec<Examined<'_>> = body
            .files
            .iter()
            .zip(&scans)
            .map(|(file, scan)| Examined { path: &file.path, size: file.size, scan })
            .collect();
        Ok(policy.judge(&described, &files))
    }

    /// What is known of a file already.
    pub(super) async fn known_scan(&self, digest: &str) -> Result<Option<Scan>, ApiError> {
        let key = Key { kind: KIND, account: AccountId::aws(), region: None, id: digest.to_owned() };
        let Some(known) = self.parts.store.get(&key).await.map_err(store_error)? else { return Ok(None) };
        let kept: Kept = known.decode().map_err(store_error)?;
        Ok((kept.scanner == SCANNER).then_some(kept.scan))
    }
}

/// What a version of a public model says of itself.
pub(super) fn described_public(model: &PublicModel, body: &ModelBody) -> Result<Described, ApiError> {
    // What the members' names are does not follow from the region.
    let region = "us-east-1".parse().map_err(ApiError::internal)?;
    let document = crate::document::hub_content_document(&body.manifest, model.size, &region);
    let mut described = super::judge::described(&document.to_string(), Some(&body.card));
    described.licence = Some(model.licence.to_string());
    Ok(described)
}

impl Action {
    /// The status of a content that is kept out.
    pub(super) fn status(self) -> &'static str {
        match self {
            Action::Quarantine => "PendingImport",
            Action::Refuse | Action::Mark => "ImportFailed",
        }
    }
}
