//! What a model's file is, by its bytes and never by its name, and what a pickle in it would import and call.
//!
//! Nothing here executes anything: a pickle's opcodes are followed over a stack of what matters, strings and imports.
//! INVARIANT: total. Whatever the bytes, [`scan`] ends with an answer; what it cannot read to its end it calls a problem
//! and, in an archive, [`Format::Unknown`], so a file with neither was understood. Archives are followed within [`Limits`].
//! INVARIANT: bytes never make an error, only the disk does; so an error is worth another try.

mod archive;
mod budget;
mod format;
mod numpy;
mod pickle;
mod tarball;
mod zip;

use std::collections::BTreeSet;
use std::io::{self, Read, Seek};

use serde::{Deserialize, Serialize};

use archive::Origin;
pub use budget::Limits;
pub use format::Format;

/// Bytes that can be read from anywhere.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// Keeps a member of an archive where it can be read from anywhere (a file without a name).
pub trait Spool {
    /// All bytes of the reader.
    fn spool(&self, reader: &mut dyn Read) -> io::Result<Box<dyn ReadSeek>>;
}

/// Keeps members in memory.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemorySpool;

impl Spool for MemorySpool {
    fn spool(&self, reader: &mut dyn Read) -> io::Result<Box<dyn ReadSeek>> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        Ok(Box::new(io::Cursor::new(bytes)))
    }
}

/// What was found out about a file. It follows from the bytes alone, so it may be kept under their digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// Of the file as a whole; an archive of a tar compressed by gzip is a tar.
    pub format: Format,
    /// Of what is in it, where it is an archive.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub inner: BTreeSet<Format>,
    /// `module.name` of everything that a pickle in it imports.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub imports: BTreeSet<String>,
    /// What could not be read to its end or has no honest use, for people.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub problems: BTreeSet<String>,
    /// Whether more might be found where more bytes may come out of archives.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut_short: bool,
}

/// Reads a file. Only an error of the reader itself is an error.
pub fn scan(reader: &mut dyn ReadSeek, spool: &dyn Spool, limits: Limits) -> io::Result<Scan> {
    let mut scanner = archive::Scanner::new(spool, limits);
    let format = scanner.file(reader, "", 0, Origin::Whole)?;
    Ok(scanner.found(format))
}

/// Whether an error is one of the machine (a full or failing disk), not of the bytes that were read.
pub(crate) fn is_of_system(error: &io::Error) -> bool {
    use io::ErrorKind::{OutOfMemory, StorageFull, WriteZero};
    if error.raw_os_error().is_some() || matches!(error.kind(), StorageFull | WriteZero | OutOfMemory) {
        return true;
    }
    let mut source = error.get_ref().map(|inner| inner as &dyn std::error::Error);
    while let Some(inner) = source {
        if inner.downcast_ref::<io::Error>().is_some_and(is_of_system) {
            return true;
        }
        source = inner.source();
    }
    false
}
