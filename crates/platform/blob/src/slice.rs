//! A range of an open file: bytes that a transport may send without reading them.

use std::fs::File;
use std::sync::Arc;

/// Bytes of an open file. The file keeps them, whatever happens to its name.
#[derive(Debug, Clone)]
pub struct FileSlice {
    /// The file; nobody writes to it.
    pub file: Arc<File>,
    /// Where the bytes begin.
    pub start: u64,
    /// How many there are.
    pub length: u64,
}
