//! A full disk: a typed error, nothing lost, and work goes on when there is room.

use retell::backend::StoreErrorKind;
use retell::vocabulary::RunKey;
use retell_sqlite::Sqlite;

use crate::kit::{apply, block_on, commit, events, folder, start, try_apply, worker};

const PAGES: u32 = 200;

/// Commits until the store is full; answers the head that was acknowledged last.
fn fill(store: &Sqlite, run: &RunKey, worker: retell::vocabulary::WorkerId) -> u64 {
    for head in 1.. {
        match block_on(try_apply(store, commit(run, worker, 1, head, 10_000))) {
            Ok(outcome) => drop(outcome.unwrap()),
            Err(error) => {
                assert_eq!(error.kind, StoreErrorKind::Full, "{error:?}");
                return head;
            }
        }
    }
    unreachable!("the store has a limit")
}

#[test]
fn a_full_disk_is_a_typed_error_and_loses_nothing() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let first = start("a", None);
    let head = {
        let store = Sqlite::options(&path).pages_max(PAGES).open().unwrap();
        let worker = worker(&store);
        let first = retell::write::Start { owner: Some(worker), ..first.clone() };
        apply(&store, first.clone());
        let head = fill(&store, &first.run, worker);
        assert!(head > 10, "there was room for some");
        assert_eq!(events(&store, &first.run), head, "what was acknowledged can be read while it is full");
        let again = block_on(try_apply(&store, commit(&first.run, worker, 1, head, 10_000))).unwrap_err();
        assert_eq!(again.kind, StoreErrorKind::Full, "it stays full, and says so each time");
        head
    };
    assert_eq!(events(&Sqlite::open(&path).unwrap(), &first.run), head);
}

#[test]
fn a_write_that_found_no_room_is_applied_once_there_is_some() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let store = Sqlite::options(&path).pages_max(PAGES).open().unwrap();
    let worker = worker(&store);
    let first = start("a", Some(worker));
    apply(&store, first.clone());
    let head = fill(&store, &first.run, worker);
    // Another handle has no quota: the lease is alive, so the holder's commit passes through it as well.
    let roomy = Sqlite::open(&path).unwrap();
    apply(&roomy, commit(&first.run, worker, 1, head, 10_000));
    assert_eq!(events(&roomy, &first.run), head + 1);
}
