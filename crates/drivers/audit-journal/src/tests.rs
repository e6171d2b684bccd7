//! Crashes at every byte, failing disks, many callers, and reading back.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use serde_json::{Value as Json, json};
use stoa_audit::{AuditQuery, AuditRecord, ErrorInfo, Journal, Phase};
use stoa_types::Timestamp;

use crate::disk::{Disk, Folder, Segment, segment_path, segments};
use crate::{JournalReader, OpenError, Recovered, SegmentJournal, Settings};

const SMALL: Settings = Settings { segment_bytes: 8 << 10 };

fn record(request: &str, phase: Phase) -> AuditRecord {
    let fields = json!({
        "eventVersion": "1.11",
        "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::000000000001:assumed-role/StoaAdmin/me"},
        "eventTime": "2026-11-21T01:02:03Z",
        "eventSource": "sagemaker.amazonaws.com",
        "eventName": "CreateHub",
        "awsRegion": "us-west-2",
        "sourceIPAddress": "127.0.0.1",
        "requestParameters": if phase == Phase::Begin { json!({"hubName": request}) } else { Json::Null },
        "responseElements": if phase == Phase::Begin { Json::Null } else { json!({"hubArn": request}) },
        "requestID": request,
        "eventID": format!("{request}-{phase:?}"),
        "eventType": "AwsApiCall",
        "recipientAccountId": "000000000001",
        "stoaPhase": phase,
    });
    serde_json::from_value(fields).unwrap()
}

fn line(request: &str, phase: Phase) -> Vec<u8> {
    record(request, phase).encode().unwrap()
}

async fn all(journal: &SegmentJournal) -> Vec<AuditRecord> {
    journal.query(&AuditQuery::default()).await.unwrap()
}

fn ids(records: &[AuditRecord]) -> Vec<&str> {
    records.iter().map(|record| record.request_id.as_str()).collect()
}

#[tokio::test]
async fn begins_and_ends_are_one_record() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SegmentJournal::open(folder.path(), SMALL).unwrap();
    journal.append(line("a", Phase::Begin)).await.unwrap();
    journal.append(line("b", Phase::Begin)).await.unwrap();
    journal.append(line("a", Phase::Complete)).await.unwrap();
    let records = all(&journal).await;
    assert_eq!(ids(&records), ["b", "a"], "in order of their ends; what runs still is there as its beginning");
    assert_eq!(records[0], record("b", Phase::Begin));
    assert_eq!(records[1].phase, Phase::Complete);
    assert_eq!(records[1].event_id, "a-Complete");
    assert_eq!(records[1].request_parameters, json!({"hubName": "a"}), "from the beginning");
    assert_eq!(records[1].response_elements, json!({"hubArn": "a"}), "from the end");
    // An end that is written twice, as a retry does, is one call still.
    journal.append(line("a", Phase::Complete)).await.unwrap();
    assert_eq!(ids(&all(&journal).await), ["b", "a"]);
}

#[tokio::test]
async fn calls_that_never_ended_become_unknown_once() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SegmentJournal::open(folder.path(), SMALL).unwrap();
    assert_eq!(journal.recovered(), Recovered::default());
    for (request, phase) in
        [("a", Phase::Begin), ("b", Phase::Begin), ("b", Phase::Complete), ("c", Phase::Begin), ("d", Phase::Complete)]
    {
        journal.append(line(request, phase)).await.unwrap();
    }
    drop(journal);
    let journal = SegmentJournal::open(folder.path(), SMALL).unwrap();
    assert_eq!(journal.recovered(), Recovered { torn_bytes: 0, unknown: 2 });
    let records = all(&journal).await;
    let unknown = records.iter().filter(|record| record.phase == Phase::Unknown);
    assert_eq!(unknown.map(|record| record.request_id.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(records.len(), 4);
    drop(journal);
    assert_eq!(SegmentJournal::open(folder.path(), SMALL).unwrap().recovered(), Recovered::default());
}

#[tokio::test]
async fn a_begin_in_an_earlier_segment_becomes_unknown_too() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SegmentJournal::open(folder.path(), SMALL).unwrap();
    journal.append(line("early", Phase::Begin)).await.unwrap();
    for number in 0..100 {
        journal.append(line(&format!("call-{number}"), Phase::Complete)).await.unwrap();
    }
    drop(journal);
    assert!(segments(folder.path()).unwrap().len() > 5);
    let journal = SegmentJournal::open(folder.path(), SMALL).unwrap();
    assert_eq!(journal.recovered().unknown, 1);
}

/// Cuts or damages the segment in every way a crash can within its last two frames, and opens it again.
async fn crash(damage: impl Fn(&[u8], usize) -> Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let journal = SegmentJournal::open(folder.path(), SMALL).unwrap();
    let mut ends = vec![8];
    for request in ["a", "b", "c"] {
        let line = line(request, Phase::Complete);
        ends.push(ends.last().unwrap() + 8 + line.len());
        journal.append(line).await.unwrap();
    }
    drop(journal);
    let path = segment_path(folder.path(), 1);
    let whole = fs::read(&path).unwrap();
    for at in ends[1]..ends[3] {
        let damaged = damage(&whole, at);
        let survives = ends.iter().filter(|end| **end <= at).count() - 1;
        fs::write(&path, &damaged).unwrap();
        let journal = SegmentJournal::open(folder.path(), SMALL).unwrap();
        let found = all(&journal).await;
        assert_eq!(ids(&found), &["a", "b", "c"][..survives], "damaged at {at}");
        journal.append(line("next", Phase::Complete)).await.unwrap();
        drop(journal);
        let journal = SegmentJournal::open(folder.path(), SMALL).unwrap();
        assert_eq!(journal.recovered(), Recovered::default(), "repaired once, at {at}");
        assert_eq!(ids(&all(&journal).await).last(), Some(&"next"), "goes on behind the cut, at {at}");
    }
}

#[tokio::test]
async fn a_file_cut_at_any_byte_keeps_its_whole_records() {
    crash(|whole, at| whole[..at].to_vec()).await;
}

#[tokio::test]
async fn a_file_that_ends_in_zeros_from_any_byte_keeps_its_whole_records() {
    crash(|whole, at| {
        let mut bytes = whole.to_vec();
        // A byte that was zero already would leave the frame whole.
        bytes[at..].fill(0);
        bytes[at] = !whole[at];
        bytes
    })
    .await;
}

#[tokio::test]
async fn what_is_cut_is_kept_beside() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SegmentJournal::open(folder.path(), SMALL).unwrap();
    journal.append(line("a", Phase::Complete)).await.unwrap();
    journal.append(line("b", Phase::Complete)).await.unwrap();
    drop(journal);
    let path = segment_path(folder.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    let second = 8 + 8 + line("a", Phase::Complete).len();
    bytes[second + 20] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let journal = SegmentJournal::open(folder.path(), SMALL).unwrap();
    let torn = 8 + line("b", Phase::Complete).len();
    assert_eq!(journal.recovered().torn_bytes, torn as u64);
    assert_eq!(fs::read(path.with_extension("torn")).unwrap(), &bytes[second..second + torn]);
    assert_eq!(ids(&all(&journal).await), ["a"]);
}

#[tokio::test]
async fn a_segment_whose_making_was_cut_off_is_used() {
    for bytes in [&b""[..], b"STO", b"\0\0\0\0\0\0\0\0\0\0", b"STOAAUD1"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(segment_path(folder.path(), 7), bytes).unwrap();
        let journal = SegmentJournal::open(folder.path(), SMALL).unwrap();
        journal.append(line("a", Phase::Complete)).await.unwrap();
        drop(journal);
        let records = JournalReader::new(folder.path()).query(&AuditQuery::default()).unwrap();
        assert_eq!(ids(&records), ["a"], "{bytes:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_records_of_concurrent_callers_are_there_over_many_segments() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(SegmentJournal::open(folder.path(), Settings { segment_bytes: 64 << 10 }).unwrap());
    let call = async |journal: Arc<SegmentJournal>, caller: u64| {
        for number in 0..20_u64 {
            let request = format!("{caller}-{number}");
            journal.append(line(&request, Phase::Begin)).await.unwrap();
            journal.append(line(&request, Phase::Complete)).await.unwrap();
        }
    };
    let callers: Vec<_> = (0..32).map(|caller| tokio::spawn(call(Arc::clone(&journal), caller))).collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let numbers = segments(folder.path()).unwrap();
    assert!(numbers.len() > 3, "{numbers:?}");
    for sealed in &numbers[..numbers.len() - 1] {
        let length = fs::metadata(segment_path(folder.path(), *sealed)).unwrap().len();
        assert!(length <= 64 << 10, "{length}");
    }
    // Another reader, as the CLI is, while the journal is open.
    let records = JournalReader::new(folder.path()).query(&AuditQuery::default()).unwrap();
    assert_eq!(records.len(), 32 * 20);
    let unique: BTreeSet<&str> = ids(&records).into_iter().collect();
    assert_eq!(unique.len(), 32 * 20);
    let merged = |record: &AuditRecord| record.phase == Phase::Complete && !record.request_parameters.is_null();
    assert!(records.iter().all(merged), "begins are found across segments");
    drop(Arc::into_inner(journal));
    let reopened = SegmentJournal::open(folder.path(), SMALL).unwrap();
    assert_eq!(reopened.recovered(), Recovered::default());
}

#[tokio::test]
async fn queries_filter_and_limit() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SegmentJournal::open(folder.path(), SMALL).unwrap();
    for number in 0..40_i64 {
        let mut end = record(&format!("r{number:02}"), Phase::Complete);
        end.event_time = Timestamp::from_millis(1_795_222_923_000 + number * 1000).iso8601();
        end.event_name = if number % 4 == 0 { "DeleteHub" } else { "ListHubs" }.to_owned();
        end.read_only = number % 4 != 0;
        if number % 10 == 0 {
            let error_code = "AccessDeniedException".to_owned();
            end.error = Some(ErrorInfo { error_code, error_message: "no".to_owned() });
        }
        journal.append(end.encode().unwrap()).await.unwrap();
    }
    let find = async |query: AuditQuery| -> Vec<String> {
        journal.query(&query).await.unwrap().into_iter().map(|record| record.request_id).collect()
    };
    let all = AuditQuery::default;
    assert_eq!(find(AuditQuery { limit: Some(3), ..all() }).await, ["r37", "r38", "r39"]);
    let deletes = AuditQuery { event_name: Some("DeleteHub".to_owned()), limit: Some(2), ..all() };
    assert_eq!(find(deletes.clone()).await, ["r32", "r36"]);
    assert_eq!(find(AuditQuery { denied: Some(true), ..deletes }).await, ["r00", "r20"]);
    assert_eq!(find(AuditQuery { request_id: Some("r07".to_owned()), ..all() }).await, ["r07"]);
    assert_eq!(find(AuditQuery { denied: Some(true), ..all() }).await, ["r00", "r10", "r20", "r30"]);
    let times = AuditQuery {
        since: Some(Timestamp::from_millis(1_795_222_925_000)),
        until: Some(Timestamp::from_millis(1_795_222_926_999)),
        ..all()
    };
    assert_eq!(find(times).await, ["r02", "r03"]);
    assert_eq!(find(AuditQuery { account: Some("000000000002".to_owned()), ..all() }).await, [""; 0]);
    assert_eq!(find(AuditQuery { limit: Some(0), ..all() }).await, [""; 0]);
    // Text that JSON escapes is found, too.
    let mut odd = record("odd", Phase::Complete);
    odd.event_name = "Ev\"il\n".to_owned();
    journal.append(odd.encode().unwrap()).await.unwrap();
    assert_eq!(find(AuditQuery { event_name: Some("Ev\"il\n".to_owned()), ..all() }).await, ["odd"]);
}

/// A disk that fails when told to.
#[derive(Clone, Default)]
struct Faults {
    write: Arc<AtomicBool>,
    sync: Arc<AtomicBool>,
    create: Arc<AtomicBool>,
    syncs: Arc<AtomicU64>,
}

struct FaultyFolder(Folder, Faults);
struct FaultySegment(Box<dyn Segment>, Faults);

fn fault(set: &AtomicBool, kind: io::ErrorKind) -> io::Result<()> {
    if set.load(SeqCst) { Err(io::Error::from(kind)) } else { Ok(()) }
}

impl Disk for FaultyFolder {
    fn create(&mut self, number: u64, bytes: u64) -> io::Result<Box<dyn Segment>> {
        fault(&self.1.create, io::ErrorKind::StorageFull)?;
        Ok(Box::new(FaultySegment(self.0.create(number, bytes)?, self.1.clone())))
    }
}

impl Segment for FaultySegment {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.1.write.load(SeqCst) {
            // Half of it arrives, as on a full disk.
            self.0.write_at(&bytes[..bytes.len() / 2], offset)?;
        }
        fault(&self.1.write, io::ErrorKind::StorageFull)?;
        self.0.write_at(bytes, offset)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.1.syncs.fetch_add(1, SeqCst);
        fault(&self.1.sync, io::ErrorKind::Other)?;
        self.0.sync()
    }
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.cut(length)
    }
}

fn faulty(folder: &Path) -> (SegmentJournal, Faults) {
    let faults = Faults::default();
    let (disk, wrapped) = (FaultyFolder(Folder(folder.to_owned()), faults.clone()), faults.clone());
    let wrap = |file| Box::new(FaultySegment(Box::new(file), wrapped)) as Box<dyn Segment>;
    (SegmentJournal::open_on(folder, SMALL, Box::new(disk), wrap).unwrap(), faults)
}

#[tokio::test]
async fn a_failing_disk_fails_every_caller_until_it_works_again() {
    for broken in [|faults: &Faults| faults.write.clone(), |faults: &Faults| faults.sync.clone()] {
        let folder = tempfile::tempdir().unwrap();
        let (journal, faults) = faulty(folder.path());
        journal.append(line("before", Phase::Complete)).await.unwrap();
        broken(&faults).store(true, SeqCst);
        faults.create.store(true, SeqCst);
        let waiting = (0..10).map(|number| journal.append(line(&format!("lost-{number}"), Phase::Complete)));
        for result in futures_join(waiting.collect()).await {
            assert!(result.is_err(), "nobody is told that it is written");
        }
        broken(&faults).store(false, SeqCst);
        let error = journal.append(line("still lost", Phase::Complete)).await.unwrap_err();
        assert!(std::error::Error::source(&error).is_some_and(|cause| cause.to_string().contains("no storage space")));
        faults.create.store(false, SeqCst);
        journal.append(line("after", Phase::Complete)).await.unwrap();
        drop(journal);
        let (journal, _) = faulty(folder.path());
        assert_eq!(ids(&all(&journal).await), ["before", "after"], "the refused are not there");
    }
}

/// Runs appends at the same time: each is polled once before any is waited for.
async fn futures_join<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut results = Vec::new();
    let mut early: Vec<Option<T>> = Vec::new();
    for future in &mut futures {
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(match future.as_mut().poll(context) {
                std::task::Poll::Ready(value) => Some(value),
                std::task::Poll::Pending => None,
            })
        });
        early.push(polled.await);
    }
    for (future, early) in futures.into_iter().zip(early) {
        results.push(match early {
            Some(value) => value,
            None => future.await,
        });
    }
    results
}

#[tokio::test]
async fn callers_that_wait_share_a_sync() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, faults) = faulty(folder.path());
    let waiting = (0..1000).map(|number| journal.append(line(&number.to_string(), Phase::Complete)));
    for result in futures_join(waiting.collect()).await {
        result.unwrap();
    }
    let syncs = faults.syncs.load(SeqCst);
    assert!(syncs < 200, "{syncs} syncs for 1000 records");
    assert_eq!(all(&journal).await.len(), 1000);
}

#[tokio::test]
async fn a_record_without_bytes_or_beyond_all_bounds_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SegmentJournal::open(folder.path(), SMALL).unwrap();
    assert!(journal.append(Vec::new()).await.is_err());
    assert!(journal.append(vec![b'x'; (16 << 20) + 1]).await.is_err());
    // One that is larger than a segment has a segment of its own.
    let mut large = record("large", Phase::Complete);
    large.response_elements = json!("x".repeat(20_000));
    journal.append(line("a", Phase::Complete)).await.unwrap();
    journal.append(large.encode().unwrap()).await.unwrap();
    journal.append(line("b", Phase::Complete)).await.unwrap();
    assert_eq!(ids(&all(&journal).await), ["a", "large", "b"]);
    assert_eq!(segments(folder.path()).unwrap(), [1, 2, 3]);
}

#[tokio::test]
async fn a_second_writer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SegmentJournal::open(&folder.path().join("audit"), SMALL).unwrap();
    let error = SegmentJournal::open(&folder.path().join("audit"), SMALL).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }) && error.to_string().contains("audit"));
    drop(journal);
    drop(SegmentJournal::open(&folder.path().join("audit"), SMALL).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a check: run with --nocapture"]
async fn how_fast_appending_is() {
    for callers in [1_u64, 32, 128] {
        let folder = tempfile::tempdir_in(".").unwrap();
        let journal = Arc::new(SegmentJournal::open(folder.path(), Settings::default()).unwrap());
        let count = 40_000 / callers.max(20);
        let start = std::time::Instant::now();
        let call = async |journal: Arc<SegmentJournal>, count: u64| {
            for _ in 0..count {
                journal.append(vec![b'x'; 1024]).await.unwrap();
            }
        };
        let tasks: Vec<_> = (0..callers).map(|_| tokio::spawn(call(Arc::clone(&journal), count))).collect();
        for task in tasks {
            task.await.unwrap();
        }
        let rate = (count * callers) as f64 / start.elapsed().as_secs_f64();
        println!("{callers} callers: {rate:.0} records a second");
    }
}

async fn scanned(journal: &SegmentJournal, query: &AuditQuery, most: usize) -> Vec<AuditRecord> {
    let found = Arc::new(std::sync::Mutex::new(Vec::new()));
    let into = Arc::clone(&found);
    let visit = move |record: AuditRecord| {
        let mut found = into.lock().unwrap();
        found.push(record);
        if found.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    journal.scan(query, Box::new(visit)).await.unwrap();
    Arc::try_unwrap(found).unwrap().into_inner().unwrap()
}

#[tokio::test]
async fn an_owners_record_does_not_get_back_from_the_beginning_what_it_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SegmentJournal::open(folder.path(), SMALL).unwrap();
    let owner = "111122223333";
    let mut end = record("a", Phase::Complete);
    end.additional_event_data = json!({ "stoaDecision": {
        "targets": [{ "resource": "arn:aws:sagemaker:us-west-2:000000000001:model/m" }, { "resource": "x", "owner": owner }],
        "owners": [owner],
    }});
    journal.append(line("a", Phase::Begin)).await.unwrap();
    journal.append(end.encode().unwrap()).await.unwrap();
    for (account, parameters) in [("000000000001", json!({ "hubName": "a" })), (owner, Json::Null)] {
        let query = AuditQuery { account: Some(account.to_owned()), ..AuditQuery::default() };
        let found = journal.query(&query).await.unwrap();
        assert_eq!(found, scanned(&journal, &query, 10).await);
        assert_eq!((found.len(), &found[0].request_parameters), (1, &parameters), "{account}");
        assert_eq!(found[0].recipient_account_id, account);
    }
}

#[tokio::test]
async fn a_scan_finds_what_a_query_finds() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SegmentJournal::open(folder.path(), SMALL).unwrap();
    let begin = Timestamp::parse_iso8601("2026-11-21T00:00:00Z").unwrap();
    for hour in 0..60 {
        let at = begin.plus_millis(hour * 3_600_000).iso8601();
        for phase in [Phase::Begin, Phase::Complete, Phase::Complete] {
            let mut record = record(&format!("r{hour}"), phase);
            record.event_time.clone_from(&at);
            journal.append(record.encode().unwrap()).await.unwrap();
        }
    }
    let mut running = record("running", Phase::Begin);
    running.event_time = begin.plus_millis(60 * 3_600_000).iso8601();
    journal.append(running.encode().unwrap()).await.unwrap();
    assert!(segments(folder.path()).unwrap().len() > 5);
    let queries = [
        AuditQuery::default(),
        AuditQuery { since: Some(begin.plus_millis(30 * 3_600_000)), ..AuditQuery::default() },
        AuditQuery { until: Some(begin.plus_millis(30 * 3_600_000)), ..AuditQuery::default() },
        AuditQuery { since: Some(begin.plus_millis(200 * 3_600_000)), ..AuditQuery::default() },
        AuditQuery { request_id: Some("r7".to_owned()), ..AuditQuery::default() },
        AuditQuery { request_id: Some("none".to_owned()), ..AuditQuery::default() },
    ];
    for query in queries {
        let mut queried = journal.query(&query).await.unwrap();
        let mut found = scanned(&journal, &query, usize::MAX).await;
        queried.sort_by(|left, right| left.request_id.cmp(&right.request_id));
        found.sort_by(|left, right| left.request_id.cmp(&right.request_id));
        assert_eq!(found, queried, "{query:?}");
    }
    let first = scanned(&journal, &AuditQuery::default(), 3).await;
    assert_eq!(ids(&first), ["r0", "r1", "r2"], "oldest first, and no more than asked for");
    assert_eq!(first[0].request_parameters, json!({"hubName": "r0"}), "merged");
}

/// Not a test of truth but a measurement: `cargo test -p stoa-audit-journal --release -- --ignored measure --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn measure_search_in_100_000_records() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(SegmentJournal::open(folder.path(), Settings::default()).unwrap());
    let padding = "x".repeat(700);
    for batch in 0..100 {
        let mut waiting = Vec::new();
        for number in 0..1000 {
            let mut record = record(&format!("request-{:06}", batch * 1000 + number), Phase::Complete);
            record.read_only = true;
            record.additional_event_data = json!({"stoaDecision": {"global": {"aws:useragent": padding}}});
            let (journal, line) = (Arc::clone(&journal), record.encode().unwrap());
            waiting.push(tokio::spawn(async move { journal.append(line).await.unwrap() }));
        }
        for one in waiting {
            one.await.unwrap();
        }
    }
    let files = segments(folder.path()).unwrap().len();
    for id in ["request-099999", "request-050000", "request-000000", "request-unknown"] {
        let query = AuditQuery { request_id: Some(id.to_owned()), limit: Some(1), ..AuditQuery::default() };
        let began = std::time::Instant::now();
        let found = journal.query(&query).await.unwrap().len();
        println!("{id}: {found} found in {:?} ({files} segments)", began.elapsed());
    }
    let began = std::time::Instant::now();
    let found = scanned(&journal, &AuditQuery::default(), usize::MAX).await.len();
    println!("scan: {found} records in {:?}", began.elapsed());
}
