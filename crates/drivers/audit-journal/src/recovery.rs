//! What is done on open: cut the torn tail of the last segment, mark begins that never ended as unknown.
//!
//! Every step may be interrupted and repeated: the torn bytes are kept in a file of their own before they are cut, and
//! a begin stays open until its unknown record is durable.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use memchr::memmem;
use serde::Deserialize;
use stoa_audit::{AuditRecord, Phase};

use crate::OpenError;
use crate::disk::{allocate, private_file, segment_path, segments, sync_folder};
use crate::frame::{self, Frames, MAGIC};

/// A call takes less than this: begins in segments that were done with earlier than this before the last one have ended.
const LONGEST_CALL: Duration = Duration::from_secs(15 * 60);
const BEGIN: &[u8] = b"\"stoaPhase\":\"begin\"";

/// What opening found to repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Bytes that were cut: records whose callers were never answered.
    pub torn_bytes: u64,
    /// Calls that began and never ended.
    pub unknown: usize,
}

/// Where writing goes on.
pub struct Tail {
    /// The last segment; none when there is none yet.
    pub segment: Option<File>,
    /// Its number.
    pub number: u64,
    /// Where the next frame goes.
    pub offset: u64,
    /// What was repaired.
    pub recovered: Recovered,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "requestID")]
    request_id: String,
    #[serde(default, rename = "stoaPhase")]
    phase: Phase,
}

/// Repairs the folder and says where writing goes on.
pub fn recover(folder: &Path, segment_bytes: u64) -> Result<Tail, OpenError> {
    let numbers = segments(folder).map_err(OpenError::file(folder))?;
    let Some(&number) = numbers.last() else {
        return Ok(Tail { segment: None, number: 0, offset: MAGIC.len() as u64, recovered: Recovered::default() });
    };
    let mut open = BTreeMap::new();
    let mut end = (MAGIC.len() as u64, false);
    for number in recent(folder, &numbers) {
        let path = segment_path(folder, number);
        end = scan(&path, &mut open).map_err(OpenError::file(&path))?;
    }
    let path = segment_path(folder, number);
    let mut tail = last(folder, number, end, segment_bytes).map_err(OpenError::file(&path))?;
    mark_unknown(&mut tail, open).map_err(OpenError::file(&path))?;
    Ok(tail)
}

/// The segments that may hold the beginning of a call that never ended: the last two, and those written not long before.
fn recent(folder: &Path, numbers: &[u64]) -> Vec<u64> {
    let modified = |number: u64| segment_path(folder, number).metadata().and_then(|file| file.modified()).ok();
    let newest = numbers.last().and_then(|number| modified(*number)).unwrap_or(SystemTime::UNIX_EPOCH);
    let since = newest.checked_sub(LONGEST_CALL).unwrap_or(SystemTime::UNIX_EPOCH);
    let recent = |number: u64| modified(number).is_none_or(|time| time >= since);
    let count = numbers.iter().rev().enumerate().take_while(|(index, number)| *index < 2 || recent(**number)).count();
    numbers.iter().skip(numbers.len() - count).copied().collect()
}

/// Follows begins and ends through a segment. Says where its last whole frame ends, and whether the rest is torn.
fn scan(path: &Path, open: &mut BTreeMap<String, Vec<u8>>) -> io::Result<(u64, bool)> {
    let mut frames = Frames::new(BufReader::with_capacity(1 << 18, File::open(path)?))?;
    while let Some(line) = frames.next_record()? {
        let begins = memmem::find(line, BEGIN).is_some();
        if !begins && open.is_empty() {
            continue;
        }
        let Ok(head) = serde_json::from_slice::<Head>(line) else { continue };
        match head.phase {
            Phase::Begin => drop(open.insert(head.request_id, line.to_vec())),
            Phase::Complete | Phase::Unknown => drop(open.remove(&head.request_id)),
        }
    }
    Ok((frames.end, frames.torn))
}

/// Opens the last segment for writing behind its last whole frame.
fn last(folder: &Path, number: u64, (end, torn): (u64, bool), segment_bytes: u64) -> io::Result<Tail> {
    let path = segment_path(folder, number);
    let mut file = private_file(&path, false)?;
    let mut torn_bytes = 0;
    if torn {
        torn_bytes = keep_torn(&mut file, end, &path.with_extension("torn"))?;
        sync_folder(folder)?;
        file.set_len(end)?;
        tracing::warn!(segment = number, torn_bytes, "the torn end of the audit journal was cut");
    }
    if end == 0 {
        // A crash while the segment was made.
        file.write_all_at(MAGIC, 0)?;
    }
    allocate(&file, segment_bytes)?;
    file.sync_all()?;
    let offset = end.max(MAGIC.len() as u64);
    Ok(Tail { segment: Some(file), number, offset, recovered: Recovered { torn_bytes, unknown: 0 } })
}

/// Keeps what is cut, without the zeros behind it: where damage is not the work of a crash, it is evidence.
fn keep_torn(file: &mut File, from: u64, into: &Path) -> io::Result<u64> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.read_to_end(&mut bytes)?;
    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
    let kept = private_file(into, false)?;
    kept.set_len(0)?;
    kept.write_all_at(&bytes, 0)?;
    kept.sync_all()?;
    Ok(bytes.len() as u64)
}

/// Appends an unknown record for every begin that never ended.
fn mark_unknown(tail: &mut Tail, open: BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    let mut frames = Vec::new();
    for begin in open.into_values() {
        // What is no record of ours cannot be marked; it stays as it is.
        let Ok(record) = AuditRecord::decode(&begin) else { continue };
        let line = record.into_unknown().encode()?;
        frame::push(&mut frames, &line, frame::crc(&line));
        tail.recovered.unknown += 1;
    }
    if let Some(file) = tail.segment.as_ref().filter(|_| !frames.is_empty()) {
        file.write_all_at(&frames, tail.offset)?;
        file.sync_data()?;
        tail.offset += frames.len() as u64;
    }
    Ok(())
}
