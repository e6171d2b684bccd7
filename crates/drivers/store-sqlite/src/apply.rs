//! One change inside the writer's transaction, and what it changes in the cache once committed.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use stoa_store::{
    Change, Document, Expect, IdempotencyRecord, Key, Lease, OutboxEvent, Outcome, StoreError, idempotency_key,
    sorted_tags,
};
use stoa_types::Timestamp;

use crate::rows::region_text;

/// What the cache must hold after the commit.
#[derive(Debug)]
pub enum Effect {
    /// The document, or its absence.
    Document(Key, Option<Arc<Document>>),
    /// The tags of an ARN.
    Tags(String, Arc<Vec<(String, String)>>),
}

/// A failed statement: nothing of this transaction stays.
fn failed(cause: rusqlite::Error) -> StoreError {
    StoreError::backend(Outcome::NotApplied, cause)
}

/// Applies a change. The caller undoes the whole savepoint on an error.
pub fn change(tx: &Connection, change: Change, now: Timestamp, effects: &mut Vec<Effect>) -> Result<(), StoreError> {
    match change {
        Change::Put { document, expect } => effects.push(document_put_in_tx(tx, document, expect)?),
        Change::Delete { key, expect } => {
            if expectation(tx, &key, expect)?.is_some() {
                document_delete_in_tx(tx, &key).map_err(failed)?;
            }
            effects.push(Effect::Document(key, None));
        }
        Change::Require { key, expect } => {
            expectation(tx, &key, expect)?;
        }
        Change::SetTags { arn, tags } => {
            let tags = sorted_tags(&tags);
            tags_set_in_tx(tx, &arn, &tags).map_err(failed)?;
            effects.push(Effect::Tags(arn, Arc::new(tags)));
        }
        Change::Emit(event) => outbox_append_in_tx(tx, &event).map_err(failed)?,
        Change::Remember(record) => idempotency_put_in_tx(tx, &record, now)?,
    }
    Ok(())
}

/// The generation that is there now, if it is one that was expected.
fn expectation(tx: &Connection, key: &Key, expect: Expect) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT generation FROM document WHERE kind = ?1 AND account = ?2 AND region = ?3 AND id = ?4";
    let found = tx.prepare_cached(sql).and_then(|mut statement| {
        let key = params![key.kind, key.account.as_str(), region_text(key), key.id];
        statement.query_row(key, |row| row.get::<_, i64>(0)).optional()
    });
    let found = found.map_err(failed)?.map(i64::cast_unsigned);
    if expect.holds(found) { Ok(found) } else { Err(StoreError::conflict(key, found)) }
}

fn document_put_in_tx(tx: &Connection, mut document: Document, expect: Expect) -> Result<Effect, StoreError> {
    document.generation = expectation(tx, &document.key, expect)?.unwrap_or(0) + 1;
    let sql = "INSERT INTO document
          (kind, account, region, id, parent, name, status, created, modified, generation, schema, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
        ON CONFLICT (kind, account, region, id) DO UPDATE SET
          parent = ?5, name = ?6, status = ?7, created = ?8, modified = ?9, generation = ?10, schema = ?11, body = ?12";
    let key = &document.key;
    let written = tx.prepare_cached(sql).and_then(|mut statement| {
        statement.execute(params![
            key.kind,
            key.account.as_str(),
            region_text(key),
            key.id,
            document.parent,
            document.name,
            document.status,
            document.created.millis(),
            document.modified.millis(),
            document.generation.cast_signed(),
            document.schema,
            &*document.body,
        ])
    });
    written.map_err(failed)?;
    Ok(Effect::Document(document.key.clone(), Some(Arc::new(document))))
}

fn document_delete_in_tx(tx: &Connection, key: &Key) -> rusqlite::Result<()> {
    let sql = "DELETE FROM document WHERE kind = ?1 AND account = ?2 AND region = ?3 AND id = ?4";
    tx.prepare_cached(sql)?.execute(params![key.kind, key.account.as_str(), region_text(key), key.id])?;
    Ok(())
}

fn tags_set_in_tx(tx: &Connection, arn: &str, tags: &[(String, String)]) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM tag WHERE arn = ?1")?.execute([arn])?;
    let mut statement = tx.prepare_cached("INSERT INTO tag (arn, key, value) VALUES (?1, ?2, ?3)")?;
    for (key, value) in tags {
        statement.execute([arn, key, value])?;
    }
    Ok(())
}

fn outbox_append_in_tx(tx: &Connection, event: &OutboxEvent) -> rusqlite::Result<()> {
    let sql = "INSERT INTO outbox (topic, subject, at, body) VALUES (?1, ?2, ?3, ?4)";
    tx.prepare_cached(sql)?.execute(params![event.topic, event.subject, event.at.millis(), event.body])?;
    Ok(())
}

/// Forgets events up to and including this one.
pub fn outbox_done_in_tx(tx: &Connection, through: u64) -> Result<(), StoreError> {
    let through = i64::try_from(through).unwrap_or(i64::MAX);
    let done = tx.prepare_cached("DELETE FROM outbox WHERE sequence <= ?1").and_then(|mut sql| sql.execute([through]));
    done.map(drop).map_err(failed)
}

fn idempotency_put_in_tx(tx: &Connection, record: &IdempotencyRecord, now: Timestamp) -> Result<(), StoreError> {
    // What has expired goes first; then a row that is still there is a conflict.
    let pruned = tx.prepare_cached("DELETE FROM idempotency WHERE expires_at <= ?1");
    pruned.and_then(|mut sql| sql.execute([now.millis()])).map_err(failed)?;
    let sql = "INSERT INTO idempotency (scope, token, request_hash, result, expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (scope, token) DO NOTHING";
    let written = tx.prepare_cached(sql).and_then(|mut statement| {
        let IdempotencyRecord { scope, token, request_hash, result, expires_at } = record;
        statement.execute(params![scope, token, request_hash, result, expires_at.millis()])
    });
    match written.map_err(failed)? {
        0 => Err(StoreError::conflict(&idempotency_key(&record.scope, &record.token), None)),
        _ => Ok(()),
    }
}

/// Takes or renews a lease unless another holds it still.
pub fn lease_take_in_tx(tx: &Connection, lease: &Lease) -> Result<bool, StoreError> {
    let sql = "INSERT INTO lease (name, holder, until) VALUES (?1, ?2, ?3)
        ON CONFLICT (name) DO UPDATE SET holder = ?2, until = ?3 WHERE holder = ?2 OR until <= ?4";
    let taken = tx.prepare_cached(sql).and_then(|mut statement| {
        statement.execute(params![lease.name, lease.holder, lease.until.millis(), lease.now.millis()])
    });
    taken.map(|rows| rows == 1).map_err(failed)
}
