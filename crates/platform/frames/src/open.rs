//! Opening a range: only the frames it touches are read, and each is given out after its tag was checked.
//!
//! The size of the object comes from whoever keeps it, not from the sealed bytes: which frame must be the last is known
//! before anything is read.

use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::{StreamExt, unfold};

use crate::key::FrameKey;
use crate::layout::{FRAME, TAG, frame_offset, frames, plain_length};
use crate::seal::flat;
use crate::{ByteStream, DataKey, FrameError};

/// Turns frames into the bytes of a range.
pub struct Opener {
    key: FrameKey,
    size: u64,
    /// The wanted bytes, of the object.
    range: Range<u64>,
    /// The frame that comes next, and the one after the last that is needed.
    next: u64,
    end: u64,
    frame: Vec<u8>,
}

impl Opener {
    /// For `length` bytes from `start` of an object of `size`, as far as it has them. `header` are the first bytes of
    /// the blob.
    pub fn new(key: &DataKey, header: &[u8], size: u64, start: u64, length: u64) -> Result<Opener, FrameError> {
        let start = start.min(size);
        let range = start..start.saturating_add(length).min(size);
        // Of an empty range one frame is opened all the same: damage is told where it can be.
        let next = (start / FRAME as u64).min(frames(size) - 1);
        let end = frames(range.end).max(next + 1);
        Ok(Opener { key: FrameKey::new(key, header)?, size, range, next, end, frame: Vec::new() })
    }

    /// Which of the blob's bytes are to be pushed: where they begin, and how many.
    pub fn needs(&self) -> (u64, u64) {
        let begin = frame_offset(self.next);
        let last = self.end - 1;
        let end = frame_offset(last) + (plain_length(self.size, last) + TAG) as u64;
        (begin, end - begin)
    }

    /// Takes sealed bytes; gives what of the range they held.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<Vec<Bytes>, FrameError> {
        let mut opened = Vec::new();
        while !piece.is_empty() && self.next < self.end {
            let whole = plain_length(self.size, self.next) + TAG;
            if self.frame.capacity() < whole {
                self.frame.reserve_exact(whole - self.frame.len());
            }
            let (now, later) = piece.split_at(piece.len().min(whole - self.frame.len()));
            self.frame.extend_from_slice(now);
            piece = later;
            if self.frame.len() == whole {
                opened.extend(self.take()?);
            }
        }
        Ok(opened)
    }

    /// Fails where frames are missing.
    pub fn finish(self) -> Result<(), FrameError> {
        if self.next == self.end { Ok(()) } else { Err(FrameError::CutOff(self.next)) }
    }

    /// Opens the frame at hand; gives what of it is wanted.
    fn take(&mut self) -> Result<Option<Bytes>, FrameError> {
        let mut frame = std::mem::take(&mut self.frame);
        let number = self.next;
        self.key.open(number, number + 1 == frames(self.size), &mut frame)?;
        self.next += 1;
        let begin = number * FRAME as u64;
        let within = |place: u64| usize::try_from(place.saturating_sub(begin)).unwrap_or(FRAME).min(frame.len());
        let (from, to) = (within(self.range.start), within(self.range.end));
        Ok((from < to).then(|| Bytes::from(frame).slice(from..to)))
    }
}

/// The bytes of a range from the sealed bytes that [`Opener::needs`] names.
pub fn open(sealed: ByteStream, opener: Opener) -> ByteStream {
    let lists = unfold(Some((sealed, opener)), |state| async move {
        let (mut sealed, mut opener) = state?;
        loop {
            match sealed.next().await {
                None => return opener.finish().err().map(|error| (Err(error.into()), None)),
                Some(Err(error)) => return Some((Err(error), None)),
                Some(Ok(piece)) => match opener.push(&piece) {
                    Err(error) => return Some((Err(error.into()), None)),
                    Ok(opened) if opened.is_empty() => {}
                    Ok(opened) => return Some((Ok(opened), Some((sealed, opener)))),
                },
            }
        }
    });
    flat(lists)
}
