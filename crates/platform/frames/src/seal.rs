//! Sealing, frame by frame. A full frame is held back until it is known whether more bytes follow.

use bytes::Bytes;
use futures_util::stream::{StreamExt, unfold};

use crate::key::{FrameKey, header};
use crate::layout::{FRAME, SALT, TAG};
use crate::{ByteStream, DataKey, FrameError};

/// Turns bytes into frames.
pub struct Sealer {
    key: FrameKey,
    number: u64,
    frame: Vec<u8>,
}

fn room() -> Vec<u8> {
    Vec::with_capacity(FRAME + TAG)
}

impl Sealer {
    /// A sealer for one blob. The salt must be fresh from a good source of randomness.
    pub fn new(key: &DataKey, salt: [u8; SALT]) -> Result<Sealer, FrameError> {
        Ok(Sealer { key: FrameKey::new(key, &header(&salt))?, number: 0, frame: room() })
    }

    /// What stands before the frames.
    pub fn header(&self) -> Bytes {
        Bytes::copy_from_slice(self.key.header())
    }

    /// Takes bytes; gives the frames that are sure not to be the last.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<Vec<Bytes>, FrameError> {
        let mut sealed = Vec::new();
        while !piece.is_empty() {
            if self.frame.len() == FRAME {
                sealed.push(self.take(false)?);
            }
            let (now, later) = piece.split_at(piece.len().min(FRAME - self.frame.len()));
            self.frame.extend_from_slice(now);
            piece = later;
        }
        Ok(sealed)
    }

    /// The last frame.
    pub fn finish(mut self) -> Result<Bytes, FrameError> {
        self.take(true)
    }

    fn take(&mut self, last: bool) -> Result<Bytes, FrameError> {
        let mut frame = std::mem::replace(&mut self.frame, if last { Vec::new() } else { room() });
        self.key.seal(self.number, last, &mut frame)?;
        self.number += 1;
        Ok(frame.into())
    }
}

/// A stream sealed. An error of the stream goes through as it is, and there is no last frame then.
pub fn seal(plain: ByteStream, sealer: Sealer) -> ByteStream {
    let head = vec![sealer.header()];
    let frames = unfold(Some((plain, sealer)), |state| async move {
        let (mut plain, mut sealer) = state?;
        loop {
            match plain.next().await {
                None => return Some((sealer.finish().map(|last| vec![last]).map_err(Into::into), None)),
                Some(Err(error)) => return Some((Err(error), None)),
                Some(Ok(piece)) => match sealer.push(&piece) {
                    Err(error) => return Some((Err(error.into()), None)),
                    Ok(frames) if frames.is_empty() => {}
                    Ok(frames) => return Some((Ok(frames), Some((plain, sealer)))),
                },
            }
        }
    });
    flat(futures_util::stream::iter([Ok(head)]).chain(frames))
}

/// Lists of pieces as pieces. The end may be asked for more than once.
pub(crate) fn flat(
    lists: impl futures_util::Stream<Item = Result<Vec<Bytes>, Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
) -> ByteStream {
    let pieces = lists.flat_map(|list| match list {
        Ok(pieces) => futures_util::stream::iter(pieces.into_iter().map(Ok).collect::<Vec<_>>()),
        Err(error) => futures_util::stream::iter(vec![Err(error)]),
    });
    pieces.fuse().boxed()
}
