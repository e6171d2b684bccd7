//! The bytes of small blobs that were read lately, so that reading one again is one system call instead of four.
//!
//! INVARIANT: an entry is given out only while the file is the very one it was read from (inode, size, times), so a file
//! that was removed or tampered with is read anew.

use std::collections::{HashMap, VecDeque};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use stoa_blob::Digest;

/// The largest blob that is kept.
pub(crate) const LARGEST: u64 = 16 << 10;
/// The bytes kept of all blobs together.
const BUDGET: usize = 4 << 20;

/// What tells that a file is another, or was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    fn of(found: &Metadata) -> Identity {
        Identity {
            inode: found.ino(),
            size: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

#[derive(Debug, Default)]
struct Kept {
    blobs: HashMap<Digest, (Identity, Bytes)>,
    /// The oldest first.
    order: VecDeque<Digest>,
    size: usize,
}

/// Small blobs by digest.
#[derive(Debug, Default)]
pub(crate) struct SmallBlobs(Mutex<Kept>);

impl SmallBlobs {
    /// The bytes of the blob whose file was found to be this.
    pub fn get(&self, digest: &Digest, found: &Metadata) -> Option<Bytes> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (identity, bytes) = kept.blobs.get(digest)?;
        (*identity == Identity::of(found)).then(|| bytes.clone())
    }

    /// Keeps the whole of a blob, in the place of the oldest.
    pub fn keep(&self, digest: &Digest, found: &Metadata, bytes: &Bytes) {
        if found.len() != bytes.len() as u64 {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.size += bytes.len();
        match kept.blobs.insert(digest.clone(), (Identity::of(found), bytes.clone())) {
            Some((_, before)) => kept.size -= before.len(),
            None => kept.order.push_back(digest.clone()),
        }
        while kept.size > BUDGET {
            let Some(oldest) = kept.order.pop_front() else { return };
            if let Some((_, bytes)) = kept.blobs.remove(&oldest) {
                kept.size -= bytes.len();
            }
        }
    }
}
