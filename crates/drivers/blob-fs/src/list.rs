//! Listing: one shard after another, each sorted.

use std::fs::Metadata;
use std::io;
use std::time::UNIX_EPOCH;

use stoa_blob::{BlobEntry, Digest};
use stoa_types::Timestamp;

use crate::store::Folders;

/// When the blob was written, or put again.
pub(crate) fn touched(found: &Metadata) -> io::Result<Timestamp> {
    let since = found.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}

/// A page of the blobs after this one. Blocks.
pub(crate) fn page(folders: &Folders, after: Option<&Digest>, limit: usize) -> io::Result<Vec<BlobEntry>> {
    let first = after.and_then(|digest| u8::from_str_radix(digest.as_str().get(..2)?, 16).ok()).unwrap_or(0);
    let mut found = Vec::new();
    for shard in first..=255 {
        let mut digests = names(folders, shard)?;
        digests.retain(|digest| after.is_none_or(|after| digest > after));
        digests.sort_unstable();
        for digest in digests {
            if found.len() == limit {
                return Ok(found);
            }
            match std::fs::metadata(folders.file(&digest)) {
                Ok(file) => found.push(BlobEntry { digest, size: file.len(), touched: touched(&file)? }),
                // Removed a moment ago.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

fn names(folders: &Folders, shard: u8) -> io::Result<Vec<Digest>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folders.blobs().join(format!("{shard:02x}")))? {
        // Files of other names are not ours.
        found.extend(entry?.file_name().to_str().and_then(Digest::parse));
    }
    Ok(found)
}
