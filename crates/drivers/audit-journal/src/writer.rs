//! The one writer thread: takes what has been collected, writes it at once, syncs once, wakes all that wait once.
//!
//! INVARIANT: a batch is answered only after its sync returned. After a failed write or sync nobody knows what the
//! kernel still holds of the file, so nothing is written to it any more: the writer cuts it where it was last good and
//! goes on in a new segment. As long as none can be made, every batch fails.

use std::io;
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use crate::disk::{Disk, Segment};
use crate::frame::MAGIC;

/// A buffer that grew beyond this is given back to the system after its batch.
const KEPT_BUFFER: usize = 4 << 20;

/// What became of a batch.
pub type BatchResult = Result<(), Arc<io::Error>>;

/// Those who wait for one sync.
#[derive(Debug, Default)]
pub struct Batch {
    /// Set once, before the wake.
    pub result: OnceLock<BatchResult>,
    /// Woken once.
    pub done: Notify,
}

/// What callers and the writer share.
#[derive(Debug, Default)]
pub struct Queue {
    /// What is collected for the next batch.
    pub collected: Mutex<Collected>,
    /// There is something collected, or no more will come.
    pub some: Condvar,
}

/// Frames, and the batch that their callers wait on.
#[derive(Debug, Default)]
pub struct Collected {
    /// Whole frames.
    pub frames: Vec<u8>,
    /// Who waits for them.
    pub batch: Arc<Batch>,
    /// No more will come.
    pub closed: bool,
}

/// The writer thread's state.
pub struct Writer {
    /// Makes segments.
    pub disk: Box<dyn Disk>,
    /// The segment that is written; none after a failure.
    pub segment: Option<Box<dyn Segment>>,
    /// Its number, or that of the last one.
    pub number: u64,
    /// Where the next frame goes.
    pub offset: u64,
    /// How long a segment gets.
    pub segment_bytes: u64,
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub fn run(mut self, queue: &Queue) {
        let mut frames = Vec::new();
        loop {
            let mut collected = queue.collected.lock();
            while collected.frames.is_empty() {
                if collected.closed {
                    return;
                }
                queue.some.wait(&mut collected);
            }
            std::mem::swap(&mut collected.frames, &mut frames);
            let batch = std::mem::take(&mut collected.batch);
            drop(collected);
            let result = self.write(&frames).map_err(Arc::new);
            if let Err(error) = &result {
                tracing::error!(%error, "the audit journal could not take a batch");
            }
            let _ = batch.result.set(result);
            batch.done.notify_waiters();
            frames.clear();
            frames.shrink_to(KEPT_BUFFER);
        }
    }

    fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        let full = self.offset > MAGIC.len() as u64 && self.offset + frames.len() as u64 > self.segment_bytes;
        if full {
            self.seal();
        }
        let (offset, segment) = (self.offset, self.segment()?);
        let offset = if segment.1 { MAGIC.len() as u64 } else { offset };
        let written = segment.0.write_at(frames, offset).and_then(|()| segment.0.sync());
        self.offset = offset;
        match written {
            Ok(()) => self.offset += frames.len() as u64,
            Err(_) => self.seal(),
        }
        written
    }

    /// The segment to write to, and whether it is new.
    fn segment(&mut self) -> io::Result<(&mut Box<dyn Segment>, bool)> {
        let new = self.segment.is_none();
        if new {
            let segment = self.disk.create(self.number + 1, self.segment_bytes);
            if segment.as_ref().err().is_none_or(|error| error.kind() == io::ErrorKind::AlreadyExists) {
                // Also when a try that failed left its file behind: the next one takes the number after it.
                self.number += 1;
            }
            self.segment = Some(segment?);
        }
        let segment = self.segment.as_mut().ok_or_else(|| io::Error::other("no segment"))?;
        Ok((segment, new))
    }

    /// Ends the segment at its last good frame and gives the space behind it back. Readers manage without the cut.
    fn seal(&mut self) {
        if let Some(mut segment) = self.segment.take()
            && let Err(error) = segment.cut(self.offset)
        {
            tracing::warn!(%error, number = self.number, "an audit segment could not be cut to its length");
        }
    }
}
