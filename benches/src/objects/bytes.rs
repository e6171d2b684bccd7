//! Bytes that no other round has, made as they are needed, and the plain way to store them.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::wire::Outcome;

const PIECE: usize = 1 << 20;

/// A piece without a short period; each piece of a source differs from it in its first bytes.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..PIECE).map(next).collect()
});

/// So many bytes, told by their seed.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    seed: u64,
    pub size: u64,
}

impl Source {
    pub fn new(seed: u64, size: u64) -> Source {
        Source { seed, size }
    }

    /// Gives all bytes, piece by piece.
    pub fn each(&self, mut take: impl FnMut(&[u8]) -> Outcome<()>) -> Outcome<()> {
        let mut piece = PATTERN.clone();
        let (mut left, mut number) = (self.size, 0_u64);
        while left > 0 {
            piece[..8].copy_from_slice(&self.seed.to_le_bytes());
            piece[8..16].copy_from_slice(&number.to_le_bytes());
            let length = left.min(PIECE as u64) as usize;
            take(&piece[..length])?;
            left -= length as u64;
            number += 1;
        }
        Ok(())
    }
}

/// What a PUT is held against: hashed, written, synced.
pub fn write_synced(path: &Path, source: Source) -> Outcome<()> {
    let mut file = File::create(path)?;
    let mut hash = Sha256::new();
    source.each(|piece| {
        hash.update(piece);
        Ok(file.write_all(piece)?)
    })?;
    file.sync_all()?;
    std::hint::black_box(hash.finalize());
    Ok(())
}
