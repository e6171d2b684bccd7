//! The scrub: reads every blob, hashes it again, and tells what is damaged or missing and who named it.
//!
//! What others put or remove meanwhile is no finding: a blob that is gone counts as missing only while a document names
//! it. A damaged blob is put aside, so that nobody is served its bytes and the same bytes can be put anew; one that
//! cannot be read at all stays, since the fault may pass.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stoa_blob::{BlobEntry, BlobError, ByteStream, Digest};
use stoa_store::BlobName;
use stoa_work::chain;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use crate::keeper::{BlobKeeper, KeeperError, PAGE};

/// Read from a file at once.
const PIECE: usize = 1 << 20;

/// How to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verify {
    /// Leave damaged blobs where they are.
    pub fix_nothing: bool,
    /// Read at most so many bytes a second.
    pub bytes_per_second: Option<u64>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Blobs read so far.
    pub blobs: u64,
    /// Bytes read so far.
    pub bytes: u64,
    /// Blobs in all, as counted at the beginning.
    pub all_blobs: u64,
    /// Bytes in all.
    pub all_bytes: u64,
    /// Findings so far.
    pub findings: u64,
}

/// What is wrong with a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// Its bytes are not those of its name.
    Damaged,
    /// It cannot be read.
    Unreadable,
    /// It is named and not there.
    Missing,
}

/// A blob with trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The blob.
    pub digest: String,
    /// What is wrong.
    pub trouble: Trouble,
    /// More about it.
    pub detail: String,
    /// Whether it was put aside.
    pub set_aside: bool,
    /// Who names it.
    pub named_by: Vec<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verified {
    /// Blobs that were read.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Reading at a pace.
struct Pace {
    began: Instant,
    bytes: u64,
    per_second: Option<u64>,
}

impl Pace {
    async fn read(&mut self, bytes: u64) {
        self.bytes += bytes;
        let Some(per_second) = self.per_second else { return };
        let millis = u128::from(self.bytes) * 1000 / u128::from(per_second.max(1));
        let due = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        tokio::time::sleep_until(self.began + due).await;
    }
}

impl BlobKeeper {
    /// Reads everything. `progress` is called after each blob, and now and then within a large one.
    pub async fn verify(
        &self,
        how: Verify,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Verified, KeeperError> {
        let mut pace = Pace { began: Instant::now(), bytes: 0, per_second: how.bytes_per_second };
        let mut done = self.counted().await?;
        let mut verified = Verified::default();
        let mut after = None;
        loop {
            let page = self.parts.blobs.list(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.digest.clone());
            for entry in &page {
                let wrong = self.read(entry, &mut pace, &mut done, &mut progress).await?;
                if let Some((trouble, detail)) = wrong {
                    let finding = self.finding(entry, trouble, detail, how).await?;
                    verified.findings.push(finding);
                    done.findings += 1;
                }
                done.blobs += 1;
                progress(done);
            }
        }
        self.missing(&mut verified).await?;
        (verified.blobs, verified.bytes) = (done.blobs, done.bytes);
        Ok(verified)
    }

    async fn counted(&self) -> Result<Progress, KeeperError> {
        let mut counted = Progress::default();
        let mut after = None;
        loop {
            let page = self.parts.blobs.list(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(counted) };
            after = Some(last.digest.clone());
            counted.all_blobs += page.len() as u64;
            counted.all_bytes += page.iter().map(|entry| entry.size).sum::<u64>();
        }
    }

    /// What is wrong with a blob, if anything.
    async fn read(
        &self,
        entry: &BlobEntry,
        pace: &mut Pace,
        done: &mut Progress,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<Option<(Trouble, String)>, KeeperError> {
        let unreadable = |error: String| Ok(Some((Trouble::Unreadable, error)));
        let mut pieces = match self.stored(&entry.digest).await {
            Ok(pieces) => pieces,
            // Removed since it was listed; where a document names it, it is found missing below.
            Err(BlobError::NotFound(_)) => return Ok(None),
            Err(error) => return unreadable(chain(&error)),
        };
        let (mut hash, mut size) = (Sha256::new(), 0_u64);
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => return unreadable(chain(&*error)),
            };
            hash.update(&piece);
            size += piece.len() as u64;
            done.bytes += piece.len() as u64;
            pace.read(piece.len() as u64).await;
            progress(*done);
        }
        let found = Digest::from_bytes(hash.finalize().into());
        if found == entry.digest {
            return Ok(None);
        }
        Ok(Some((Trouble::Damaged, format!("{size} bytes that are {}", found.as_str()))))
    }

    /// The bytes as they are stored: from the file itself where there is one, past what a store keeps in memory.
    async fn stored(&self, digest: &Digest) -> Result<ByteStream, BlobError> {
        if !self.parts.blobs.local_files() {
            return self.parts.blobs.get(digest, 0, None).await;
        }
        let not_found = || BlobError::NotFound(digest.as_str().to_owned());
        let path = self.parts.blobs.local_path(digest).await?.ok_or_else(not_found)?;
        match tokio::fs::File::open(path).await {
            Ok(file) => Ok(file_stream(file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(not_found()),
            Err(error) => Err(BlobError::Backend(error.into())),
        }
    }

    async fn finding(
        &self,
        entry: &BlobEntry,
        trouble: Trouble,
        detail: String,
        how: Verify,
    ) -> Result<Finding, KeeperError> {
        let digest = entry.digest.as_str().to_owned();
        let mut set_aside = false;
        if trouble == Trouble::Damaged && !how.fix_nothing {
            // Whoever pins it was told that it is there: then the next scrub puts it aside.
            if let Some(removal) = self.parts.blobs.pins().removal(&entry.digest) {
                match self.parts.blobs.set_aside(&removal).await {
                    Ok(()) => set_aside = true,
                    Err(error) => tracing::error!(blob = digest, error = chain(&error), "it could not be put aside"),
                }
            }
        }
        let named_by = self.names_of(&digest).await?;
        tracing::error!(blob = digest, ?trouble, detail, set_aside, ?named_by, "a blob is not what it should be");
        Ok(Finding { digest, trouble, detail, set_aside, named_by })
    }

    /// Adds the blobs that are named and not there.
    async fn missing(&self, verified: &mut Verified) -> Result<(), KeeperError> {
        let mut place = BlobName::before("");
        loop {
            let names = self.parts.store.blob_names(&place, PAGE).await?;
            let mut digests: Vec<&str> = names.iter().map(|name| name.digest.as_str()).collect();
            digests.dedup();
            for digest in digests {
                let known = verified.findings.iter().any(|finding| finding.digest == digest);
                if !known && self.is_missing(digest).await? {
                    verified.findings.push(Finding {
                        digest: digest.to_owned(),
                        trouble: Trouble::Missing,
                        detail: String::new(),
                        set_aside: false,
                        named_by: self.names_of(digest).await?,
                    });
                }
            }
            match names.last() {
                Some(last) => place = BlobName::behind(&last.digest),
                None => return Ok(()),
            }
        }
    }

    async fn is_missing(&self, digest: &str) -> Result<bool, KeeperError> {
        // A name that is no digest can be of nothing.
        let Some(digest) = Digest::parse(digest) else { return Ok(true) };
        Ok(self.parts.blobs.size(&digest).await?.is_none() && self.is_named(&digest).await?)
    }
}

fn file_stream(file: tokio::fs::File) -> ByteStream {
    let next = |mut file: tokio::fs::File| async move {
        let mut piece = Vec::with_capacity(PIECE);
        let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece).await?;
        Ok((read > 0).then(|| (Bytes::from(piece), file)))
    };
    stream::try_unfold(file, next).boxed()
}
