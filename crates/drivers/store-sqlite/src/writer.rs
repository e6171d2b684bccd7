//! The one writer: takes all transactions that wait, runs each under a savepoint, commits once, answers all.
//!
//! INVARIANT: the order is commit, cache, versions, answer. A reader that saw a version therefore sees data at least
//! as new, and a caller that was answered reads what it wrote. A crash before the commit leaves nothing of the batch
//! and nobody was answered; after it, everything.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rusqlite::Connection;
use stoa_store::{Lease, Outcome, StoreError, TAGS_KIND, Transaction};
use stoa_types::Clock;
use tokio::sync::oneshot;

use crate::apply::{self, Effect};
use crate::error::outcome_of_commit;
use crate::store::Shared;

/// As many transactions as share a commit: more would make the first of them wait too long.
const BATCH: usize = 1024;
/// Pages in the write-ahead log from which an idle writer moves them into the database.
const CHECKPOINT_PAGES: usize = 1000;

/// What the writer is asked to do.
#[derive(Debug)]
pub enum Work {
    /// Apply a transaction.
    Commit(Transaction),
    /// Take a lease.
    Lease(Lease),
    /// Forget events.
    OutboxDone(u64),
}

/// A piece of work and who waits for it. The answer is true but for a lease that was not to be had.
#[derive(Debug)]
pub struct Job {
    /// What to do.
    pub work: Work,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<bool, StoreError>>,
}

type Answer = (oneshot::Sender<Result<bool, StoreError>>, Result<bool, StoreError>);

/// What the jobs of a batch leave behind.
#[derive(Default)]
struct Batch {
    answers: Vec<Answer>,
    effects: Vec<Effect>,
    pages: usize,
}

/// The writer thread's state.
pub struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    pages: usize,
}

impl Writer {
    /// A writer on its own connection.
    pub fn new(connection: Connection, shared: Arc<Shared>, clock: Arc<dyn Clock>) -> Writer {
        Writer { connection, shared, clock, pages: 0 }
    }

    /// Works until all senders are gone.
    pub fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut waiting = vec![first];
            waiting.extend(jobs.try_iter().take(BATCH - 1));
            let full = waiting.len() == BATCH;
            self.batch(waiting);
            if !full && self.pages >= CHECKPOINT_PAGES {
                self.checkpoint();
            }
        }
    }

    /// Moves the log into the database, so that no commit has to. Readers are not disturbed; what they hold up stays.
    fn checkpoint(&mut self) {
        let moved = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        match moved {
            Ok(()) => self.pages = 0,
            Err(error) => tracing::warn!(%error, "the store's log could not be checkpointed"),
        }
    }

    fn batch(&mut self, jobs: Vec<Job>) {
        let mut batch = Batch::default();
        if let Err(cause) = self.connection.execute_batch("BEGIN IMMEDIATE") {
            let error = format!("no transaction could be begun: {cause}");
            jobs.into_iter().for_each(|job| drop(job.answer.send(Err(lost(Outcome::NotApplied, &error)))));
            return;
        }
        let mut jobs = jobs.into_iter();
        for job in jobs.by_ref() {
            self.job(job, &mut batch);
            if self.connection.is_autocommit() {
                // SQLite gave the whole transaction up (disk full, I/O error).
                break;
            }
        }
        for job in jobs {
            batch.answers.push((job.answer, Ok(true)));
        }
        self.finish(batch);
    }

    fn job(&self, job: Job, batch: &mut Batch) {
        let kept = batch.effects.len();
        let tx = &self.connection;
        let result = begin(tx).and_then(|()| self.apply(job.work, &mut batch.effects));
        if result.is_err() {
            batch.effects.truncate(kept);
            undo(tx);
        }
        // A savepoint that cannot be released is released by the commit.
        let _ = tx.prepare_cached("RELEASE job").and_then(|mut sql| sql.execute([]));
        batch.pages += batch.effects.iter().skip(kept).map(pages_of).sum::<usize>() + 1;
        batch.answers.push((job.answer, result));
    }

    fn apply(&self, work: Work, effects: &mut Vec<Effect>) -> Result<bool, StoreError> {
        let tx = &self.connection;
        match work {
            Work::Commit(transaction) => {
                let now = self.clock.now();
                for change in transaction.changes {
                    apply::change(tx, change, now, effects)?;
                }
                Ok(true)
            }
            Work::Lease(lease) => apply::lease_take_in_tx(tx, &lease),
            Work::OutboxDone(through) => apply::outbox_done_in_tx(tx, through).map(|()| true),
        }
    }

    fn finish(&mut self, batch: Batch) {
        self.pages += batch.pages;
        match self.commit() {
            Ok(()) => {
                self.publish(batch.effects);
                batch.answers.into_iter().for_each(|(answer, result)| drop(answer.send(result)));
            }
            Err((outcome, error)) => {
                tracing::error!(error, "the store could not commit");
                self.shared.forget(&batch.effects);
                self.bump(&batch.effects);
                for (answer, result) in batch.answers {
                    // A conflict may have been found against rows that are gone with the batch: it counts no more.
                    let backend = matches!(result, Err(StoreError::Backend { .. }));
                    drop(answer.send(if backend { result } else { Err(lost(outcome, &error)) }));
                }
            }
        }
    }

    fn commit(&self) -> Result<(), (Outcome, String)> {
        if self.connection.is_autocommit() {
            return Err((Outcome::NotApplied, "the database gave the transaction up".to_owned()));
        }
        let committed = self.connection.execute_batch("COMMIT");
        committed.map_err(|cause| {
            let outcome = outcome_of_commit(&cause);
            if !self.connection.is_autocommit() {
                let _ = self.connection.execute_batch("ROLLBACK");
            }
            (outcome, cause.to_string())
        })
    }

    fn publish(&self, effects: Vec<Effect>) {
        let kinds = kinds(&effects);
        self.shared.wrote(effects);
        self.shared.bump(&kinds);
    }

    fn bump(&self, effects: &[Effect]) {
        self.shared.bump(&kinds(effects));
    }
}

fn begin(tx: &Connection) -> Result<(), StoreError> {
    let begun = tx.prepare_cached("SAVEPOINT job").and_then(|mut sql| sql.execute([]));
    begun.map(drop).map_err(|cause| StoreError::backend(Outcome::NotApplied, cause))
}

/// Undoes the savepoint; where that fails, the whole batch, so that no part of a transaction can be committed.
fn undo(tx: &Connection) {
    let undone = tx.prepare_cached("ROLLBACK TO job").and_then(|mut sql| sql.execute([]));
    if undone.is_err() && !tx.is_autocommit() {
        let _ = tx.execute_batch("ROLLBACK");
    }
}

fn kinds(effects: &[Effect]) -> BTreeSet<&'static str> {
    let kind = |effect: &Effect| match effect {
        Effect::Document(key, _) => key.kind,
        Effect::Tags(..) => TAGS_KIND,
    };
    effects.iter().map(kind).collect()
}

fn lost(outcome: Outcome, error: &str) -> StoreError {
    StoreError::backend(outcome, error.to_owned())
}

/// About how many pages a change writes: one for each index, and the body.
fn pages_of(effect: &Effect) -> usize {
    match effect {
        Effect::Document(_, Some(document)) => 8 + document.body.len() / 4096,
        Effect::Document(_, None) => 8,
        Effect::Tags(..) => 1,
    }
}
