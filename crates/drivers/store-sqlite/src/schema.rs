//! The schema, as a list of migrations that only ever grows.
//!
//! Each migration is one transaction together with its row in `schema_version`: a crash in between repeats it whole.
//! `schema.sql` is the sum of them, checked by a test, so that a change is read as a diff.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

/// What stands in the file header: `Stoa`.
pub const APPLICATION_ID: i64 = 0x5374_6f61;

/// INVARIANT: append only; never edit one that was released.
pub const MIGRATIONS: &[&str] =
    &[include_str!("migrations/0001_documents.sql"), include_str!("migrations/0002_blob_names.sql")];

/// Why the schema cannot be brought up to date.
#[derive(Debug)]
pub enum SchemaError {
    /// SQLite failed.
    Database(rusqlite::Error),
    /// Another program's database.
    Foreign,
    /// A later version of ours.
    TooNew(i64),
}

impl From<rusqlite::Error> for SchemaError {
    fn from(cause: rusqlite::Error) -> SchemaError {
        SchemaError::Database(cause)
    }
}

/// Applies the migrations that the database lacks.
pub fn migrate(connection: &mut Connection) -> Result<(), SchemaError> {
    let current = version(connection)?;
    let known = MIGRATIONS.len() as i64;
    if current > known {
        return Err(SchemaError::TooNew(current));
    }
    let pending = MIGRATIONS.iter().zip(1_i64..).filter(|(_, number)| *number > current);
    for (migration, number) in pending {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY) STRICT")?;
        tx.execute_batch(migration)?;
        tx.execute("INSERT INTO schema_version (version) VALUES (?1)", [number])?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.commit()?;
    }
    Ok(())
}

/// The version of the database; zero for a new one.
fn version(connection: &Connection) -> Result<i64, SchemaError> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(0);
    }
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if application != APPLICATION_ID {
        return Err(SchemaError::Foreign);
    }
    let found = connection.query_row("SELECT max(version) FROM schema_version", [], |row| row.get(0)).optional()?;
    Ok(found.flatten().unwrap_or(0))
}
