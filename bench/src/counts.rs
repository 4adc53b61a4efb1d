//! What work costs in commits, rows and bytes: figures that no machine changes, asserted so that they cannot creep.
//!
//! The clock stands still, so that no lease is renewed and every commit is the runs' own; runs go one at a time, so that
//! none shares a commit. A start is one commit of two writes, the start and the first task, each with its record.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use retell::clock::ManualClock;
use retell::vocabulary::Timestamp;
use retell::{Engine, Orchestrator};
use retell_sqlite::Sqlite;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::measure::{Counts, Tap};
use crate::workload::{Marks, alone, register};

/// An engine on a counted store whose time stands still.
struct Still {
    engine: Engine,
    tap: Arc<Tap>,
    sqlite: Arc<Sqlite>,
    file: PathBuf,
    _folder: TempDir,
}

/// What something cost.
#[derive(Debug)]
struct Cost {
    counts: Counts,
    commits: u64,
    /// Rows that are there more than before, by table.
    rows: BTreeMap<String, i64>,
    /// By which the write-ahead log grew.
    log_bytes: u64,
}

impl Still {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let clock = ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000));
        let file = folder.path().join("counts.db");
        let sqlite = Arc::new(Sqlite::options(&file).clock(Arc::new(clock.clone())).open().unwrap());
        let tap = Arc::new(Tap::new(sqlite.clone()));
        let orchestrator = register(Orchestrator::new(tap.clone()).clock(clock)).state(Marks::default());
        let engine = orchestrator.start().await.unwrap();
        let still = Self { engine, tap, sqlite, file, _folder: folder };
        // The first run of a workflow adds what later ones find.
        still.cost(alone::chain(&still.engine, 1)).await;
        still.cost(alone::steps(&still.engine, 1)).await;
        still
    }

    async fn cost(&self, work: impl Future<Output = Result<(), crate::Failure>>) -> Cost {
        let (counts, commits) = (self.tap.counts(), self.sqlite.commits());
        let (rows, log) = (rows(&self.file), log_bytes(&self.file));
        work.await.unwrap();
        let grown = |(table, count): (String, i64)| {
            let more = count - rows[&table];
            (more != 0).then_some((table, more))
        };
        Cost {
            counts: self.tap.counts() - counts,
            commits: self.sqlite.commits() - commits,
            rows: self::rows(&self.file).into_iter().filter_map(grown).collect(),
            log_bytes: log_bytes(&self.file) - log,
        }
    }
}

/// How many rows each table holds.
fn rows(file: &Path) -> BTreeMap<String, i64> {
    let connection = Connection::open(file).unwrap();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut tables = connection.prepare(tables).unwrap();
    let names: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let count = |table: &String| {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    names.iter().map(|table| (table.clone(), count(table))).collect()
}

fn log_bytes(file: &Path) -> u64 {
    std::fs::metadata(format!("{}-wal", file.display())).unwrap().len()
}

fn check_rows(cost: &Cost, expected: &[(&str, i64)]) {
    let expected: BTreeMap<_, _> =
        expected.iter().map(|(table, more)| ((*table).to_owned(), *more)).collect();
    assert_eq!(cost.rows, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activity_step_is_one_commit_and_one_row() {
    let still = Still::new().await;
    let cost = still.cost(alone::chain(&still.engine, 20)).await;
    assert_eq!((cost.commits, cost.counts.batches, cost.counts.writes), (21, 21, 22));
    assert_eq!((cost.counts.starts, cost.counts.closings, cost.counts.records), (1, 1, 22));
    assert_eq!((cost.counts.queued, cost.counts.messages), (0, 0), "the queue is the overflow path");
    check_rows(&cost, &[("records", 22), ("runs", 1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inline_step_is_one_commit_and_one_row() {
    let still = Still::new().await;
    let cost = still.cost(alone::steps(&still.engine, 3)).await;
    assert_eq!((cost.commits, cost.counts.records, cost.counts.queued), (4, 5, 0));
    check_rows(&cost, &[("records", 5), ("runs", 1)]);
}

/// Each payload of 100 bytes is in two events of a step: what it was called with and what came of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_add_little_to_their_payloads() {
    let still = Still::new().await;
    let cost = still.cost(alone::chain(&still.engine, 100)).await;
    let each = cost.counts.record_bytes / 100;
    assert!((200..400).contains(&each), "{each} bytes of events for a step with 200 bytes of payloads");
}

/// Whole pages are logged, and each once for each commit that changes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_logs_few_pages() {
    let still = Still::new().await;
    let workflow = still.cost(alone::chain(&still.engine, 1)).await.log_bytes;
    assert!(workflow <= 58_000, "{workflow} bytes for a workflow of one activity alone");
    let steps = still.cost(alone::chain(&still.engine, 200)).await.log_bytes / 200;
    assert!(steps <= 13_800, "{steps} bytes for an activity step alone");
}
