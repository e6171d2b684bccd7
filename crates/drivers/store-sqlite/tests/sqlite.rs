//! The suite on SQLite, and what a file must survive: reopening, concurrency, a killed process, damage.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stoa_store::{Document, IdempotencyRecord, Key, Lease, MemoryStore, OutboxEvent, Query, Store, Transaction, suite};
use stoa_store_sqlite::{OpenError, Settings, SqliteStore};
use stoa_types::{AccountId, Clock, FixedClock};

const SMALL: Settings = Settings { cache_bytes: 1 << 16 };

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Arc::new(FixedClock::at(suite::START)), Settings::default()).unwrap()
}

fn document(id: &str) -> Document {
    let key = Key { kind: "test:thing", account: AccountId::from_number(1), region: None, id: id.to_owned() };
    Document::new(key, id, suite::START, &id).unwrap()
}

#[tokio::test]
async fn sqlite_passes_the_suite() {
    let folder = tempfile::tempdir().unwrap();
    let number = AtomicU64::new(0);
    // With and without room in the cache: the answers come from it, or from the database.
    for settings in [Settings::default(), Settings { cache_bytes: 0 }] {
        let make = |clock: Arc<FixedClock>| {
            let name = format!("{}.db", number.fetch_add(1, Ordering::SeqCst));
            SqliteStore::open(&folder.path().join(name), clock, settings).unwrap()
        };
        suite::run_all(make).await.unwrap();
    }
}

#[tokio::test]
async fn sqlite_behaves_as_the_twin() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..6 {
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::at(suite::START));
        let twin = MemoryStore::new(Arc::clone(&clock));
        let settings = if seed % 2 == 0 { SMALL } else { Settings::default() };
        let store = SqliteStore::open(&folder.path().join(format!("{seed}.db")), clock, settings).unwrap();
        suite::same_behaviour(&twin, &store, seed, 120).await.unwrap();
    }
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stoa.db");
    let event = OutboxEvent { topic: "t".into(), subject: "s".into(), at: suite::START, body: "{}".into() };
    let record = IdempotencyRecord {
        scope: "s".into(),
        token: "t".into(),
        request_hash: "h".into(),
        result: "{}".into(),
        expires_at: suite::START.plus_millis(1),
    };
    let (now, until) = (suite::START, suite::START.plus_millis(9));
    let lease = Lease { name: "l".into(), holder: "a".into(), now, until };
    let tags = vec![("k".to_owned(), "v".to_owned())];
    let store = open(&path);
    let transaction = Transaction::new().create(document("a")).set_tags("arn", tags.clone()).emit(event.clone());
    store.commit(transaction.remember(record.clone())).await.unwrap();
    assert!(store.lease(&lease).await.unwrap());
    store.outbox_done(1).await.unwrap();
    drop(store);

    let store = open(&path);
    let key = document("a").key;
    assert_eq!(*store.get(&key).await.unwrap().unwrap(), Document { generation: 1, ..document("a") });
    assert_eq!(*store.tags("arn").await.unwrap(), tags);
    assert_eq!(store.idempotency("s", "t").await.unwrap(), Some(record));
    assert!(!store.lease(&Lease { holder: "b".into(), ..lease }).await.unwrap());
    store.commit(Transaction::new().emit(event.clone())).await.unwrap();
    assert_eq!(store.outbox(0, 9).await.unwrap(), [(2, event)], "numbers go on where they ended");
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_copy_of_the_files_at_any_moment_has_every_answered_commit() {
    // What `kill -9` leaves: the files as they are, with the log not folded in and nobody told.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stoa.db");
    let store = open(&path);
    for number in 0..40 {
        let pair = Transaction::new().create(document(&format!("{number}-a")));
        store.commit(pair.create(document(&format!("{number}-b")))).await.unwrap();
        if number % 8 != 7 {
            continue;
        }
        let copy = folder.path().join(format!("copy-{number}.db"));
        std::fs::copy(&path, &copy).unwrap();
        let log = |path: &Path| path.with_extension("db-wal");
        let bytes = std::fs::read(log(&path)).unwrap();
        for lost in [0, 1, 100, 5000] {
            // A torn tail loses whole transactions from the end, never half of one.
            std::fs::copy(&path, &copy).unwrap();
            std::fs::write(log(&copy), &bytes[..bytes.len().saturating_sub(lost)]).unwrap();
            let copied = open(&copy);
            let count = copied.count(&Query::of("test:thing")).await.unwrap();
            assert_eq!(count % 2, 0, "half a transaction after losing {lost} bytes");
            if lost == 0 {
                assert_eq!(count, 2 * (number + 1), "an answered commit is missing");
            }
            assert!(copied.check().unwrap().is_empty());
            drop(copied);
            let _ = std::fs::remove_file(copy.with_extension("db-shm"));
        }
    }
}

#[tokio::test]
#[ignore = "run by the test below in a process of its own, until it is killed"]
async fn the_child_commits_for_ever() {
    let store = open(Path::new(&std::env::var_os("STOA_TEST_STORE").unwrap()));
    for number in 0.. {
        store.commit(Transaction::new().create(document(&format!("{number}")))).await.unwrap();
        println!("committed {number}");
    }
}

#[tokio::test]
async fn a_killed_server_loses_no_answered_commit() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stoa.db");
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_child_commits_for_ever", "--ignored", "--nocapture"]);
    command.env("STOA_TEST_STORE", &path).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let committed = lines.filter(|line| line.contains("committed ")).take(50).count();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(committed, 50, "the child committed");
    // The lock went with the process.
    let store = open(&path);
    for number in 0..committed {
        assert!(store.get(&document(&format!("{number}")).key).await.unwrap().is_some(), "{number} is lost");
    }
    assert!(store.check().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_tasks_read_what_they_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::at(suite::START));
    let store = Arc::new(SqliteStore::open(&folder.path().join("stoa.db"), clock, SMALL).unwrap());
    store.commit(Transaction::new().create(Document { body: "0".into(), ..document("counter") })).await.unwrap();
    let work = async |store: Arc<SqliteStore>, task: u64| {
        for round in 0..30_u64 {
            let own = document(&format!("{task}-{round}"));
            assert!(store.get(&own.key).await.unwrap().is_none());
            store.commit(Transaction::new().create(own.clone())).await.unwrap();
            assert_eq!(store.get(&own.key).await.unwrap().unwrap().generation, 1, "reads its own write");
            loop {
                let read = store.get(&document("counter").key).await.unwrap().unwrap();
                let more = read.with_body(suite::START, &(read.decode::<u64>().unwrap() + 1)).unwrap();
                match store.commit(Transaction::new().update(more)).await {
                    Ok(()) => break,
                    Err(error) => assert!(error.is_conflict(), "{error:?}"),
                }
            }
        }
    };
    let tasks: Vec<_> = (0..8).map(|task| tokio::spawn(work(Arc::clone(&store), task))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    let counter = store.get(&document("counter").key).await.unwrap().unwrap();
    assert_eq!((counter.decode::<u64>().unwrap(), counter.generation), (240, 241));
    assert_eq!(store.count(&Query::of("test:thing")).await.unwrap(), 241);
}

#[tokio::test]
async fn a_second_server_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stoa.db");
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::at(suite::START));
    let first = open(&path);
    let error = SqliteStore::open(&path, Arc::clone(&clock), SMALL).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }));
    assert!(error.to_string().contains("stoa.db") && error.to_string().contains("in use by another process"));
    drop(first);
    drop(SqliteStore::open(&path, clock, SMALL).unwrap());
}

#[test]
fn a_file_that_is_no_store_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::at(suite::START));
    let open = |name: &str| SqliteStore::open(&folder.path().join(name), Arc::clone(&clock), SMALL).unwrap_err();
    std::fs::write(folder.path().join("text.db"), "this is a letter, not a database. ".repeat(200)).unwrap();
    let error = open("text.db");
    assert!(matches!(error, OpenError::Database { .. }), "{error:?}");
    assert!(error.to_string().contains("text.db"));
    let foreign = rusqlite::Connection::open(folder.path().join("foreign.db")).unwrap();
    foreign.execute_batch("CREATE TABLE theirs (a)").unwrap();
    assert!(matches!(open("foreign.db"), OpenError::Foreign { .. }));
    let missing = open("no/such/folder/stoa.db");
    assert!(matches!(missing, OpenError::File { .. }) && missing.to_string().contains("no/such/folder"));
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_ours_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stoa.db");
    let store = open(&path);
    store.commit(Transaction::new().create(document("a"))).await.unwrap();
    for name in ["stoa.db", "stoa.db-wal", "stoa.db-shm", "stoa.db.lock"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a check: run with --nocapture"]
async fn how_fast_it_is() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let path = folder.path().join("stoa.db");
    let store = Arc::new(open(&path));
    let clock = std::time::Instant::now;
    for writers in [1_u64, 32] {
        let start = clock();
        let write = async |store: Arc<SqliteStore>, writer: u64| {
            for number in 0..100 {
                let new = document(&format!("{writer}-{number}"));
                store.commit(Transaction::new().put(new)).await.unwrap();
            }
        };
        let tasks: Vec<_> = (0..writers).map(|writer| tokio::spawn(write(Arc::clone(&store), writer))).collect();
        for task in tasks {
            task.await.unwrap();
        }
        println!("{writers} writers: {:.0} commits a second", 100.0 * writers as f64 / start.elapsed().as_secs_f64());
    }
    for id in ["0-1", "missing"] {
        let key = document(id).key;
        let start = clock();
        for _ in 0..100_000 {
            let _ = store.get(&key).await.unwrap();
        }
        println!("cached get of {id}: {:?}", start.elapsed() / 100_000);
    }
    let start = clock();
    for number in 0..1000 {
        let _ = store.get(&document(&format!("none-{number}")).key).await.unwrap();
    }
    println!("uncached get: {:?}", start.elapsed() / 1000);
    let query = Query::of("test:thing").owned_by(&AccountId::from_number(1), None);
    let start = clock();
    for _ in 0..100 {
        store.query(&query).await.unwrap();
    }
    println!("page of 100: {:?}", start.elapsed() / 100);
    drop(store);
    let start = clock();
    drop(open(&path));
    println!("open and close: {:?}", start.elapsed());
}
