//! The journal: opening, collecting records from callers, waiting for their batch.

use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use stoa_audit::{AuditError, AuditQuery, AuditRecord, Journal, Visit};

use crate::disk::{self, Disk, Folder, Segment};
use crate::frame;
use crate::recovery::{self, Recovered};
use crate::writer::{BatchResult, Queue, Writer};
use crate::{JournalReader, OpenError};

/// What can be set.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Bytes that are taken for a segment in advance.
    pub segment_bytes: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { segment_bytes: 64 << 20 }
    }
}

/// A journal in a folder of segment files. Dropping it writes what is collected and gives the folder up.
#[derive(Debug)]
pub struct SegmentJournal {
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
    reader: JournalReader,
    recovered: Recovered,
    _lock: std::fs::File,
}

impl SegmentJournal {
    /// Opens the folder, making it where it does not exist; repairs what a crash left; takes it for this process.
    pub fn open(folder: &Path, settings: Settings) -> Result<SegmentJournal, OpenError> {
        SegmentJournal::open_on(folder, settings, Box::new(Folder(folder.to_owned())), |file| Box::new(file))
    }

    /// Opens on a disk of the caller's: for tests that make it fail.
    pub(crate) fn open_on(
        folder: &Path,
        settings: Settings,
        disk: Box<dyn Disk>,
        wrap: impl FnOnce(std::fs::File) -> Box<dyn Segment>,
    ) -> Result<SegmentJournal, OpenError> {
        std::fs::create_dir_all(folder).map_err(OpenError::file(folder))?;
        let lock_path = folder.join("journal.lock");
        let lock = disk::private_file(&lock_path, false).map_err(OpenError::file(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path: folder.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(OpenError::File { path: lock_path, source }),
        }
        let tail = recovery::recover(folder, settings.segment_bytes)?;
        let writer = Writer {
            disk,
            segment: tail.segment.map(wrap),
            number: tail.number,
            offset: tail.offset,
            segment_bytes: settings.segment_bytes,
        };
        let queue = Arc::new(Queue::default());
        let shared = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("audit-writer".to_owned());
        let thread = thread.spawn(move || writer.run(&shared)).map_err(OpenError::Thread)?;
        let reader = JournalReader::new(folder);
        Ok(SegmentJournal { queue, writer: Some(thread), reader, recovered: tail.recovered, _lock: lock })
    }

    /// What opening found to repair.
    pub fn recovered(&self) -> Recovered {
        self.recovered
    }

    /// Collects a record and waits for its batch.
    ///
    /// # Cancellation
    /// Dropping the future does not take the record back: it is written, and nobody waits for it.
    async fn collect(&self, line: Vec<u8>) -> BatchResult {
        if line.is_empty() || line.len() > frame::LARGEST {
            return Err(Arc::new(io::Error::new(io::ErrorKind::InvalidInput, "the record is empty or too large")));
        }
        let crc = frame::crc(&line);
        let batch = {
            let mut collected = self.queue.collected.lock();
            let first = collected.frames.is_empty();
            frame::push(&mut collected.frames, &line, crc);
            if first {
                self.queue.some.notify_one();
            }
            Arc::clone(&collected.batch)
        };
        // Made before the look at the result: a wake between the two is not lost.
        let done = batch.done.notified();
        if let Some(result) = batch.result.get() {
            return result.clone();
        }
        done.await;
        let gone = || Err(Arc::new(io::Error::other("the journal's writer has stopped")));
        batch.result.get().cloned().unwrap_or_else(gone)
    }
}

#[async_trait]
impl Journal for SegmentJournal {
    async fn append(&self, line: Vec<u8>) -> Result<(), AuditError> {
        self.collect(line).await.map_err(|error| AuditError(Box::new(error)))
    }

    async fn query(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, AuditError> {
        let (reader, query) = (self.reader.clone(), query.clone());
        let read = tokio::task::spawn_blocking(move || reader.query(&query)).await;
        read.map_err(|error| AuditError(Box::new(error)))?
    }

    async fn scan(&self, query: &AuditQuery, visit: Visit) -> Result<(), AuditError> {
        let (reader, query) = (self.reader.clone(), query.clone());
        let read = tokio::task::spawn_blocking(move || reader.scan(&query, visit)).await;
        read.map_err(|error| AuditError(Box::new(error)))?
    }
}

impl Drop for SegmentJournal {
    fn drop(&mut self) {
        self.queue.collected.lock().closed = true;
        self.queue.some.notify_one();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}
