//! The store: opening, the reading connections, the cache and the channel to the writer.
//!
//! Reads run on the calling thread: they take about ten microseconds, less than handing them to another thread.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params, params_from_iter};
use stoa_store::{
    BlobName, Document, IdempotencyRecord, Key, Lease, OutboxEvent, Outcome, Page, Position, Query, Store, StoreError,
    Transaction,
};
use stoa_types::Clock;
use tokio::sync::oneshot;

use crate::OpenError;
use crate::apply::Effect;
use crate::cache::Cache;
use crate::error::reading;
use crate::lock::{DirectoryLock, private_file};
use crate::rows::{self, region_text, weight};
use crate::schema::{SchemaError, migrate};
use crate::writer::{Job, Work, Writer};

type Tags = Arc<Vec<(String, String)>>;

/// Reading connections that are kept open.
const READERS: usize = 8;
/// Prepared statements kept on each connection.
const STATEMENTS: usize = 128;

/// What can be set.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Memory for cached documents and tags, in bytes, about.
    pub cache_bytes: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { cache_bytes: 128 << 20 }
    }
}

/// A store in one SQLite file. Dropping it finishes what is queued and gives the file up.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    readers: Mutex<Vec<Connection>>,
    jobs: Option<Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    _lock: DirectoryLock,
}

/// What the writer keeps true for the readers.
#[derive(Debug)]
pub struct Shared {
    documents: Cache<Key, Option<Arc<Document>>>,
    tags: Cache<String, Tags>,
    versions: RwLock<BTreeMap<&'static str, u64>>,
}

impl Shared {
    /// Makes the cache show what was committed.
    pub fn wrote(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Document(key, document) => {
                    let weight = weight(&key, document.as_deref());
                    self.documents.wrote(key, document, weight);
                }
                Effect::Tags(arn, tags) => {
                    let weight = tags_weight(&arn, &tags);
                    self.tags.wrote(arn, tags, weight);
                }
            }
        }
    }
    /// Makes the next read ask the database.
    pub fn forget(&self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Document(key, _) => self.documents.forget(key),
                Effect::Tags(arn, _) => self.tags.forget(arn),
            }
        }
    }
    /// Raises the versions of these kinds.
    pub fn bump(&self, kinds: &BTreeSet<&'static str>) {
        let mut versions = self.versions.write();
        kinds.iter().for_each(|kind| *versions.entry(kind).or_default() += 1);
    }
}

fn tags_weight(arn: &str, tags: &[(String, String)]) -> usize {
    200 + arn.len() + tags.iter().map(|(key, value)| 64 + key.len() + value.len()).sum::<usize>()
}

impl SqliteStore {
    /// Opens the database file, making it where it does not exist, and takes it for this process.
    pub fn open(path: &Path, clock: Arc<dyn Clock>, settings: Settings) -> Result<SqliteStore, OpenError> {
        let lock = DirectoryLock::take(path)?;
        drop(private_file(path)?);
        let failed = |source| OpenError::Database { path: path.to_owned(), source };
        let mut connection = connect(path, false).map_err(failed)?;
        migrate(&mut connection).map_err(|error| match error {
            SchemaError::Database(source) => failed(source),
            SchemaError::Foreign => OpenError::Foreign { path: path.to_owned() },
            SchemaError::TooNew(found) => {
                OpenError::TooNew { path: path.to_owned(), found, known: crate::schema::MIGRATIONS.len() as i64 }
            }
        })?;
        let reader = connect(path, true).map_err(failed)?;
        let shared = Arc::new(Shared {
            documents: Cache::new(settings.cache_bytes / 8 * 7),
            tags: Cache::new(settings.cache_bytes / 8),
            versions: RwLock::default(),
        });
        let (jobs, waiting) = channel();
        let writer = Writer::new(connection, Arc::clone(&shared), Arc::clone(&clock));
        let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || writer.run(&waiting));
        let thread = thread.map_err(|source| OpenError::File { path: path.to_owned(), source })?;
        Ok(SqliteStore {
            path: path.to_owned(),
            clock,
            shared,
            readers: Mutex::new(vec![reader]),
            jobs: Some(jobs),
            writer: Some(thread),
            _lock: lock,
        })
    }

    /// Reads every page and index of the database and says what is wrong; empty when all is well. Slow.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare("PRAGMA integrity_check")?;
            let rows: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(rows.into_iter().filter(|row| row != "ok").collect())
        })
    }

    /// Every kind of document there is, for work on all of them.
    pub fn kinds(&self) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT DISTINCT kind FROM document ORDER BY kind")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })
    }

    fn read<T>(&self, body: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let kept = self.readers.lock().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => connect(&self.path, true).map_err(reading)?,
        };
        let result = body(&connection).map_err(reading);
        let mut readers = self.readers.lock();
        if readers.len() < READERS {
            readers.push(connection);
        }
        result
    }

    /// # Cancellation
    /// Dropping the future does not take the work back: it is done, and nobody hears of it.
    async fn write(&self, work: Work) -> Result<bool, StoreError> {
        let (answer, answered) = oneshot::channel();
        let stopped = |outcome| StoreError::backend(outcome, "the store's writer has stopped");
        let jobs = self.jobs.as_ref().ok_or_else(|| stopped(Outcome::NotApplied))?;
        jobs.send(Job { work, answer }).map_err(|_| stopped(Outcome::NotApplied))?;
        answered.await.map_err(|_| stopped(Outcome::Unknown))?
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn connect(path: &Path, read_only: bool) -> rusqlite::Result<Connection> {
    // Readers open for writing too, so that they may recover the log's index; `query_only` holds them to reading.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    if read_only {
        connection.pragma_update(None, "query_only", true)?;
    } else {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // The writer checkpoints when idle; this is for a writer that never is.
        connection.pragma_update(None, "wal_autocheckpoint", 8000)?;
    }
    connection.pragma_update(None, "cache_size", -8000)?;
    Ok(connection)
}

fn document(connection: &Connection, key: &Key) -> rusqlite::Result<Option<Document>> {
    let columns = rows::DOCUMENT_COLUMNS;
    let sql = format!("SELECT {columns} FROM document WHERE kind = ?1 AND account = ?2 AND region = ?3 AND id = ?4");
    let mut statement = connection.prepare_cached(&sql)?;
    let found = params![key.kind, key.account.as_str(), region_text(key), key.id];
    statement.query_row(found, |row| rows::document(key.kind, row)).optional()
}

fn tags(connection: &Connection, arn: &str) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare_cached("SELECT key, value FROM tag WHERE arn = ?1 ORDER BY key")?;
    statement.query_map([arn], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

#[async_trait]
impl Store for SqliteStore {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Document>>, StoreError> {
        let vacancy = match self.shared.documents.get(key) {
            Ok(found) => return Ok(found),
            Err(vacancy) => vacancy,
        };
        let found = self.read(|connection| document(connection, key))?.map(Arc::new);
        self.shared.documents.fill(vacancy, key.clone(), found.clone(), weight(key, found.as_deref()));
        Ok(found)
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        let plan = crate::plan::page(query)?;
        let mut documents: Vec<Arc<Document>> = self.read(|connection| {
            let mut statement = connection.prepare_cached(&plan.sql)?;
            let rows = statement.query_map(params_from_iter(plan.values), |row| rows::document(query.kind, row))?;
            rows.map(|row| row.map(Arc::new)).collect()
        })?;
        let more = documents.len() > query.limit;
        documents.truncate(query.limit);
        let next = match documents.last() {
            Some(last) if more => Some(Position::of(last, query.sort_by).encode()?),
            _ => None,
        };
        Ok(Page { documents, next })
    }

    async fn count(&self, query: &Query) -> Result<u64, StoreError> {
        let plan = crate::plan::count(query);
        let count = self.read(|connection| {
            let mut statement = connection.prepare_cached(&plan.sql)?;
            statement.query_row(params_from_iter(plan.values), |row| row.get::<_, i64>(0))
        })?;
        Ok(count.cast_unsigned())
    }

    async fn commit(&self, transaction: Transaction) -> Result<(), StoreError> {
        self.write(Work::Commit(transaction)).await.map(drop)
    }

    async fn tags(&self, arn: &str) -> Result<Tags, StoreError> {
        let vacancy = match self.shared.tags.get(arn) {
            Ok(found) => return Ok(found),
            Err(vacancy) => vacancy,
        };
        let found = Arc::new(self.read(|connection| tags(connection, arn))?);
        self.shared.tags.fill(vacancy, arn.to_owned(), Arc::clone(&found), tags_weight(arn, &found));
        Ok(found)
    }

    async fn idempotency(&self, scope: &str, token: &str) -> Result<Option<IdempotencyRecord>, StoreError> {
        let now = self.clock.now().millis();
        self.read(|connection| {
            let sql = "SELECT scope, token, request_hash, result, expires_at FROM idempotency
                WHERE scope = ?1 AND token = ?2 AND expires_at > ?3";
            connection.prepare_cached(sql)?.query_row(params![scope, token, now], rows::record).optional()
        })
    }

    async fn outbox(&self, after: u64, limit: usize) -> Result<Vec<(u64, OutboxEvent)>, StoreError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|connection| {
            let sql = "SELECT sequence, topic, subject, at, body FROM outbox WHERE sequence > ?1
                ORDER BY sequence LIMIT ?2";
            connection.prepare_cached(sql)?.query_map([after, limit], rows::event)?.collect()
        })
    }

    async fn outbox_done(&self, through: u64) -> Result<(), StoreError> {
        self.write(Work::OutboxDone(through)).await.map(drop)
    }

    async fn lease(&self, lease: &Lease) -> Result<bool, StoreError> {
        self.write(Work::Lease(lease.clone())).await
    }

    async fn blob_names(&self, after: &BlobName, limit: usize) -> Result<Vec<BlobName>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|connection| {
            let sql = "SELECT digest, kind, account, region, id FROM blob_name
                WHERE (digest, kind, account, region, id) > (?1, ?2, ?3, ?4, ?5)
                ORDER BY digest, kind, account, region, id LIMIT ?6";
            let place = params![after.digest, after.kind, after.account, after.region, after.id, limit];
            connection.prepare_cached(sql)?.query_map(place, rows::blob_name)?.collect()
        })
    }

    fn version(&self, kind_prefix: &str) -> u64 {
        let versions = self.shared.versions.read();
        let from = versions.range::<str, _>((Bound::Included(kind_prefix), Bound::Unbounded));
        from.take_while(|(kind, _)| kind.starts_with(kind_prefix)).map(|(_, version)| version).sum()
    }
}
