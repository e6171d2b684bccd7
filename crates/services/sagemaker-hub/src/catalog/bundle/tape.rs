//! Tar as bundles have it: plain files one after the other, each known by name and size beforehand.
//!
//! [`Tape`] checks every header against what must come next and gives back where the bytes are; it reads no content.
//! INVARIANT: an offset it returns, and the declared size after it, lie within the file.

use std::io;
use std::path::{Path, PathBuf};

use stoa_kernel::ApiError;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};

pub(crate) const BLOCK: u64 = 512;

/// The header of a plain file.
pub(crate) fn header(name: &str, size: u64, seconds: u64) -> io::Result<[u8; 512]> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name)?;
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_mtime(seconds);
    header.set_size(size);
    header.set_cksum();
    Ok(*header.as_bytes())
}

/// Zeros up to the next block.
pub(crate) fn padding(size: u64) -> u64 {
    (BLOCK - size % BLOCK) % BLOCK
}

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub name: String,
    pub size: u64,
}

/// A bundle being read, in order.
pub(crate) struct Tape {
    file: File,
    path: PathBuf,
    length: u64,
    position: u64,
}

impl Tape {
    pub async fn open(path: &Path) -> Result<Tape, ApiError> {
        let failed = |error: io::Error| ApiError::validation(format!("{}: {error}", path.display()));
        let file = File::open(path).await.map_err(failed)?;
        let found = file.metadata().await.map_err(failed)?;
        if !found.is_file() {
            return Err(ApiError::validation(format!("{}: a plain file is expected", path.display())));
        }
        Ok(Tape { file, path: path.to_owned(), length: found.len(), position: 0 })
    }

    fn refused(&self, why: impl std::fmt::Display) -> ApiError {
        ApiError::validation(format!("{}: {why}", self.path.display()))
    }

    /// The header at the position, none at the end of the archive. The position stays.
    pub async fn peek(&mut self) -> Result<Option<Entry>, ApiError> {
        let block = self.bytes(self.position, BLOCK).await?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = tar::Header::from_byte_slice(&block);
        let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
        let shown = name.escape_default().to_string();
        if header.cksum().ok() != Some(checksum(&block)) {
            let why = match block.get(..2) {
                Some([0x1f, 0x8b]) => "this is a gzip file: bundles are not compressed, unpack it first".to_owned(),
                Some([0x28, 0xb5]) => "this is a zstd file: bundles are not compressed, unpack it first".to_owned(),
                _ => format!("no tar header is at byte {}: this is no bundle, or a damaged one", self.position),
            };
            return Err(self.refused(why));
        }
        if header.entry_type() != tar::EntryType::Regular {
            let kind = format!("{:?}", header.entry_type()).to_lowercase();
            return Err(self.refused(format!("the entry `{shown}` is a {kind}: bundles hold plain files only")));
        }
        let size = header.entry_size().map_err(|error| self.refused(format!("the entry `{shown}`: {error}")))?;
        Ok(Some(Entry { name, size }))
    }

    /// Takes the entry that must come next, and says at which byte its content begins.
    pub async fn expect(&mut self, name: &str, size: u64) -> Result<u64, ApiError> {
        let found = self.peek().await?;
        let Some(found) = found else {
            return Err(self.refused(format!("the bundle ends before the entry `{name}`")));
        };
        if found.name != name {
            let shown = found.name.escape_default();
            return Err(self.refused(format!("the entry `{name}` should come next, `{shown}` does")));
        }
        if found.size != size {
            return Err(self.refused(format!("`{name}` has {} bytes where {size} are declared", found.size)));
        }
        let start = self.position + BLOCK;
        let end = start.checked_add(size).and_then(|end| end.checked_add(padding(size)));
        match end.filter(|end| *end <= self.length) {
            Some(end) => self.position = end,
            None => return Err(self.refused(format!("the file is cut off in the entry `{name}`"))),
        }
        Ok(start)
    }

    /// Nothing but zeros may follow.
    pub async fn expect_end(&mut self) -> Result<(), ApiError> {
        if let Some(found) = self.peek().await? {
            let shown = found.name.escape_default();
            return Err(self.refused(format!("the entry `{shown}` is not in the bundle's manifest")));
        }
        let left = self.length - self.position;
        if left > 64 * BLOCK || self.bytes(self.position, left).await?.iter().any(|byte| *byte != 0) {
            return Err(self.refused("something follows the end of the archive"));
        }
        Ok(())
    }

    /// So many bytes from this position; for small things.
    pub async fn bytes(&mut self, at: u64, size: u64) -> Result<Vec<u8>, ApiError> {
        if at.checked_add(size).is_none_or(|end| end > self.length) {
            return Err(self.refused(format!("the file is cut off at byte {}", self.length)));
        }
        let failed = |error: io::Error| ApiError::validation(format!("{}: {error}", self.path.display()));
        self.file.seek(SeekFrom::Start(at)).await.map_err(failed)?;
        let mut bytes = vec![0; usize::try_from(size).map_err(ApiError::internal)?];
        self.file.read_exact(&mut bytes).await.map_err(failed)?;
        Ok(bytes)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The sum of a header's bytes with its own field as spaces.
fn checksum(block: &[u8]) -> u32 {
    let byte = |(at, byte): (usize, &u8)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) };
    block.iter().enumerate().map(byte).sum()
}
