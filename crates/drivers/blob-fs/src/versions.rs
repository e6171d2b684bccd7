//! Versions of blobs: numbers that stay while a file is what it was, and while nobody but this store touched it.
//!
//! INVARIANT: a file of another inode, size or time of change has another number, but for two changes that are ours: a
//! renewal of its age, which is made here, and a hard link more or less, by which containers are given files and which
//! moves the time of the inode alone. Whoever writes into a file moves that time too, even if he sets the other back, and
//! leaves the number of links: he is noticed. (Not so if a link comes or goes between his write and the next look.)
//!
//! Numbers are of this process. Forgetting them costs whoever relies on them another reading of the blob.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stoa_blob::{BlobVersion, Digest};

use crate::write::set_age;

/// Blobs that are remembered; past this all are forgotten.
const MOST: usize = 100_000;

/// What a file was found to be.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// Inode, size, and time of the last change of the bytes.
    content: (u64, u64, i64, i64),
    /// When the inode was last changed.
    changed: (i64, i64),
    links: u64,
}

impl Look {
    fn of(found: &Metadata) -> Look {
        Look {
            content: (found.ino(), found.len(), found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
            links: found.nlink(),
        }
    }

    /// Whether nothing but a link came or went.
    fn follows(&self, before: &Look) -> bool {
        self.content == before.content && (self.changed == before.changed || self.links != before.links)
    }
}

#[derive(Debug, Default)]
struct Known {
    looks: HashMap<Digest, (Look, u64)>,
    next: u64,
}

impl Known {
    fn version(&mut self, digest: &Digest, now: Look) -> u64 {
        if let Some((before, version)) = self.looks.get_mut(digest)
            && now.follows(before)
        {
            *before = now;
            return *version;
        }
        self.next += 1;
        if self.looks.len() >= MOST {
            self.looks.clear();
        }
        self.looks.insert(digest.clone(), (now, self.next));
        self.next
    }
}

/// Versions by digest.
#[derive(Debug, Default)]
pub(crate) struct Versions(Mutex<Known>);

impl Versions {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version of the file at the path.
    pub fn of(&self, digest: &Digest, path: &Path) -> io::Result<BlobVersion> {
        // Looked at under the lock, so that looks come in order.
        let mut known = self.lock();
        let now = Look::of(&std::fs::metadata(path)?);
        Ok(BlobVersion::new(known.version(digest, now).to_string()))
    }

    /// Makes a blob as young as one written now, of the version that it had.
    pub fn renew(&self, digest: &Digest, file: &File) -> io::Result<()> {
        let mut known = self.lock();
        if !known.looks.contains_key(digest) {
            return set_age(file);
        }
        let version = known.version(digest, Look::of(&file.metadata()?));
        set_age(file)?;
        known.looks.insert(digest.clone(), (Look::of(&file.metadata()?), version));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    //! What counts as another version.

    use std::os::unix::fs::FileExt;
    use std::time::Duration;

    use super::*;

    /// Writes into the file and sets the time of its bytes back; waits until the kernel's clock has moved.
    fn tamper(path: &Path, bytes: &[u8]) {
        let before = std::fs::metadata(path).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        let look = Look::of(&before);
        while Look::of(&std::fs::metadata(path).unwrap()).changed == look.changed {
            file.write_all_at(bytes, 0).unwrap();
            file.set_modified(before.modified().unwrap()).unwrap();
        }
        assert_eq!(Look::of(&std::fs::metadata(path).unwrap()).content, look.content, "only the inode tells");
    }

    #[test]
    fn links_and_renewals_are_ours_and_writes_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("blob"), folder.path().join("link"));
        std::fs::write(&path, "bytes").unwrap();
        let (versions, digest) = (Versions::default(), Digest::from_bytes([1; 32]));
        let version = || versions.of(&digest, &path).unwrap();
        let first = version();
        std::fs::hard_link(&path, &link).unwrap();
        assert_eq!(version(), first, "a container was given it");
        versions.renew(&digest, &File::open(&path).unwrap()).unwrap();
        assert_eq!(version(), first, "it was held");
        std::fs::remove_file(&link).unwrap();
        versions.renew(&digest, &File::open(&path).unwrap()).unwrap();
        assert_eq!(version(), first, "the container ended, and it was held");
        tamper(&path, b"BYTES");
        let second = version();
        assert_ne!(second, first, "of the same size, with the time set back");
        tamper(&path, b"again");
        versions.renew(&digest, &File::open(&path).unwrap()).unwrap();
        let third = version();
        assert_ne!(third, second, "a renewal does not hide it");
        assert_eq!(version(), third);
        let old = std::fs::metadata(&path).unwrap().modified().unwrap() - Duration::from_secs(9);
        File::open(&path).unwrap().set_modified(old).unwrap();
        assert_ne!(version(), third, "the time of the bytes was set by somebody else");
    }
}
