//! Reads the journal back, newest segment first. Takes no lock: the CLI reads while the server writes.
//!
//! A reader may meet a batch that is being written: it stops at the first frame that is not whole, as recovery does.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use memchr::memmem;
use serde::Deserialize;
use stoa_audit::{AuditError, AuditQuery, AuditRecord, Phase, Visit};
use stoa_types::Timestamp;

use crate::disk::{segment_path, segments};
use crate::frame::Frames;
use crate::scan::scan;

/// A call takes less than so many seconds.
pub(crate) const LONGEST_CALL: i64 = 15 * 60;

/// Reads a journal's folder.
#[derive(Debug, Clone)]
pub struct JournalReader {
    folder: PathBuf,
}

/// What was found, newest first.
#[derive(Default)]
struct Found {
    records: Vec<AuditRecord>,
    /// Where the end of a call stands in `records`; none when the filters refused it.
    ended: HashMap<String, Option<usize>>,
    /// Ends that lack what their beginning recorded, and for which it has not been seen.
    incomplete: usize,
}

impl JournalReader {
    /// A reader of this folder.
    pub fn new(folder: &Path) -> JournalReader {
        JournalReader { folder: folder.to_owned() }
    }

    /// The records that match, in order of time; with a limit, the newest so many. Begins and ends are merged; a call
    /// that is still running appears as its beginning. Blocks.
    pub fn query(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, AuditError> {
        self.find(query).map_err(|error| AuditError(Box::new(error)))
    }

    /// Passes the records that match to `visit`, oldest first, until it breaks off. Blocks.
    pub fn scan(&self, query: &AuditQuery, visit: Visit) -> Result<(), AuditError> {
        scan(&self.folder, query, visit).map_err(|error| AuditError(Box::new(error)))
    }

    fn find(&self, query: &AuditQuery) -> io::Result<Vec<AuditRecord>> {
        let mut found = Found::default();
        for number in segments_since(&self.folder, query)?.into_iter().rev() {
            let enough = query.limit.is_some_and(|limit| found.records.len() >= limit);
            if enough && found.incomplete == 0 {
                break;
            }
            let lines = match lines(&segment_path(&self.folder, number), query) {
                // Removed since the folder was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                lines => lines?,
            };
            for record in lines.into_iter().rev() {
                found.take(record, query);
            }
            if enough {
                // Calls are short: what has not been found in one more segment is not there.
                break;
            }
        }
        let mut records = found.records;
        records.truncate(query.limit.unwrap_or(usize::MAX));
        records.reverse();
        records.sort_by(|left, right| left.event_time.cmp(&right.event_time));
        // Beginnings and ends are one by now: what is left out of a record does not come back from its other half.
        Ok(records.into_iter().map(|record| query.shown(record)).collect())
    }
}

/// The records of a segment, oldest first, but those that surely do not match.
fn lines(path: &Path, query: &AuditQuery) -> io::Result<Vec<AuditRecord>> {
    let needles = needles(query);
    let mut frames = Frames::new(BufReader::with_capacity(1 << 18, File::open(path)?))?;
    let mut records = Vec::new();
    while let Some(line) = frames.next_record()? {
        if needles.iter().any(|needle| memmem::find(line, needle).is_none()) {
            continue;
        }
        match AuditRecord::decode(line) {
            Ok(record) => records.push(record),
            Err(error) => tracing::warn!(%error, file = %path.display(), "a line of the audit journal is no record"),
        }
    }
    if frames.torn {
        tracing::debug!(file = %path.display(), at = frames.end, "an audit segment ends in a frame that is not whole");
    }
    Ok(records)
}

/// Texts that a line must contain, whatever else: found without reading it as JSON.
pub(crate) fn needles(query: &AuditQuery) -> Vec<Vec<u8>> {
    let wanted = |text: &Option<String>| text.clone().filter(|text| text.bytes().all(plain)).map(String::into_bytes);
    [&query.request_id, &query.event_name, &query.event_source].into_iter().filter_map(wanted).collect()
}

/// The segments that may hold something from the first moment on that is asked for, oldest first. Nothing was written
/// into a segment after the first record of the next one, whose call began shortly before.
pub(crate) fn segments_since(folder: &Path, query: &AuditQuery) -> io::Result<Vec<u64>> {
    let mut numbers = segments(folder)?;
    let Some(since) = query.since else { return Ok(numbers) };
    let older =
        |number: &u64| begins_at(folder, *number).is_some_and(|time| time.seconds() + LONGEST_CALL < since.seconds());
    let first = numbers.iter().rposition(older).unwrap_or(0);
    Ok(numbers.split_off(first))
}

/// When the first call of a segment began.
fn begins_at(folder: &Path, number: u64) -> Option<Timestamp> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Moment {
        event_time: String,
    }
    let file = File::open(segment_path(folder, number)).ok()?;
    let mut frames = Frames::new(BufReader::new(file)).ok()?;
    let moment: Moment = serde_json::from_slice(frames.next_record().ok()??).ok()?;
    Timestamp::parse_iso8601(&moment.event_time).ok()
}

/// Characters that JSON writes as they are.
fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte)
}

impl Found {
    /// Takes the next older record.
    fn take(&mut self, record: AuditRecord, query: &AuditQuery) {
        if record.phase != Phase::Begin {
            let matches = query.matches(&record);
            if !record.read_only {
                if self.ended.contains_key(&record.request_id) {
                    // An end that was written again because nobody knew of the first: the newer one counts.
                    return;
                }
                let lacking = matches && record.request_parameters.is_null();
                self.incomplete += usize::from(lacking);
                self.ended.insert(record.request_id.clone(), matches.then_some(self.records.len()));
            }
            if matches {
                self.records.push(record);
            }
            return;
        }
        match self.ended.remove(&record.request_id) {
            None => {
                if query.matches(&record) {
                    self.records.push(record);
                }
            }
            Some(None) => {}
            Some(Some(index)) => self.complete(index, record),
        }
    }

    fn complete(&mut self, index: usize, begin: AuditRecord) {
        if let Some(end) = self.records.get_mut(index) {
            self.incomplete -= usize::from(end.request_parameters.is_null());
            *end = AuditRecord::merge(begin, end.clone());
        }
    }
}
