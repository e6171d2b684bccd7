//! How far archives are followed, and a reader that counts.

use std::io::{self, Read};

/// Bounds of one scan, over everything that is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that come out of archives.
    pub expanded_bytes: u64,
    /// Members of archives.
    pub members: u64,
    /// Archives in archives.
    pub depth: u8,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { expanded_bytes: 512 << 30, members: 100_000, depth: 4 }
    }
}

/// What is left of them.
#[derive(Debug)]
pub(crate) struct Budget {
    pub bytes: u64,
    pub members: u64,
}

/// Counts what is read, and ends with an error when the budget does.
pub(crate) struct Metered<'b, R> {
    pub inner: R,
    pub budget: &'b mut Budget,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.budget.bytes.checked_sub(read as u64) {
            Some(left) => self.budget.bytes = left,
            None => {
                self.budget.bytes = 0;
                return Err(io::Error::other("it expands to more than is looked into"));
            }
        }
        Ok(read)
    }
}
