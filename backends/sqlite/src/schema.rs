//! The schema, its versions, and what tells a Retell database from any other file.

use retell::backend::{StoreError, StoreErrorKind};
use rusqlite::{Connection, TransactionBehavior};

use crate::fault::fault;

/// `PRAGMA application_id` of a Retell database: "rtll".
pub(crate) const APPLICATION_ID: u32 = 0x7274_6c6c;

/// Each entry brings the schema from the version that is its index to the next one. Entries are never changed.
const MIGRATIONS: [&str; 2] = [include_str!("schema.sql"), include_str!("schema_2.sql")];

/// The version that this program knows, kept in `PRAGMA user_version`.
pub(crate) const VERSION: u32 = MIGRATIONS.len() as u32;

/// Tells a database of ours, or an empty one, from all others; answers the version of its schema.
pub(crate) fn check(connection: &Connection, operation: &str) -> Result<u32, StoreError> {
    let failed = |error| fault(operation, error);
    let (application, version) = found(connection).map_err(failed)?;
    let empty = application == 0 && version == 0 && is_empty(connection).map_err(failed)?;
    if !empty && application != APPLICATION_ID {
        let reason =
            format!("its application ID is {application:#x}, and it holds tables of another program");
        return Err(StoreError::new(StoreErrorKind::NotAStore(reason), operation));
    }
    if version > VERSION {
        return Err(StoreError::new(StoreErrorKind::Newer { found: version, known: VERSION }, operation));
    }
    Ok(version)
}

/// Brings a database to this program's version, all in one transaction.
pub(crate) fn migrate(connection: &mut Connection, operation: &str) -> Result<(), StoreError> {
    let failed = |error| fault(operation, error);
    if check(connection, operation)? == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let version = check(&transaction, operation)?;
    for migration in &MIGRATIONS[version as usize..] {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.pragma_update(None, "user_version", VERSION).map_err(failed)?;
    transaction.commit().map_err(failed)
}

fn found(connection: &Connection) -> rusqlite::Result<(u32, u32)> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    // Both are 32 bits in the file; a negative one is foreign and stays greater than any of ours.
    Ok((application as u32, version as u32))
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}
