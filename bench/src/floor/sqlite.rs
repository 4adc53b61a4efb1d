//! The floor of SQLite: one connection, prepared statements, one transaction for each commit.
//!
//! The tables are the fewest that could hold runs and their records and find them again: a run by its workflow ID, a
//! record by its run and place.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::Load;
use crate::Failure;

const SCHEMA: &str = "
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY, run_id BLOB NOT NULL, workflow_id TEXT NOT NULL,
        head INTEGER NOT NULL, status INTEGER NOT NULL DEFAULT 0
    );
    CREATE UNIQUE INDEX runs_by_workflow_id ON runs (workflow_id);
    CREATE TABLE records (
        id INTEGER PRIMARY KEY, run INTEGER NOT NULL, first INTEGER NOT NULL, bytes BLOB NOT NULL
    );
    CREATE UNIQUE INDEX records_by_run ON records (run, first);";

pub(super) fn measure(load: &Load, synchronous: &str, directory: &Path) -> Result<Duration, Failure> {
    std::fs::create_dir_all(directory)?;
    let folder = tempfile::tempdir_in(directory)?;
    let connection = Connection::open(folder.path().join("floor.db"))?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "cache_size", -32_768)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 4_096, |_| Ok(()))?;
    connection.execute_batch(SCHEMA)?;
    write(&connection, load, 0)?;
    let began = Instant::now();
    write(&connection, load, load.starts)?;
    Ok(began.elapsed())
}

/// Writes a load; its runs follow on `before` others.
fn write(connection: &Connection, load: &Load, before: u64) -> rusqlite::Result<()> {
    let bytes = vec![7_u8; load.record_bytes];
    let runs = load.starts.max(1);
    for commit in 0..load.commits {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut start = connection
            .prepare_cached("INSERT INTO runs (id, run_id, workflow_id, head) VALUES (?, ?, ?, 2)")?;
        for run in load.share(load.starts, commit) {
            let id = before + run;
            start.execute(params![
                id,
                [id.to_be_bytes(), id.to_be_bytes()].concat(),
                format!("bench-{id:032}")
            ])?;
        }
        let mut record =
            connection.prepare_cached("INSERT INTO records (run, first, bytes) VALUES (?, ?, ?)")?;
        for number in load.share(load.records, commit) {
            record.execute(params![before + number % runs, number / runs, bytes])?;
        }
        let mut close = connection.prepare_cached("UPDATE runs SET status = 1, head = 9 WHERE id = ?")?;
        for run in load.share(load.closings, commit) {
            close.execute([before + run])?;
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
    }
    Ok(())
}
