//! How far archives are followed, and a reader that counts.

use std::borrow::BorrowMut;
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

impl Limits {
    /// For a file of this size: four times as many bytes and a gibibyte, and no more than `most`.
    pub fn of_file(size: u64, most: Option<u64>) -> Limits {
        let bytes = size.saturating_mul(4).saturating_add(1 << 30);
        Limits { expanded_bytes: most.map_or(bytes, |most| most.min(bytes)), members: 100_000, depth: 4 }
    }
}

/// What is left of them.
#[derive(Debug)]
pub(crate) struct Budget {
    pub bytes: u64,
    pub members: u64,
}

/// What an exhausted budget says.
pub(crate) const EXHAUSTED: &str = "it expands to more than is looked into";

/// Counts what is read, and ends with an error when the budget does.
pub(crate) struct Metered<R, B> {
    pub inner: R,
    pub budget: B,
}

impl<R: Read, B: BorrowMut<Budget>> Read for Metered<R, B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let budget = self.budget.borrow_mut();
        match budget.bytes.checked_sub(read as u64) {
            Some(left) => budget.bytes = left,
            None => {
                budget.bytes = 0;
                return Err(io::Error::other(EXHAUSTED));
            }
        }
        Ok(read)
    }
}
