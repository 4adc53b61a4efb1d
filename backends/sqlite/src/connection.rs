//! Connections, and the settings on which promises rest.

use retell::backend::{StoreError, StoreErrorKind};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::fault::fault;
use crate::options::{Options, Synchronous};
use crate::schema;

/// Prepared statements kept for each connection: more than there are in this crate.
const STATEMENTS_MAX: usize = 128;
/// Pages in the write-ahead log before they move into the database: 16 MiB of the default size.
const CHECKPOINT_PAGES: u32 = 4_096;

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Writer,
    Reader,
}

/// Opens a connection and reads every setting back.
pub(crate) fn open(options: &Options, role: Role) -> Result<Connection, StoreError> {
    let operation = operation(options);
    let connection = connect(options).map_err(|error| fault(&operation, error))?;
    set(&connection, options, role).map_err(|error| fault(&operation, error))?;
    check(&connection, options)?;
    Ok(connection)
}

/// Looks at a file that may be any program's, without changing it.
pub(crate) fn inspect(options: &Options) -> Result<(), StoreError> {
    let operation = operation(options);
    let connection = connect(options).map_err(|error| fault(&operation, error))?;
    if connection.path().is_none_or(str::is_empty) {
        return Err(differs("journal_mode", "memory".to_owned(), "wal", operation));
    }
    // One snapshot: another process may be making this file at the moment.
    let snapshot = connection.unchecked_transaction().map_err(|error| fault(&operation, error))?;
    schema::check(&snapshot, options, &operation).map(|_| ())
}

/// What opening this file is called in errors.
pub(crate) fn operation(options: &Options) -> String {
    format!("open {}", options.path.display())
}

fn connect(options: &Options) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = match &options.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(&options.path, flags, vfs.as_str()),
        None => Connection::open_with_flags(&options.path, flags),
    }?;
    connection.busy_timeout(options.busy_wait)?;
    Ok(connection)
}

fn set(connection: &Connection, options: &Options, role: Role) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Plans do not depend on what is bound. Without this, a statement that an index of some rows only might serve is
    // prepared again whenever another value is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "page_size", options.page_size)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    let synchronous = match options.synchronous {
        Synchronous::Full => "full",
        Synchronous::Normal => "normal",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // On Apple's systems only this waits for the disk itself; elsewhere it changes nothing.
    connection.pragma_update(None, "fullfsync", options.synchronous == Synchronous::Full)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", -32_768)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
    if let Some(pages) = options.pages_max {
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    if role == Role::Reader {
        connection.pragma_update(None, "query_only", true)?;
    }
    Ok(())
}

fn check(connection: &Connection, options: &Options) -> Result<(), StoreError> {
    let synchronous = match options.synchronous {
        Synchronous::Full => "2",
        Synchronous::Normal => "1",
    };
    for (setting, wanted) in [("journal_mode", "wal"), ("synchronous", synchronous)] {
        let found = connection
            .pragma_query_value(None, setting, |row| row.get::<_, rusqlite::types::Value>(0))
            .map_err(|error| fault(&operation(options), error))?;
        let found = match found {
            rusqlite::types::Value::Text(text) => text,
            rusqlite::types::Value::Integer(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        if found != wanted {
            return Err(differs(setting, found, wanted, operation(options)));
        }
    }
    Ok(())
}

fn differs(setting: &str, found: String, wanted: &str, operation: String) -> StoreError {
    let kind = StoreErrorKind::Setting { setting: setting.to_owned(), found, wanted: wanted.to_owned() };
    StoreError::new(kind, operation)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn nothing_is_prepared_again_for_another_value() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("retell.db");
        drop(crate::Sqlite::open(&path).unwrap());
        for role in [Role::Writer, Role::Reader] {
            let connection = open(&Options::new(&path), role).unwrap();
            // Indexes of open runs only might serve it, if what is bound says that.
            let text = "SELECT id FROM runs WHERE namespace = ?1 AND workflow_id = ?2 AND status = ?3";
            let mut statement = connection.prepare(text).unwrap();
            for status in 0..3 {
                assert!(!statement.exists((1, "order", status)).unwrap());
            }
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        }
    }
}
