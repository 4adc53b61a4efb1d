//! How statements find their rows: what a write or a claim costs must not grow with the runs that sleep.

use retell_sqlite::Sqlite;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::kit::folder;

/// The tables that grow with what users do.
const LARGE: [&str; 4] = ["runs", "records", "inbox", "activities"];

/// The statements in the writer's sources: its text literals that begin like one.
fn statements() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/writer");
    let sources =
        std::fs::read_dir(folder).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let mut found = Vec::new();
    for source in sources {
        for text in source.split('"').skip(1) {
            // A line that goes on in the next one.
            let mut lines = text.split("\\\n");
            let first = lines.next().unwrap_or_default().to_owned();
            let statement = lines.fold(first, |statement, line| statement + line.trim_start());
            if ["SELECT ", "UPDATE ", "DELETE "].iter().any(|verb| statement.starts_with(verb)) {
                found.push(statement);
            }
        }
    }
    found
}

/// A million sleeping runs cost an idle poll nothing, because an index leads past them.
#[test]
fn no_write_or_claim_reads_a_whole_table() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    drop(Sqlite::open(&path).unwrap());
    let store = Connection::open(&path).unwrap();
    // As the store's own connections have it: no plan rests on what is bound.
    store.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
    let mut explained = 0;
    for statement in statements() {
        // What is no whole statement is the beginning of one, and is put together elsewhere.
        let Ok(mut plan) = store.prepare(&format!("EXPLAIN QUERY PLAN {statement}")) else { continue };
        let nulls = vec![rusqlite::types::Null; plan.parameter_count()];
        let mut steps = plan.query(rusqlite::params_from_iter(nulls)).unwrap();
        while let Some(step) = steps.next().unwrap() {
            let step: String = step.get(3).unwrap();
            let scans = LARGE.iter().any(|table| step.starts_with(&format!("SCAN {table}")));
            assert!(!scans, "{step}: {statement}");
        }
        explained += 1;
    }
    assert!(explained > 20, "only {explained} statements found");
}
