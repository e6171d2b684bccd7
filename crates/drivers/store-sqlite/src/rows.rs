//! Documents to and from rows.

use std::str::FromStr;
use std::sync::Arc;

use rusqlite::Row;
use rusqlite::types::Type;
use stoa_store::{BlobName, Document, IdempotencyRecord, Key, Memo, OutboxEvent};
use stoa_types::{AccountId, Region, Timestamp};

/// The columns [`document`] reads, in its order.
pub const DOCUMENT_COLUMNS: &str =
    "account, region, id, parent, name, status, created, modified, generation, schema, body, blobs";

/// The region column of a key.
pub fn region_text(key: &Key) -> &str {
    key.region.as_ref().map_or("", Region::as_str)
}

/// A document from [`DOCUMENT_COLUMNS`]. The kind is the one that was asked for.
pub fn document(kind: &'static str, row: &Row<'_>) -> rusqlite::Result<Document> {
    let region = match row.get_ref(1)?.as_str()? {
        "" => None,
        text => Some(parsed::<Region>(1, text)?),
    };
    let account = parsed::<AccountId>(0, row.get_ref(0)?.as_str()?)?;
    Ok(Document {
        key: Key { kind, account, region, id: row.get(2)? },
        parent: row.get(3)?,
        name: row.get(4)?,
        status: row.get(5)?,
        created: Timestamp::from_millis(row.get(6)?),
        modified: Timestamp::from_millis(row.get(7)?),
        generation: row.get::<_, i64>(8)?.cast_unsigned(),
        schema: row.get(9)?,
        body: Arc::from(row.get_ref(10)?.as_str()?),
        blobs: blob_list(row.get_ref(11)?.as_str()?),
        memo: Memo::default(),
    })
}

/// The digests of the `blobs` column.
pub fn blob_list(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

fn parsed<T: FromStr>(column: usize, text: &str) -> rusqlite::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse::<T>().map_err(|cause| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(cause)))
}

/// An outbox event from `sequence, topic, subject, at, body`.
pub fn event(row: &Row<'_>) -> rusqlite::Result<(u64, OutboxEvent)> {
    let at = Timestamp::from_millis(row.get(3)?);
    let event = OutboxEvent { topic: row.get(1)?, subject: row.get(2)?, at, body: row.get(4)? };
    Ok((row.get::<_, i64>(0)?.cast_unsigned(), event))
}

/// A blob's name from `digest, kind, account, region, id`.
pub fn blob_name(row: &Row<'_>) -> rusqlite::Result<BlobName> {
    Ok(BlobName { digest: row.get(0)?, kind: row.get(1)?, account: row.get(2)?, region: row.get(3)?, id: row.get(4)? })
}

/// An idempotency record from `scope, token, request_hash, result, expires_at`.
pub fn record(row: &Row<'_>) -> rusqlite::Result<IdempotencyRecord> {
    Ok(IdempotencyRecord {
        scope: row.get(0)?,
        token: row.get(1)?,
        request_hash: row.get(2)?,
        result: row.get(3)?,
        expires_at: Timestamp::from_millis(row.get(4)?),
    })
}

/// About how much memory a cached document takes.
pub fn weight(key: &Key, document: Option<&Document>) -> usize {
    let of = |document: &Document| {
        200 + 2 * document.name.len() + document.key.id.len() + document.body.len() + 88 * document.blobs.len()
    };
    200 + key.id.len() + document.map_or(0, of)
}
