//! Where frames are.

/// The bytes of a whole frame.
pub const FRAME: usize = 1 << FRAME_BITS;
/// What authentication adds to a frame.
pub const TAG: usize = 16;
/// What stands before the first frame.
pub const HEADER: usize = 48;

pub(crate) const FRAME_BITS: u8 = 16;
pub(crate) const MAGIC: &[u8; 8] = b"stoaseal";
pub(crate) const VERSION: u8 = 1;
/// The random end of the header.
pub(crate) const SALT: usize = 32;

const FRAME_U64: u64 = FRAME as u64;
const TAG_U64: u64 = TAG as u64;
const HEADER_U64: u64 = HEADER as u64;

/// How many frames so many bytes have: one at least, so that an empty object is authenticated too.
pub(crate) fn frames(size: u64) -> u64 {
    size.div_ceil(FRAME_U64).max(1)
}

/// What so many bytes are once sealed.
pub fn sealed_size(size: u64) -> u64 {
    HEADER_U64.saturating_add(size).saturating_add(frames(size).saturating_mul(TAG_U64))
}

/// The bytes in a frame of an object of this size.
pub(crate) fn plain_length(size: u64, frame: u64) -> usize {
    let left = size.saturating_sub(frame.saturating_mul(FRAME_U64)).min(FRAME_U64);
    usize::try_from(left).unwrap_or(FRAME)
}

/// Where a frame begins in the sealed bytes.
pub(crate) fn frame_offset(frame: u64) -> u64 {
    HEADER_U64.saturating_add(frame.saturating_mul(FRAME_U64 + TAG_U64))
}
