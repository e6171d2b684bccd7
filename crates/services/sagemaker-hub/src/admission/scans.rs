//! What files are, by digest: read once for the whole installation, kept in the store.
//!
//! A scan follows from the bytes and from how much may come out of them, so it is never wrong later; a newer scanner looks
//! again, which `SCANNER` says, and so does who may unpack more. A disk that is full or fails makes an error, which is tried
//! again, and nothing is kept then. A crash leaves nothing: what is unpacked lies in files without a name.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use stoa_artifacts::{Limits, ReadSeek, Scan, Spool};
use stoa_blob::Digest;
use stoa_kernel::ApiError;
use stoa_sagemaker_common::store_error;
use stoa_store::{Document, Key, Transaction};
use stoa_types::{AccountId, Timestamp};
use tokio::io::AsyncWriteExt;

use super::judge::{Examined, Verdict};
use super::{Action, AdmissionPolicy};
use crate::catalog::{ModelBody, ModelFile, PublicModel};
use crate::service::Hubs;

/// Id: the digest.
const KIND: &str = "sagemaker:blob-scan";
/// Goes up when the scanner finds more.
pub(super) const SCANNER: u32 = 2;
/// Files that are looked at at once: each may take as much room as it unpacks to.
pub(crate) const AT_ONCE: usize = 2;

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    scanner: u32,
    scan: Scan,
    /// How many bytes might have come out of it.
    #[serde(default)]
    expanded_bytes: u64,
}

impl Kept {
    fn is_enough(&self, limits: Limits) -> bool {
        self.scanner == SCANNER && (!self.scan.cut_short || self.expanded_bytes >= limits.expanded_bytes)
    }
}

/// Where members of archives lie, in files without a name, while they are looked at.
struct Unnamed(PathBuf);

impl Unnamed {
    fn file(&self) -> io::Result<File> {
        std::fs::create_dir_all(&self.0)?;
        tempfile::tempfile_in(&self.0)
    }
}

impl Spool for Unnamed {
    fn spool(&self, reader: &mut dyn Read) -> io::Result<Box<dyn ReadSeek>> {
        let mut file = self.file()?;
        io::copy(reader, &mut file)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Box::new(file))
    }
}

/// A file that is to be looked at.
#[derive(Clone, Copy)]
pub(super) struct Stated<'a> {
    pub path: &'a str,
    pub digest: &'a str,
    pub size: u64,
}

impl Hubs {
    /// What a file is. Its bytes are held to its digest first.
    pub(super) async fn scan(
        &self,
        policy: &AdmissionPolicy,
        file: Stated<'_>,
        now: Timestamp,
    ) -> Result<Scan, ApiError> {
        let limits = Limits::of_file(file.size, policy.max_total_bytes);
        let key = scan_key(file.digest);
        if let (_, Some(kept)) = self.kept(&key, limits).await? {
            return Ok(kept.scan);
        }
        let _one_of_few = self.scanning.acquire().await.map_err(ApiError::internal)?;
        // Somebody else may have looked while this one waited.
        let (known, kept) = self.kept(&key, limits).await?;
        if let Some(kept) = kept {
            return Ok(kept.scan);
        }
        self.must_be_intact(file.path, file.digest).await?;
        let spool = Unnamed(self.parts.spool.clone());
        let mut bytes = self.bytes_of(file.digest, &spool).await?;
        let read = move || stoa_artifacts::scan(&mut bytes, &spool, limits);
        let scan = tokio::task::spawn_blocking(read).await.map_err(ApiError::internal)?.map_err(ApiError::internal)?;
        let kept = Kept { scanner: SCANNER, scan, expanded_bytes: limits.expanded_bytes };
        let transaction = match &known {
            Some(known) => Transaction::new().update(known.with_body(now, &kept).map_err(store_error)?),
            None => Transaction::new().create(Document::new(key, file.digest, now, &kept).map_err(store_error)?),
        };
        match self.parts.store.commit(transaction).await {
            // Somebody else found the same at the same time.
            Err(error) if error.is_conflict() => {}
            other => other.map_err(store_error)?,
        }
        Ok(kept.scan)
    }

    /// What is kept of a digest, and whether it is enough.
    async fn kept(&self, key: &Key, limits: Limits) -> Result<(Option<Arc<Document>>, Option<Kept>), ApiError> {
        let Some(known) = self.parts.store.get(key).await.map_err(store_error)? else { return Ok((None, None)) };
        let kept: Kept = known.decode().map_err(store_error)?;
        Ok((Some(known), Some(kept).filter(|kept| kept.is_enough(limits))))
    }

    /// A blob's bytes as a file: its own, or a copy without a name where the store has no files.
    async fn bytes_of(&self, digest: &str, spool: &Unnamed) -> Result<File, ApiError> {
        let blobs = self.parts.catalog.blobs();
        let name = Digest::parse(digest).ok_or_else(|| ApiError::internal("a digest is none"))?;
        if let Some(path) = blobs.local_path(&name).await.map_err(ApiError::internal)? {
            return File::open(path).map_err(ApiError::internal);
        }
        let mut file = tokio::fs::File::from_std(spool.file().map_err(ApiError::internal)?);
        let mut pieces = blobs.get(&name, 0, None).await.map_err(ApiError::internal)?;
        while let Some(piece) = pieces.try_next().await.map_err(ApiError::internal)? {
            file.write_all(&piece).await.map_err(ApiError::internal)?;
        }
        file.flush().await.map_err(ApiError::internal)?;
        Ok(file.into_std().await)
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
        let verdict = policy.facts_public(model, &body)?;
        if !verdict.refusals.is_empty() {
            return Ok(verdict);
        }
        let mut scans = Vec::with_capacity(body.files.len());
        for file in &body.files {
            scans.push(self.scan(policy, stated(file), model.modified).await?);
        }
        Ok(policy.judge_files(&examined(&body, &scans)))
    }

    /// What is known of a file already.
    pub(super) async fn known_scan(
        &self,
        policy: &AdmissionPolicy,
        file: Stated<'_>,
    ) -> Result<Option<Scan>, ApiError> {
        let (_, kept) = self.kept(&scan_key(file.digest), Limits::of_file(file.size, policy.max_total_bytes)).await?;
        Ok(kept.map(|kept| kept.scan))
    }
}

impl AdmissionPolicy {
    /// What a version of a public model says of itself, and what its files are by name and size.
    pub(super) fn facts_public(&self, model: &PublicModel, body: &ModelBody) -> Result<Verdict, ApiError> {
        // What the members' names are does not follow from the region.
        let region = "us-east-1".parse().map_err(ApiError::internal)?;
        let document = crate::document::hub_content_document(&body.manifest, model.size, &region);
        let mut described = super::judge::described(&document.to_string(), Some(&body.card));
        described.licence = Some(model.licence.to_string());
        Ok(self.judge_facts(&described, body.files.iter().map(|file| (file.path.as_str(), file.size))))
    }
}

pub(super) fn stated(file: &ModelFile) -> Stated<'_> {
    Stated { path: &file.path, digest: file.digest.as_str(), size: file.size }
}

/// The files of a version, each with what it is.
pub(super) fn examined<'a>(body: &'a ModelBody, scans: &'a [Scan]) -> Vec<Examined<'a>> {
    body.files.iter().zip(scans).map(|(file, scan)| Examined { path: &file.path, scan }).collect()
}

fn scan_key(digest: &str) -> Key {
    Key { kind: KIND, account: AccountId::aws(), region: None, id: digest.to_owned() }
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
