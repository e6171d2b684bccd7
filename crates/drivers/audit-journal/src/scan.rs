//! Reading a journal from its oldest record on, one record at a time.
//!
//! INVARIANT: at most the beginnings of calls that have not ended yet are held (a begin whose end was lost is ended by
//! recovery), and the ids of the last few mutations that ended, since an end may have been written twice.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs::File;
use std::io::{self, BufReader};
use std::ops::ControlFlow;
use std::path::Path;

use memchr::memmem;
use stoa_audit::{AuditQuery, AuditRecord, Phase, Visit};

use crate::disk::segment_path;
use crate::frame::Frames;
use crate::reader::{LONGEST_CALL, needles, segments_since};

/// Ends that may be written again are retried within seconds.
const REMEMBERED_ENDS: usize = 4096;

/// What is between the beginning of a call and its end.
#[derive(Default)]
struct Open {
    begun: BTreeMap<String, AuditRecord>,
    ended: HashSet<String>,
    /// The same, oldest first.
    order: VecDeque<String>,
}

/// Passes the records that match to `visit`, oldest first.
pub(crate) fn scan(folder: &Path, query: &AuditQuery, mut visit: Visit) -> io::Result<()> {
    let needles = needles(query);
    let mut open = Open::default();
    for number in segments_since(folder, query)? {
        let file = match File::open(segment_path(folder, number)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        let mut frames = Frames::new(BufReader::with_capacity(1 << 18, file))?;
        while let Some(line) = frames.next_record()? {
            if needles.iter().any(|needle| memmem::find(line, needle).is_none()) {
                continue;
            }
            let Ok(record) = AuditRecord::decode(line) else { continue };
            if past(query, &record) {
                return Ok(());
            }
            let Some(whole) = open.take(record) else { continue };
            if query.matches(&whole) && visit(query.shown(whole)).is_break() {
                return Ok(());
            }
        }
    }
    // Calls that are still running.
    for record in open.begun.into_values().filter(|record| query.matches(record)) {
        if let ControlFlow::Break(()) = visit(query.shown(record)) {
            break;
        }
    }
    Ok(())
}

/// Whether the record is so much later than the end of the range that none behind it can be in it.
fn past(query: &AuditQuery, record: &AuditRecord) -> bool {
    let Some(until) = query.until else { return false };
    let time = stoa_types::Timestamp::parse_iso8601(&record.event_time);
    time.is_ok_and(|time| time.seconds() > until.seconds() + LONGEST_CALL)
}

impl Open {
    /// Takes the next record; gives back the whole call once it has ended.
    fn take(&mut self, record: AuditRecord) -> Option<AuditRecord> {
        if record.phase == Phase::Begin {
            self.begun.insert(record.request_id.clone(), record);
            return None;
        }
        if record.read_only && !self.begun.contains_key(&record.request_id) {
            return Some(record);
        }
        if !self.ended.insert(record.request_id.clone()) {
            return None;
        }
        self.order.push_back(record.request_id.clone());
        if self.order.len() > REMEMBERED_ENDS
            && let Some(oldest) = self.order.pop_front()
        {
            self.ended.remove(&oldest);
        }
        Some(match self.begun.remove(&record.request_id) {
            Some(begin) => AuditRecord::merge(begin, record),
            None => record,
        })
    }
}
