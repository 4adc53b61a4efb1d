//! What a commit costs, counted: writes that wait together share one transaction, and a step is one record and one row.

use futures::future::join_all;
use retell::backend::Backend;
use retell_sqlite::Sqlite;
use rusqlite::Connection;

use crate::kit::{apply, block_on, claimed, commit, folder, sleeping, start, try_apply, worker, write};

#[test]
fn a_batch_is_one_transaction() {
    let folder = folder();
    let store = Sqlite::open(folder.path().join("retell.db")).unwrap();
    let before = store.commits();
    let batch = (0..100).map(|number| write(start(&format!("order-{number}"), None))).collect();
    assert!(block_on(store.apply(batch)).unwrap().iter().all(Result::is_ok));
    assert_eq!(store.commits() - before, 1);
}

#[test]
fn writes_that_wait_share_the_next_transaction() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let store = Sqlite::open(&path).unwrap();
    // While another program holds the file, everything gathers behind the first write.
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let before = store.commits();
    let ids: Vec<String> = (0..100).map(|number| format!("order-{number}")).collect();
    let mut writes = Box::pin(join_all(ids.iter().map(|id| try_apply(&store, start(id, None)))));
    assert!(futures::FutureExt::now_or_never(&mut writes).is_none());
    other.execute_batch("COMMIT").unwrap();
    assert!(block_on(writes).iter().all(|outcome| matches!(outcome, Ok(Ok(_)))));
    assert!(store.commits() - before <= 2, "the first goes alone at most, the rest together");
}

#[test]
fn a_step_writes_one_record_and_no_queue() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let store = Sqlite::open(&path).unwrap();
    let worker = worker(&store);
    let start = start("a", Some(worker));
    apply(&store, start.clone());
    let raw = Connection::open(&path).unwrap();
    let rows = || -> (u64, u64) {
        let records = "SELECT count(*) FROM records";
        let others = "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM activities) \
                      + (SELECT count(*) FROM requests) + (SELECT count(*) FROM runs)";
        let count = |sql| raw.query_row(sql, [], |row| row.get(0)).unwrap();
        (count(records), count(others))
    };
    let (records, others) = rows();
    let before = store.commits();
    for head in 1..=10 {
        apply(&store, commit(&start.run, worker, 1, head, 300));
    }
    assert_eq!(store.commits() - before, 10);
    assert_eq!(rows(), (records + 10, others));
}

#[test]
fn dead_holders_of_sleeping_runs_do_not_pile_up() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    for number in 0..40 {
        let store = Sqlite::open(&path).unwrap();
        let worker = worker(&store);
        let start = start(&format!("order-{number}"), Some(worker));
        apply(&store, start.clone());
        apply(&store, sleeping(commit(&start.run, worker, 1, 1, 10)));
    }
    let store = Sqlite::open(&path).unwrap();
    let worker = worker(&store);
    for _ in 0..40 {
        assert!(claimed(&store, worker).runs.is_empty(), "nobody is woken");
    }
    let held = "SELECT count(DISTINCT owner) FROM runs WHERE owner <> 0";
    let holders: u64 = Connection::open(&path).unwrap().query_row(held, [], |row| row.get(0)).unwrap();
    assert!(holders <= 16, "{holders} dead workers still hold runs");
}
