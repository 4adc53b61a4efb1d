//! The schema, its versions, and what tells a database with it from any other file.

use retell::backend::{StoreError, StoreErrorKind};
use rusqlite::{Connection, TransactionBehavior};

use crate::fault::fault;
use crate::options::Options;

/// `PRAGMA application_id` of a Retell database: "rtll".
pub(crate) const APPLICATION_ID: u32 = 0x7274_6c6c;

/// Each entry brings the schema from the version that is its index to the next one. Entries are never changed.
const MIGRATIONS: [&str; 2] = [include_str!("schema.sql"), include_str!("schema_2.sql")];

/// What keeps the version instead where the database is not the store's alone: then its header is its other owner's.
const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS retell_versions (version INTEGER PRIMARY KEY)";

/// The version that this program knows, kept in `PRAGMA user_version`.
pub(crate) const VERSION: u32 = MIGRATIONS.len() as u32;

/// Tells a database of ours, or one that may become ours, from all others; answers the version of its schema.
pub(crate) fn check(connection: &Connection, options: &Options, operation: &str) -> Result<u32, StoreError> {
    let failed = |error| fault(operation, error);
    let version = match find(connection).map_err(failed)? {
        Found { version: Some(version), .. } => version,
        Found { is_empty: true, .. } => 0,
        _ if options.among_others => 0,
        Found { application, .. } => {
            let reason =
                format!("its application ID is {application:#x}, and it holds tables of another program");
            return Err(StoreError::new(StoreErrorKind::NotAStore(reason), operation));
        }
    };
    if version > VERSION {
        return Err(StoreError::new(StoreErrorKind::Newer { found: version, known: VERSION }, operation));
    }
    Ok(version)
}

/// Brings a database to this program's version, all in one transaction.
pub(crate) fn migrate(
    connection: &mut Connection,
    options: &Options,
    operation: &str,
) -> Result<(), StoreError> {
    let failed = |error| fault(operation, error);
    if check(connection, options, operation)? == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let version = check(&transaction, options, operation)?;
    if version == VERSION {
        return Ok(());
    }
    for migration in &MIGRATIONS[version as usize..] {
        transaction.execute_batch(migration).map_err(|error| taken_or_fault(operation, error))?;
    }
    let found = find(&transaction).map_err(failed)?;
    if found.application == APPLICATION_ID || (found.version.is_none() && !options.among_others) {
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        transaction.pragma_update(None, "user_version", VERSION).map_err(failed)?;
    } else {
        transaction.execute_batch(VERSIONS).map_err(failed)?;
        let keep = "INSERT OR IGNORE INTO retell_versions (version) VALUES (?1)";
        transaction.execute(keep, [VERSION]).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// Another program's table of a name that the schema needs says that the database cannot be shared with it.
fn taken_or_fault(operation: &str, error: rusqlite::Error) -> StoreError {
    let reason = error.to_string();
    if reason.contains("already exists") {
        return StoreError::new(StoreErrorKind::NotAStore(reason), operation).because(error);
    }
    fault(operation, error)
}

/// What tells whose a database is.
struct Found {
    application: u32,
    /// The version of the store's tables, if it has them.
    version: Option<u32>,
    is_empty: bool,
}

fn find(connection: &Connection) -> rusqlite::Result<Found> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, user_version) = (pragma("application_id")?, pragma("user_version")?);
    // Both are 32 bits in the file; a negative one is foreign and stays greater than any of ours.
    let (application, user_version) = (application as u32, user_version as u32);
    let among_others = connection.query_row(
        "SELECT count(*) > 0 FROM sqlite_schema WHERE type = 'table' AND name = 'retell_versions'",
        [],
        |row| row.get(0),
    )?;
    let version = if among_others {
        connection.query_row("SELECT max(version) FROM retell_versions", [], |row| row.get(0))?
    } else {
        (application == APPLICATION_ID).then_some(user_version)
    };
    let is_empty = application == 0 && user_version == 0 && is_empty(connection)?;
    Ok(Found { application, version, is_empty })
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}
