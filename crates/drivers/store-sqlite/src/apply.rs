//! One change inside the writer's transaction, and what it changes in the cache once committed.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use stoa_store::{
    Change, Document, Expect, IdempotencyRecord, Key, Lease, OutboxEvent, Outcome, StoreError, idempotency_key,
    sorted_tags,
};
use stoa_types::Timestamp;

use crate::rows::{blob_list, region_text};

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
            if let Some(found) = expectation(tx, &key, expect)? {
                document_delete_in_tx(tx, &key).map_err(failed)?;
                blob_names_in_tx(tx, &key, &found.blobs, "").map_err(failed)?;
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

/// What of a document matters to the write that replaces it.
struct Found {
    generation: u64,
    /// The column.
    blobs: String,
}

/// What is there now, if it is what was expected.
fn expectation(tx: &Connection, key: &Key, expect: Expect) -> Result<Option<Found>, StoreError> {
    let sql = "SELECT generation, blobs FROM document WHERE kind = ?1 AND account = ?2 AND region = ?3 AND id = ?4";
    let found = tx.prepare_cached(sql).and_then(|mut statement| {
        let key = params![key.kind, key.account.as_str(), region_text(key), key.id];
        let found = |row: &rusqlite::Row<'_>| {
            Ok(Found { generation: row.get::<_, i64>(0)?.cast_unsigned(), blobs: row.get(1)? })
        };
        statement.query_row(key, found).optional()
    });
    let found = found.map_err(failed)?;
    let generation = found.as_ref().map(|found| found.generation);
    if expect.holds(generation) { Ok(found) } else { Err(StoreError::conflict(key, generation)) }
}

fn document_put_in_tx(tx: &Connection, mut document: Document, expect: Expect) -> Result<Effect, StoreError> {
    let found = expectation(tx, &document.key, expect)?;
    document.generation = found.as_ref().map_or(0, |found| found.generation) + 1;
    let blobs = document.blobs.join(" ");
    let sql = "INSERT INTO document
          (kind, account, region, id, parent, name, status, created, modified, generation, schema, body, blobs)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
        ON CONFLICT (kind, account, region, id) DO UPDATE SET
          parent = ?5, name = ?6, status = ?7, created = ?8, modified = ?9, generation = ?10, schema = ?11, body = ?12,
          blobs = ?13";
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
            blobs,
        ])
    });
    written.map_err(failed)?;
    let before = found.map(|found| found.blobs).unwrap_or_default();
    blob_names_in_tx(tx, key, &before, &blobs).map_err(failed)?;
    Ok(Effect::Document(document.key.clone(), Some(Arc::new(document))))
}

/// Makes the index of blobs say what the column says now.
fn blob_names_in_tx(tx: &Connection, key: &Key, before: &str, now: &str) -> rusqlite::Result<()> {
    if before == now {
        return Ok(());
    }
    let (account, region) = (key.account.as_str(), region_text(key));
    let (old, new) = (blob_list(before), blob_list(now));
    for digest in old.iter().filter(|digest| !new.contains(digest)) {
        let sql = "DELETE FROM blob_name WHERE digest = ?1 AND kind = ?2 AND account = ?3 AND region = ?4 AND id = ?5";
        tx.prepare_cached(sql)?.execute(params![digest, key.kind, account, region, key.id])?;
    }
    for digest in new.iter().filter(|digest| !old.contains(digest)) {
        let sql = "INSERT INTO blob_name (digest, kind, account, region, id) VALUES (?1, ?2, ?3, ?4, ?5)";
        tx.prepare_cached(sql)?.execute(params![digest, key.kind, account, region, key.id])?;
    }
    Ok(())
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
