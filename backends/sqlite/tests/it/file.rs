//! Files that are no Retell databases, that are newer, locked, or opened with settings that do not hold.

use std::fs;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use retell::backend::{Backend, StoreError, StoreErrorKind};
use retell_sqlite::{Sqlite, Synchronous};
use rusqlite::Connection;

use crate::kit::{apply, block_on, events, folder, start, try_apply, write};
use crate::vfs::{Disk, Shape};

fn refused(path: &std::path::Path) -> StoreError {
    Sqlite::open(path).unwrap_err()
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = folder();
    let path = folder.path().join("notes.txt");
    let text = "These are notes and no database at all. ".repeat(100);
    fs::write(&path, &text).unwrap();
    let error = refused(&path);
    assert!(matches!(error.kind, StoreErrorKind::NotAStore(_)), "{error:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let folder = folder();
    let path = folder.path().join("other.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE notes (text)").unwrap();
    let before = fs::read(&path).unwrap();
    let error = refused(&path);
    assert!(matches!(error.kind, StoreErrorKind::NotAStore(_)), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_database_of_a_newer_program_is_refused_and_left_alone() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    drop(Sqlite::open(&path).unwrap());
    let raw = Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    let error = refused(&path);
    assert_eq!(error.kind, StoreErrorKind::Newer { found: 99, known: 2 });
    assert!(error.to_string().contains("update this program"), "{error}");
}

/// A file of the version before is brought to this one by many at once, while a process of that version writes to it: what
/// it writes is taken.
#[test]
fn a_file_of_the_version_before_is_brought_up_by_many_at_once_while_it_is_used() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../../src/schema.sql")).unwrap();
    old.pragma_update(None, "application_id", 0x7274_6c6c).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    old.pragma_update(None, "journal_mode", "WAL").unwrap();
    old.busy_timeout(Duration::from_secs(10)).unwrap();
    let opened = std::sync::atomic::AtomicUsize::new(0);
    let written = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                drop(Sqlite::open(&path).unwrap());
                opened.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            });
        }
        let mut written: u32 = 0;
        while written < 3 || opened.load(std::sync::atomic::Ordering::SeqCst) < 4 {
            written += 1;
            let worker = u128::from(written).to_be_bytes();
            old.execute("INSERT INTO workers (worker, identity, expires_at) VALUES (?1, 'old', 1)", [worker])
                .unwrap();
        }
        written
    });
    let count = |what: &str| old.query_row(what, [], |row| row.get::<_, u32>(0)).unwrap();
    assert_eq!(count("SELECT user_version FROM pragma_user_version"), 2);
    assert_eq!(count("SELECT count(*) FROM workers"), written);
    apply(&Sqlite::open(&path).unwrap(), start("a", None));
}

#[test]
fn a_folder_that_does_not_exist_is_a_typed_error() {
    let error = refused(&folder().path().join("nowhere").join("retell.db"));
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error:?}");
}

#[test]
fn a_database_survives_being_closed_and_opened() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let start = start("a", None);
    apply(&Sqlite::open(&path).unwrap(), start.clone());
    assert_eq!(events(&Sqlite::open(&path).unwrap(), &start.run), 1);
}

/// As happens when the runtime has gone on which somebody waited for an outcome.
#[test]
fn a_store_may_be_dropped_last_by_the_thread_that_tells_an_outcome() {
    struct Dropper {
        held: Mutex<Option<BoxFuture<'static, ()>>>,
        tell: mpsc::Sender<bool>,
    }
    impl Wake for Dropper {
        fn wake(self: Arc<Self>) {
            let held = self.held.lock().unwrap().take();
            let dropped = std::panic::catch_unwind(AssertUnwindSafe(|| drop(held)));
            self.tell.send(dropped.is_ok()).unwrap();
        }
    }
    let folder = folder();
    let path = folder.path().join("orders.db");
    let store = Sqlite::open(&path).unwrap();
    let start = start("order-42", None);
    let run = start.run.clone();
    let (tell, told) = mpsc::channel();
    let dropper = Arc::new(Dropper { held: Mutex::new(None), tell });
    let mut held = dropper.held.lock().unwrap();
    let mut waits: BoxFuture<'static, ()> = Box::pin(async move {
        _ = store.apply(vec![write(start)].into()).await;
        std::future::pending::<()>().await;
    });
    assert!(waits.poll_unpin(&mut Context::from_waker(&dropper.clone().into())).is_pending());
    *held = Some(waits);
    drop(held);
    assert!(told.recv().unwrap(), "dropping it panicked");
    assert_eq!(events(&Sqlite::open(&path).unwrap(), &run), 1);
}

#[test]
fn a_setting_that_does_not_hold_refuses_to_open() {
    let folder = folder();
    // Without shared memory SQLite quietly keeps its rollback journal when it is asked for a write-ahead log.
    let disk = Disk::register("no-shared-memory", Shape::WithoutSharedMemory);
    let error = Sqlite::options(folder.path().join("retell.db")).vfs(disk.name()).open().unwrap_err();
    let StoreErrorKind::Setting { setting, found, wanted } = error.kind else { panic!("{error:?}") };
    assert_eq!((&*setting, &*found, &*wanted), ("journal_mode", "delete", "wal"));
}

#[test]
fn a_store_in_memory_is_not_mistaken_for_a_file() {
    let error = refused(":memory:".as_ref());
    assert!(matches!(error.kind, StoreErrorKind::Setting { .. }), "{error:?}");
}

#[test]
fn the_weaker_setting_is_chosen_by_name() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let store = Sqlite::options(path).synchronous(Synchronous::Normal).open().unwrap();
    apply(&store, start("a", None));
}

#[test]
fn a_file_locked_by_another_program_is_waited_for() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let store = Sqlite::open(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut waiting = Box::pin(try_apply(&store, start("a", None)));
    for _ in 0..1_000 {
        assert!((&mut waiting).now_or_never().is_none(), "it waits, and does not fail");
        std::thread::yield_now();
    }
    other.execute_batch("COMMIT").unwrap();
    block_on(waiting).unwrap().unwrap();
}

#[test]
fn a_file_that_stays_locked_is_unavailable_and_the_write_may_be_applied_again() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let store = Sqlite::options(&path).busy_wait(Duration::ZERO).open().unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let start = start("a", None);
    let error = block_on(try_apply(&store, start.clone())).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error:?}");
    other.execute_batch("COMMIT").unwrap();
    apply(&store, start.clone());
    assert_eq!(events(&store, &start.run), 1);
}

#[test]
fn all_who_open_a_new_file_at_once_get_it() {
    for _ in 0..20 {
        let folder = folder();
        let path = folder.path().join("retell.db");
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    Sqlite::open(&path).unwrap();
                });
            }
        });
    }
}
