//! The account: how many blobs there are, how many bytes, and how much of it has a name.

use serde::{Deserialize, Serialize};
use stoa_store::BlobName;

use crate::keeper::{BlobKeeper, KeeperError, PAGE};

/// What is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Blobs.
    pub blobs: u64,
    /// Their bytes, as they are stored.
    pub bytes: u64,
    /// Blobs without a name.
    pub unnamed: u64,
    /// Their bytes.
    pub unnamed_bytes: u64,
    /// Names: more than the blobs that have one, where equal bytes are stored once.
    pub names: u64,
}

impl BlobKeeper {
    /// Counts.
    pub async fn usage(&self) -> Result<Usage, KeeperError> {
        let mut usage = Usage::default();
        let mut after = None;
        loop {
            let page = self.parts.blobs.list(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.digest.clone());
            let named = self.named_among(&page).await?;
            for entry in &page {
                usage.blobs += 1;
                usage.bytes += entry.size;
                if !named.contains(&entry.digest) {
                    usage.unnamed += 1;
                    usage.unnamed_bytes += entry.size;
                }
            }
        }
        let mut place = BlobName::before("");
        loop {
            let names = self.parts.store.blob_names(&place, PAGE).await?;
            usage.names += names.len() as u64;
            match names.into_iter().last() {
                Some(last) => place = last,
                None => return Ok(usage),
            }
        }
    }
}
