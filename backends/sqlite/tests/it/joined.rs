//! Starts and signals inside the user's own transaction: both, or neither.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use retell::backend::StoreErrorKind;
use retell::block_on;
use retell::client::{SendError, StartError};
use retell::prelude::*;
use retell::vocabulary::RequestId;
use retell_sqlite::Sqlite;
use retell_sqlite::rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::kit::{folder, on_a_runtime};

#[retell::workflow]
async fn process(cx: WorkflowContext, order: u32) -> WorkflowResult<String> {
    let paid: u32 = cx.signal("paid").await?;
    Ok(format!("order {order}: {paid}"))
}

#[retell::workflow]
async fn ship(_cx: WorkflowContext, order: u32) -> WorkflowResult<u32> {
    Ok(order)
}

/// A store in a file with a table of the user's, and an engine on it.
struct Shop {
    folder: TempDir,
    store: Arc<Sqlite>,
    engine: Engine,
}

impl Shop {
    async fn open() -> Self {
        let folder = folder();
        let store = Arc::new(Sqlite::open(folder.path().join("shop.db")).unwrap());
        let setup = store.connection().unwrap();
        setup.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY)").unwrap();
        let engine = Orchestrator::new(store.clone()).workflow(process).workflow(ship).start().await.unwrap();
        Self { folder, store, engine }
    }

    fn connection(&self) -> Connection {
        self.store.connection().unwrap()
    }

    fn orders(&self) -> u32 {
        count(&self.connection())
    }

    /// Keeps the store busy until what writes beside it is done.
    async fn is_busy_beside(&self, writing: JoinHandle<()>) {
        let mut started = 0;
        while !writing.is_finished() {
            self.engine.start(ship, format!("theirs-{started}"), started).await.unwrap();
            started += 1;
        }
        writing.await.unwrap();
    }
}

fn count(connection: &Connection) -> u32 {
    connection.query_row("SELECT count(*) FROM orders", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_start_and_a_row_are_both_there_or_neither_is() {
    on_a_runtime(async {
        let shop = Shop::open().await;
        let mut connection = shop.connection();
        let mut tx = connection.transaction().unwrap();
        tx.execute("INSERT INTO orders VALUES (1)", []).unwrap();
        let undone = shop.engine.start(ship, "order-1", 1).in_transaction(&mut tx).await.unwrap();
        assert!(undone.describe().await.is_err(), "it is not true yet");
        tx.rollback().unwrap();
        assert!(undone.describe().await.is_err());
        assert_eq!(shop.orders(), 0);
        let mut tx = connection.transaction().unwrap();
        tx.execute("INSERT INTO orders VALUES (1)", []).unwrap();
        let run = shop.engine.start(ship, "order-1", 1).in_transaction(&mut tx).await.unwrap();
        tx.commit().unwrap();
        assert_eq!((shop.orders(), run.result().await.unwrap()), (1, 1));
        shop.engine.shutdown().await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_in_a_transaction_is_sent_when_it_commits() {
    let shop = Shop::open().await;
    let waiting = shop.engine.start(process, "order-1", 1).await.unwrap();
    let mut connection = shop.connection();
    for (paid, commits) in [(5, false), (7, true)] {
        let mut tx = connection.transaction().unwrap();
        tx.execute("INSERT INTO orders VALUES (1)", []).unwrap();
        waiting.in_transaction(&mut tx).signal("paid", &paid).await.unwrap();
        if commits {
            tx.commit().unwrap();
        }
    }
    assert_eq!(waiting.result().await.unwrap(), "order 1: 7");
    shop.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_be_started_and_spoken_to_in_one_transaction() {
    let shop = Shop::open().await;
    let mut connection = shop.connection();
    let mut tx = connection.transaction().unwrap();
    let first = shop.engine.start(process, "order-1", 1).in_transaction(&mut tx).await.unwrap();
    first.in_transaction(&mut tx).signal("paid", &3).await.unwrap();
    // Signal with start, to the run that is open in this transaction, and to a new one.
    let same = shop.engine.start(process, "order-1", 1).with_signal("paid", &4);
    assert_eq!(same.in_transaction(&mut tx).await.unwrap().run_id(), first.run_id());
    let second = shop.engine.start(process, "order-2", 2).with_signal("paid", &5);
    let second = second.in_transaction(&mut tx).await.unwrap();
    let third = shop.engine.start(process, "order-3", 3).in_transaction(&mut tx).await.unwrap();
    third.in_transaction(&mut tx).cancel("not wanted").await.unwrap();
    tx.commit().unwrap();
    assert_eq!(first.result().await.unwrap(), "order 1: 3");
    assert_eq!(second.result().await.unwrap(), "order 2: 5");
    assert!(matches!(third.result().await, Err(retell::client::ResultError::Cancelled)));
    shop.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_typed_and_leaves_the_transaction_usable() {
    let shop = Shop::open().await;
    let open = shop.engine.start(process, "order-1", 1).await.unwrap();
    let mut connection = shop.connection();
    let mut tx = connection.transaction().unwrap();
    let taken = shop.engine.start(process, "order-1", 1).in_transaction(&mut tx).await.unwrap_err();
    let StartError::IdTaken(existing) = taken else { panic!("{taken:?}") };
    assert_eq!(Some(existing.run.run_id), open.run_id());
    let nobody = shop.engine.handle(process, "order-9").unwrap();
    let sent = nobody.in_transaction(&mut tx).signal("paid", &1).await;
    assert!(matches!(sent, Err(SendError::NotFound)), "{sent:?}");
    tx.execute("INSERT INTO orders VALUES (1)", []).unwrap();
    let other = shop.engine.start(ship, "order-2", 2).in_transaction(&mut tx).await.unwrap();
    tx.commit().unwrap();
    assert_eq!((other.result().await.unwrap(), shop.orders()), (2, 1));
    shop.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_done_again_counts_once() {
    let shop = Shop::open().await;
    let request = RequestId::from_key("checkout 7");
    let mut connection = shop.connection();
    let mut runs = Vec::new();
    for _ in 0..2 {
        let mut tx = connection.transaction().unwrap();
        let start = shop.engine.start(ship, "order-7", 7).request_id(request);
        runs.push(start.in_transaction(&mut tx).await.unwrap().run_id());
        tx.commit().unwrap();
    }
    assert_eq!(runs[0], runs[1]);
    shop.engine.shutdown().await;
}

/// Somebody wrote since the transaction began to read: it can no longer write, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_met_another_is_to_be_done_again() {
    let shop = Shop::open().await;
    let (mut first, mut second) = (shop.connection(), shop.connection());
    let mut reading = first.transaction().unwrap();
    assert_eq!(count(&reading), 0);
    let mut writing = second.transaction().unwrap();
    let run = shop.engine.start(ship, "order-1", 1).in_transaction(&mut writing).await.unwrap();
    writing.commit().unwrap();
    let met = shop.engine.start(ship, "order-2", 2).in_transaction(&mut reading).await.unwrap_err();
    let StartError::Transaction(error) = met else { panic!("{met:?}") };
    assert_eq!(error.kind, StoreErrorKind::Conflict, "{error:?}");
    reading.rollback().unwrap();
    let mut again = first.transaction().unwrap();
    let other = shop.engine.start(ship, "order-2", 2).in_transaction(&mut again).await.unwrap();
    again.commit().unwrap();
    assert_eq!((run.result().await.unwrap(), other.result().await.unwrap()), (1, 2));
    shop.engine.shutdown().await;
}

async fn foreign(shop: &Shop, connection: &mut Connection) -> String {
    let mut tx = connection.transaction().unwrap();
    let error = shop.engine.start(ship, "order-1", 1).in_transaction(&mut tx).await.unwrap_err();
    let StartError::Transaction(error) = error else { panic!("{error:?}") };
    let StoreErrorKind::ForeignTransaction(reason) = error.kind else { panic!("{error:?}") };
    reason
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_of_another_file_is_refused() {
    let shop = Shop::open().await;
    let other = shop.folder.path().join("other.db");
    let mut connection = Connection::open(&other).unwrap();
    assert!(foreign(&shop, &mut connection).await.contains("other.db"));
    assert!(shop.store.begin(&mut connection).is_err());
    // With the store's file attached its tables are found, but commit apart.
    let path = shop.folder.path().join("shop.db");
    connection.execute("ATTACH ?1 AS shop", [path.to_str().unwrap()]).unwrap();
    assert!(foreign(&shop, &mut connection).await.contains("attached"));
    // Another store, as good as this one.
    let another = Sqlite::open(shop.folder.path().join("another.db")).unwrap();
    assert!(foreign(&shop, &mut another.connection().unwrap()).await.contains("another.db"));
    shop.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_refused_by_an_engine_on_another_kind_of_store() {
    let shop = Shop::open().await;
    let memory = Orchestrator::new(retell_memory::Memory::new()).client();
    let mut connection = shop.connection();
    let mut tx = connection.transaction().unwrap();
    let error = memory.start(ship, "order-1", 1).in_transaction(&mut tx).await.unwrap_err();
    let StartError::Transaction(error) = error else { panic!("{error:?}") };
    assert!(matches!(error.kind, StoreErrorKind::ForeignTransaction(_)), "{error:?}");
    shop.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_where_no_transaction_is_open() {
    let shop = Shop::open().await;
    let connection = shop.connection();
    let error = shop.store.apply_in(&connection, &[]).unwrap_err();
    assert!(matches!(error.kind, StoreErrorKind::ForeignTransaction(_)), "{error:?}");
    shop.engine.shutdown().await;
}

/// H7, H14.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_less_durable_than_the_store_is_refused() {
    let shop = Shop::open().await;
    let mut connection = shop.connection();
    connection.pragma_update(None, "synchronous", "normal").unwrap();
    let mut tx = connection.transaction().unwrap();
    let error = shop.engine.start(ship, "order-1", 1).in_transaction(&mut tx).await.unwrap_err();
    let StartError::Transaction(error) = error else { panic!("{error:?}") };
    let StoreErrorKind::Setting { setting, found, .. } = error.kind else { panic!("{error:?}") };
    assert_eq!((&*setting, &*found), ("synchronous", "1"));
    shop.engine.shutdown().await;
}

/// A transaction that the store begins waits for those who write, and is waited for: it never finds the file locked, and
/// neither do the engine's writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_has_its_turn_beside_a_busy_store() {
    const TURNS: u32 = 40;
    let shop = Shop::open().await;
    let (store, client) = (shop.store.clone(), shop.engine.client().clone());
    let writing = tokio::task::spawn_blocking(move || {
        let mut connection = store.connection().unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        for order in 0..TURNS {
            let mut tx = store.begin(&mut connection).unwrap();
            tx.execute("INSERT INTO orders VALUES (?1)", [order]).unwrap();
            block_on(client.start(ship, format!("mine-{order}"), order).in_transaction(&mut tx)).unwrap();
            tx.commit().unwrap();
        }
    });
    shop.is_busy_beside(writing).await;
    for order in 0..TURNS {
        let run = shop.engine.handle(ship, format!("mine-{order}")).unwrap();
        assert_eq!(run.result().await.unwrap(), order);
    }
    assert_eq!(shop.orders(), TURNS);
    shop.engine.shutdown().await;
}

/// One that any `rusqlite` program begins has no turn, but what is written in it first takes the right to write, and waits
/// for that as long as its connection does: no write of the engine comes between what it read and what it writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_transaction_that_has_read_nothing_meets_no_conflict_beside_a_busy_store() {
    const TURNS: u32 = 100;
    let shop = Shop::open().await;
    let (store, client) = (shop.store.clone(), shop.engine.client().clone());
    let writing = tokio::task::spawn_blocking(move || {
        let mut connection = store.connection().unwrap();
        connection.busy_timeout(Duration::from_secs(30)).unwrap();
        for order in 0..TURNS {
            let mut tx = connection.transaction().unwrap();
            block_on(client.start(ship, format!("mine-{order}"), order).in_transaction(&mut tx)).unwrap();
            tx.commit().unwrap();
        }
    });
    shop.is_busy_beside(writing).await;
    shop.engine.shutdown().await;
}

/// One that the store begins has the right to write before it reads: whoever else writes, and knows of no turn, waits.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_between_what_a_begun_transaction_reads_and_what_it_writes() {
    let shop = Shop::open().await;
    let (mut connection, stranger) = (shop.connection(), shop.connection());
    stranger.busy_timeout(Duration::ZERO).unwrap();
    let mut tx = shop.store.begin(&mut connection).unwrap();
    assert_eq!(count(&tx), 0);
    let refused = stranger.execute("INSERT INTO orders VALUES (1)", []).unwrap_err();
    assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
    block_on(shop.engine.client().start(ship, "order-1", 1).in_transaction(&mut tx)).unwrap();
    tx.commit().unwrap();
    // The engine is at what was started, and writes too.
    stranger.busy_timeout(Duration::from_secs(30)).unwrap();
    stranger.execute("INSERT INTO orders VALUES (1)", []).unwrap();
    shop.engine.shutdown().await;
}

fn adopted(path: &Path) -> Result<Sqlite, retell::backend::StoreError> {
    Sqlite::options(path).among_other_tables().open()
}

#[test]
fn the_tables_of_a_store_may_join_those_of_a_program() {
    let folder = folder();
    let path = folder.path().join("app.db");
    let app = Connection::open(&path).unwrap();
    // A migration tool keeps its version here.
    app.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY); PRAGMA user_version = 12").unwrap();
    assert!(matches!(Sqlite::open(&path).unwrap_err().kind, StoreErrorKind::NotAStore(_)));
    drop(adopted(&path).unwrap());
    app.execute_batch("PRAGMA user_version = 13").unwrap();
    // From then on it is a store to whoever opens it.
    for open in [adopted(&path), Sqlite::open(&path)] {
        let store = open.unwrap();
        assert_eq!(count(&store.connection().unwrap()), 0);
    }
    let versions: (u32, u32) = app
        .query_row(
            "SELECT user_version, application_id FROM pragma_user_version, pragma_application_id",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(versions, (13, 0), "the header is the program's own");
    app.execute_batch("INSERT INTO retell_versions VALUES (99)").unwrap();
    assert_eq!(adopted(&path).unwrap_err().kind, StoreErrorKind::Newer { found: 99, known: 2 });
}

#[test]
fn a_program_whose_tables_have_the_stores_names_is_refused_and_left_alone() {
    let folder = folder();
    let path = folder.path().join("app.db");
    let app = Connection::open(&path).unwrap();
    app.execute_batch("CREATE TABLE runs (distance INTEGER)").unwrap();
    let error = adopted(&path).unwrap_err();
    let StoreErrorKind::NotAStore(reason) = &error.kind else { panic!("{error:?}") };
    assert!(reason.contains("runs"), "{reason}");
    let tables: u32 = app.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

/// A wait that is not the transaction's own: nothing that the user wrote is half there.
#[tokio::test(flavor = "multi_thread")]
async fn an_interceptor_stands_around_calls_in_a_transaction() {
    use retell::around::{Body, CallFault, ClientCall, Interceptor};
    use retell::vocabulary::Failure;

    struct Refuses;

    impl Interceptor for Refuses {
        fn call<'a>(
            &'a self,
            call: &'a ClientCall,
            body: Body<'a, Result<(), CallFault>>,
        ) -> Body<'a, Result<(), CallFault>> {
            Box::pin(async move {
                if call.workflow_id.as_str() == "forbidden" {
                    return Err(CallFault::refused(Failure::new("Forbidden", "no")));
                }
                body.await
            })
        }
    }

    let shop = Shop::open().await;
    let client = Orchestrator::new(shop.store.clone()).intercept(Refuses).client();
    let mut connection = shop.connection();
    let mut tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let refused = client.start(ship, "forbidden", 1).in_transaction(&mut tx).await;
    assert!(matches!(refused, Err(StartError::Intercepted(_))), "{refused:?}");
    let run = client.start(ship, "order-1", 1).in_transaction(&mut tx).await.unwrap();
    let taken = client.start(ship, "order-1", 1).in_transaction(&mut tx).await;
    assert!(matches!(taken, Err(StartError::IdTaken(_))), "{taken:?}");
    tx.commit().unwrap();
    assert_eq!(run.result().await.unwrap(), 1);
    let gone = shop.engine.handle(ship, "forbidden").unwrap().describe().await;
    assert!(gone.is_err());
    let closed = shop.engine.handle(ship, "order-1").unwrap();
    let mut tx = connection.transaction().unwrap();
    let sent = closed.in_transaction(&mut tx).signal("paid", &1).await;
    assert!(matches!(sent, Err(SendError::Closed(_))), "{sent:?}");
    drop(tx);
    shop.engine.shutdown().await;
}
