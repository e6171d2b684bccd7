//! What the fuzz target does with a run of bytes, shared with the ordinary tests: `fuzz/` includes this file.

use stoa_frames::{DataKey, FrameError, HEADER, Opener, Sealer};

const SALT: [u8; 32] = [9; 32];

fn key() -> DataKey {
    DataKey::new([7; 32])
}

/// Some bytes sealed, in a few pieces.
pub fn sealed(plain: &[u8], piece: usize) -> Result<Vec<u8>, FrameError> {
    let mut sealer = Sealer::new(&key(), SALT)?;
    let mut all = sealer.header().to_vec();
    for piece in plain.chunks(piece.max(1)) {
        sealer.push(piece)?.iter().for_each(|frame| all.extend_from_slice(frame));
    }
    all.extend_from_slice(&sealer.finish()?);
    Ok(all)
}

/// A range of a blob that should hold `size` bytes.
fn opened(blob: &[u8], size: u64, start: u64, length: u64, piece: usize) -> Result<Vec<u8>, FrameError> {
    let mut opener = Opener::new(&key(), blob.get(..HEADER).ok_or(FrameError::Header)?, size, start, length)?;
    let (from, count) = opener.needs();
    let (from, count) = (usize::try_from(from).unwrap_or(usize::MAX), usize::try_from(count).unwrap_or(usize::MAX));
    let needed = blob.get(from.min(blob.len())..from.saturating_add(count).min(blob.len())).unwrap_or_default();
    let mut all = Vec::new();
    for piece in needed.chunks(piece.max(1)) {
        opener.push(piece)?.iter().for_each(|bytes| all.extend_from_slice(bytes));
    }
    opener.finish().map(|()| all)
}

fn number(data: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(data.iter().skip(at)).for_each(|(to, from)| *to = *from);
    u64::from_le_bytes(bytes)
}

/// Any bytes as a sealed blob of any size: they do not open, or they are what was sealed. And bytes that were sealed, with
/// one of them changed: no range opens that touches the change, and others are as they were.
pub fn opening(data: &[u8]) {
    let (size, start, length) = (number(data, 0), number(data, 8), number(data, 16));
    let blob = data.get(24..).unwrap_or_default();
    for size in [size, size % 200_000, blob.len() as u64] {
        if let Ok(plain) = opened(blob, size, start, length, 1000) {
            let again = opened(blob, size, start, length, 7).ok();
            assert_eq!(again.as_ref(), Some(&plain), "in whatever pieces");
            assert!(plain.len() as u64 <= length.min(size.saturating_sub(start)), "no more than asked for");
        }
    }
    let Ok(mut whole) = sealed(blob, 1 + (start % 70_000) as usize) else { return };
    let size = blob.len() as u64;
    assert_eq!(whole.len() as u64, stoa_frames::sealed_size(size));
    assert_eq!(opened(&whole, size, 0, u64::MAX, 10_000).as_deref(), Ok(blob));
    let from = (start % (size + 1)) as usize;
    let part = blob.get(from..).unwrap_or_default();
    let part = part.get(..part.len().min((length % 5000) as usize)).unwrap_or_default();
    assert_eq!(opened(&whole, size, from as u64, part.len() as u64, 100).as_deref(), Ok(part));
    let at = (length % whole.len() as u64) as usize;
    if let Some(byte) = whole.get_mut(at) {
        *byte ^= 1 << (start % 8);
    }
    assert!(opened(&whole, size, 0, u64::MAX, 10_000).is_err(), "a changed byte opens");
    assert!(opened(&whole, size + 1, 0, u64::MAX, 10_000).is_err(), "as another size");
}
