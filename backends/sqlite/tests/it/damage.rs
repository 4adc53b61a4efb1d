//! Damaged rows: each stops its own run, visibly, and no other.

use std::path::PathBuf;

use retell::backend::{Backend, ListRequest, StatusFilter};
use retell::vocabulary::Namespace;
use retell::write::{Refusal, Start, TaskFailureKind, Write};
use retell_sqlite::Sqlite;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::kit::{apply, block_on, claimed, commit, folder, send, start, worker, write};

struct Damaged {
    folder: TempDir,
    bad: Start,
    good: Start,
}

impl Damaged {
    /// Two runs with a message each; then something happens to the first one.
    fn by(sql: &str) -> Self {
        let damaged = Self { folder: folder(), bad: start("bad", None), good: start("good", None) };
        {
            let store = Sqlite::open(damaged.path()).unwrap();
            for start in [&damaged.bad, &damaged.good] {
                apply(&store, start.clone());
                apply(&store, send(&start.run));
            }
        }
        let changed = Connection::open(damaged.path()).unwrap().execute(sql, []).unwrap();
        assert_eq!(changed, 1, "{sql}");
        damaged
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("retell.db")
    }

    /// The good run is claimed; the bad one is parked and says why, and no claim meets it again.
    fn stops_its_own_run_only(&self) {
        let store = Sqlite::open(self.path()).unwrap();
        let worker = worker(&store);
        let runs = claimed(&store, worker).runs;
        assert_eq!(runs.iter().map(|run| &run.run).collect::<Vec<_>>(), [&self.good.run]);
        apply(&store, commit(&self.good.run, worker, 1, 1, 10));
        assert!(claimed(&store, worker).runs.is_empty());
        let page = block_on(store.list(&list())).unwrap();
        assert_eq!(page.runs.len(), 2, "the list shows both");
        let bad = page.runs.iter().find(|info| info.run == self.bad.run).unwrap();
        let failure = bad.failure.as_ref().unwrap();
        assert_eq!(failure.kind, TaskFailureKind::History);
        assert!(failure.message.contains("damaged"), "{}", failure.message);
    }
}

fn list() -> ListRequest {
    ListRequest {
        namespace: Namespace::default(),
        workflow_id: None,
        workflow: None,
        status: StatusFilter::Any,
        attributes: Vec::new(),
        page_size: 10,
        after: None,
    }
}

#[test]
fn a_damaged_column_parks_its_run_only() {
    Damaged::by("UPDATE runs SET head = 'many' WHERE workflow_id = 'bad'").stops_its_own_run_only();
    Damaged::by("UPDATE runs SET token = x'00' WHERE workflow_id = 'bad'").stops_its_own_run_only();
    Damaged::by("UPDATE runs SET failure = x'c1' WHERE workflow_id = 'bad'").stops_its_own_run_only();
}

#[test]
fn a_damaged_message_parks_its_run_only() {
    Damaged::by("UPDATE inbox SET request_id = 'who' WHERE run = 1").stops_its_own_run_only();
}

#[test]
fn a_write_to_a_damaged_run_spares_its_batch() {
    let damaged = Damaged::by("UPDATE runs SET inbox_last = 'many' WHERE workflow_id = 'bad'");
    let store = Sqlite::open(damaged.path()).unwrap();
    let batch: Vec<Write> =
        vec![write(start("before", None)), write(send(&damaged.bad.run)), write(send(&damaged.good.run))];
    let outcomes = block_on(store.apply(batch.into())).unwrap();
    assert!(matches!(outcomes[..], [Ok(_), Err(Refusal::Invalid(_)), Ok(_)]), "{outcomes:?}");
}

#[test]
fn a_damaged_attribute_map_hides_no_run() {
    let damaged = Damaged::by("UPDATE runs SET attributes = x'c1' WHERE workflow_id = 'bad'");
    let store = Sqlite::open(damaged.path()).unwrap();
    let found = block_on(store.describe(&[damaged.bad.run.into(), damaged.good.run.into()])).unwrap();
    assert!(found[0].as_ref().unwrap().failure.is_some());
    assert!(found[1].as_ref().unwrap().failure.is_none());
}
