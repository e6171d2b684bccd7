//! What a model's file is, by its bytes and never by its name, and what a pickle in it would import and call.
//!
//! Nothing here executes anything: a pickle's opcodes are followed over a stack of what matters, strings and imports.
//! INVARIANT: total. Whatever the bytes, [`scan`] ends with an answer; what it cannot read to its end it calls a problem,
//! so a file without problems was understood. Archives are followed within [`Limits`].

mod archive;
mod budget;
mod format;
mod numpy;
mod pickle;
#[cfg(test)]
mod tests;
mod zip;

use std::collections::BTreeSet;
use std::io::{self, Read, Seek};

use serde::{Deserialize, Serialize};

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
}

/// Reads a file. Only an error of the reader itself is an error.
pub fn scan(reader: &mut dyn ReadSeek, spool: &dyn Spool, limits: Limits) -> io::Result<Scan> {
    let mut scanner = archive::Scanner::new(spool, limits);
    let format = scanner.file(reader, "", 0)?;
    Ok(Scan { format, inner: scanner.inner, imports: scanner.imports, problems: scanner.problems })
}
