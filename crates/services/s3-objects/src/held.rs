//! Stored bytes held to what was noted of them when they came: for whoever makes other bytes of them, which would hide
//! for ever that they were changed on the disk, or exchanged for others.

use futures_util::stream::{StreamExt, unfold};
use sha2::{Digest as _, Sha256};
use stoa_blob::{ByteStream, Digest};
use stoa_kernel::ApiError;
use stoa_kernel::ports::Checksum;

use crate::body::{crc_of, crc_text};
use crate::documents::PartBody;

/// What bytes are held to.
pub(crate) enum Held {
    Digest(Sha256, Digest),
    Crc(Box<crc_fast::Digest>, Checksum),
}

impl Held {
    /// To the blob's name: nobody makes other bytes of the same.
    pub fn to_digest(digest: &Digest) -> Held {
        Held::Digest(Sha256::new(), digest.clone())
    }

    /// To the part's checksum where that is a CRC, which costs next to nothing, else to the blob's name.
    pub fn to_checksum(part: &PartBody) -> Held {
        match crc_of(part.checksum.algorithm) {
            Some(crc) => Held::Crc(Box::new(crc_fast::Digest::new(crc)), part.checksum.clone()),
            None => Held::to_digest(&part.digest),
        }
    }

    fn update(&mut self, piece: &[u8]) {
        match self {
            Held::Digest(hash, _) => hash.update(piece),
            Held::Crc(crc, _) => crc.update(piece),
        }
    }

    fn met(self) -> bool {
        match self {
            Held::Digest(hash, wanted) => Digest::from_bytes(hash.finalize().into()) == wanted,
            Held::Crc(crc, wanted) => crc_text(wanted.algorithm, crc.finalize()) == wanted.value,
        }
    }
}

/// The stream, with an error of ours at its end where its bytes are others.
pub(crate) fn held(bytes: ByteStream, blob: &Digest, to: Held) -> ByteStream {
    let blob = blob.as_str().to_owned();
    let pieces = unfold(Some((bytes, to, blob)), |state| async move {
        let (mut bytes, mut to, blob) = state?;
        match bytes.next().await {
            Some(Ok(piece)) => {
                to.update(&piece);
                Some((Ok(piece), Some((bytes, to, blob))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            None if to.met() => None,
            None => {
                tracing::error!(blob, "a blob's bytes are not what was put");
                let error = ApiError::internal(format!("the bytes of the blob {blob} are not what was put"));
                Some((Err(error.into()), None))
            }
        }
    });
    pieces.boxed()
}
