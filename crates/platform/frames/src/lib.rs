//! Object bytes sealed in frames: AES-256-GCM, so that any change is noticed, and any range can be read by itself.
//!
//! `header, frame, frame, …, last frame`. The header is 48 bytes: a magic, the form's version, the size of a frame as a
//! power of two, and 32 random bytes. A frame is 64 KiB of the bytes (the last one what is left, perhaps nothing) and a
//! tag of 16 bytes. The nonce is the frame's number and whether it is the last (the STREAM construction of Hoang,
//! Reyhanitabar, Rogaway and Vizár), so frames that are changed, swapped, repeated, dropped or cut off do not open; the
//! header is authenticated with every frame.
//!
//! INVARIANT: every header has a key of its own, derived from the data key and its random bytes, so no nonce is used
//! twice under one key, whatever number of blobs (the parts of an upload) one data key seals. Nothing of a frame is given
//! out before its tag was checked. Pure: no blob store and no key store is known here.

mod key;
mod layout;
mod open;
mod seal;

pub use key::DataKey;
pub use layout::{FRAME, HEADER, TAG, sealed_size};
pub use open::{Opener, open};
pub use seal::{Sealer, seal};

use bytes::Bytes;
use futures_util::stream::BoxStream;

/// A stream of bytes with errors of its producer.
pub type ByteStream = BoxStream<'static, Result<Bytes, Box<dyn std::error::Error + Send + Sync>>>;

/// Sealed bytes that do not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The header is not one of ours, or of a later form.
    #[error("the header of sealed bytes is damaged or of an unknown form")]
    Header,
    /// A frame is not what was sealed with this key: changed, of another place, or of another blob.
    #[error("frame {0} of sealed bytes is damaged")]
    Damaged(u64),
    /// The bytes end too soon.
    #[error("sealed bytes are cut off in frame {0}")]
    CutOff(u64),
    /// More frames than a counter of 32 bits has: 256 TiB.
    #[error("too many bytes to seal")]
    TooLong,
}
