//! Starts and signals inside the user's own transaction, and activities whose outcome commits with it. The same on each
//! server: `subject` says which.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use retell::backend::StoreErrorKind;
use retell::client::{SendError, StartError};
use retell::prelude::*;
use retell::vocabulary::{Failure, RequestId};
use retell_servers::{Endpoint, Proxy, Server, shared};
use sqlx::AssertSqlSafe;
use tokio::sync::Notify;

use crate::subject::{Database, KIND, Pool, Store, open};

type Tx<'c> = sqlx::Transaction<'c, Database>;

#[retell::workflow]
async fn process(cx: WorkflowContext, order: u32) -> WorkflowResult<String> {
    let paid: u32 = cx.signal("paid").await?;
    Ok(format!("order {order}: {paid}"))
}

#[retell::workflow]
async fn ship(_cx: WorkflowContext, order: u32) -> WorkflowResult<u32> {
    Ok(order)
}

/// What an attempt does before it commits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Commit,
    Fail,
    CommitThenFail,
    /// Says that it has begun, and goes on when it is told to.
    Wait,
}

/// What the attempts of a test do; the last of a list comes first.
#[derive(Default)]
struct Plan {
    acts: Mutex<Vec<Act>>,
    begun: Notify,
    /// By which one that waits can be ended.
    token: Mutex<Option<ActivityToken>>,
    go: Notify,
    /// What the commit of an attempt that waited came to.
    waited: Mutex<Option<Result<u32, Failure>>>,
    told: Notify,
}

impl Plan {
    fn of(acts: &[Act]) -> Arc<Self> {
        Arc::new(Self { acts: Mutex::new(acts.iter().rev().copied().collect()), ..Self::default() })
    }
}

async fn insert(tx: &mut Tx<'_>, cents: u32, attempt: u32) -> Result<(), sqlx::Error> {
    let text = format!("INSERT INTO effects (cents, attempt) VALUES ({cents}, {attempt})");
    sqlx::query(AssertSqlSafe(text)).execute(&mut **tx).await.map(drop)
}

#[retell::activity(transactional)]
async fn transfer(cx: ActivityContext, cents: u32) -> Result<u32, ActivityError> {
    let (pool, plan) = (cx.state::<Pool>()?, cx.state::<Arc<Plan>>()?);
    let act = plan.acts.lock().unwrap().pop().unwrap_or(Act::Commit);
    if act == Act::Wait {
        let token = cx.token().await?;
        *plan.token.lock().unwrap() = Some(token);
        plan.begun.notify_one();
        plan.go.notified().await;
    }
    let mut tx = pool.begin().await?;
    insert(&mut tx, cents, cx.attempt().0).await?;
    if act == Act::Fail {
        return Err(ActivityError::new("Declined", "not today"));
    }
    let done = cx.commit(tx, cents + cx.attempt().0).await;
    match act {
        Act::Wait => {
            let told = done.as_ref().map(|done| *done).map_err(|error| error.failure().clone());
            *plan.waited.lock().unwrap() = Some(told);
            plan.told.notify_one();
            done
        }
        Act::CommitThenFail => Err(ActivityError::new("TooLate", "the outcome is there").non_retryable()),
        Act::Commit | Act::Fail => done,
    }
}

#[retell::workflow]
async fn pay(cx: WorkflowContext, cents: u32) -> WorkflowResult<u32> {
    let policy = RetryPolicy::fixed(Duration::ZERO).attempts(4);
    Ok(cx.activity(transfer, &cents).retry(policy).await?)
}

/// As [`pay`], but the next attempt is in no hurry.
#[retell::workflow]
async fn pay_later(cx: WorkflowContext, cents: u32) -> WorkflowResult<u32> {
    let policy = RetryPolicy::fixed(Duration::from_millis(300));
    Ok(cx.activity(transfer, &cents).retry(policy).await?)
}

/// An engine on a store with the user's tables beside its own.
struct Shop {
    database: Endpoint,
    pool: Pool,
    engine: Engine,
}

impl Shop {
    async fn open() -> Self {
        Self::with_plan(&Plan::of(&[])).await
    }

    async fn with_plan(plan: &Arc<Plan>) -> Self {
        let database = shared(KIND).unwrap().fresh_database().unwrap();
        let store = Arc::new(open(database.url()).await.unwrap());
        let pool = tables(&database).await;
        let engine = orchestrator(&store, &pool, plan).start().await.unwrap();
        Self { database, pool, engine }
    }

    async fn orders(&self) -> i64 {
        count(&self.pool, "orders").await
    }
}

/// Makes the user's tables, and a pool for them.
async fn tables(database: &Endpoint) -> Pool {
    let pool = Pool::connect(database.url()).await.unwrap();
    for table in ["orders (id int)", "effects (cents int, attempt int)"] {
        let text = format!("CREATE TABLE IF NOT EXISTS {table}");
        sqlx::query(AssertSqlSafe(text)).execute(&pool).await.unwrap();
    }
    pool
}

fn orchestrator(store: &Arc<Store>, pool: &Pool, plan: &Arc<Plan>) -> Orchestrator {
    Orchestrator::new(store.clone())
        .workflow(process)
        .workflow(ship)
        .workflow(pay)
        .workflow(pay_later)
        .activity(transfer)
        .state(pool.clone())
        .state(plan.clone())
}

async fn count(pool: &Pool, table: &str) -> i64 {
    let text = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(pool).await.unwrap()
}

async fn order(tx: &mut Tx<'_>) {
    sqlx::query("INSERT INTO orders (id) VALUES (1)").execute(&mut **tx).await.unwrap();
}

/// Each effect with the attempt that had it.
fn effects(database: &Endpoint) -> String {
    database.query("select cents, attempt from effects order by cents").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_and_a_row_are_both_there_or_neither_is() {
    let shop = Shop::open().await;
    let mut tx = shop.pool.begin().await.unwrap();
    order(&mut tx).await;
    let undone = shop.engine.start(ship, "order-1", 1).in_transaction(&mut tx).await.unwrap();
    assert!(undone.describe().await.is_err(), "it is not true yet");
    tx.rollback().await.unwrap();
    assert!(undone.describe().await.is_err());
    assert_eq!(shop.orders().await, 0);
    let mut tx = shop.pool.begin().await.unwrap();
    order(&mut tx).await;
    let run = shop.engine.start(ship, "order-1", 1).in_transaction(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    shop.engine.notice_commit();
    assert_eq!((run.result().await.unwrap(), shop.orders().await), (1, 1));
    shop.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_be_started_and_spoken_to_in_one_transaction() {
    let shop = Shop::open().await;
    let waiting = shop.engine.start(process, "order-0", 0).await.unwrap();
    let mut tx = shop.pool.begin().await.unwrap();
    waiting.in_transaction(&mut tx).signal("paid", &1).await.unwrap();
    tx.rollback().await.unwrap();
    let mut tx = shop.pool.begin().await.unwrap();
    waiting.in_transaction(&mut tx).signal("paid", &2).await.unwrap();
    let first = shop.engine.start(process, "order-1", 1).in_transaction(&mut tx).await.unwrap();
    first.in_transaction(&mut tx).signal("paid", &3).await.unwrap();
    let same = shop.engine.start(process, "order-1", 1).with_signal("paid", &4);
    assert_eq!(same.in_transaction(&mut tx).await.unwrap().run_id(), first.run_id());
    let second = shop.engine.start(process, "order-2", 2).with_signal("paid", &5);
    let second = second.in_transaction(&mut tx).await.unwrap();
    let third = shop.engine.start(process, "order-3", 3).in_transaction(&mut tx).await.unwrap();
    third.in_transaction(&mut tx).cancel("not wanted").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(waiting.result().await.unwrap(), "order 0: 2");
    assert_eq!(first.result().await.unwrap(), "order 1: 3");
    assert_eq!(second.result().await.unwrap(), "order 2: 5");
    assert!(matches!(third.result().await, Err(retell::client::ResultError::Cancelled)));
    shop.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_typed_and_leaves_the_transaction_usable() {
    let shop = Shop::open().await;
    let open = shop.engine.start(process, "order-1", 1).await.unwrap();
    let mut tx = shop.pool.begin().await.unwrap();
    let taken = shop.engine.start(process, "order-1", 1).in_transaction(&mut tx).await.unwrap_err();
    let StartError::IdTaken(existing) = taken else { panic!("{taken:?}") };
    assert_eq!(Some(existing.run.run_id), open.run_id());
    let nobody = shop.engine.handle(process, "order-9").unwrap();
    let sent = nobody.in_transaction(&mut tx).signal("paid", &1).await;
    assert!(matches!(sent, Err(SendError::NotFound)), "{sent:?}");
    order(&mut tx).await;
    let other = shop.engine.start(ship, "order-2", 2).in_transaction(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((other.result().await.unwrap(), shop.orders().await), (2, 1));
    shop.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_done_again_counts_once() {
    let shop = Shop::open().await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let mut tx = shop.pool.begin().await.unwrap();
        let start = shop.engine.start(ship, "order-7", 7).request_id(RequestId::from_key("checkout 7"));
        runs.push(start.in_transaction(&mut tx).await.unwrap().run_id());
        tx.commit().await.unwrap();
    }
    assert_eq!(runs[0], runs[1]);
    shop.engine.shutdown().await;
}

/// The user's tables need not lie where the store's do, and may have the same names.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_names_mean_another_schema_means_it_still_afterwards() {
    let shop = Shop::open().await;
    let theirs = shared(KIND).unwrap().fresh_database().unwrap();
    let pool = tables(&theirs).await;
    sqlx::query("CREATE TABLE runs (distance int)").execute(&pool).await.unwrap();
    for commits in [false, true] {
        let mut tx = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO runs (distance) VALUES (1)").execute(&mut *tx).await.unwrap();
        let run = shop.engine.start(ship, "order-1", 1).in_transaction(&mut tx).await.unwrap();
        let again = shop.engine.start(ship, "order-1", 1).in_transaction(&mut tx).await;
        assert!(matches!(again, Err(StartError::IdTaken(_))), "{again:?}");
        sqlx::query("INSERT INTO runs (distance) VALUES (2)").execute(&mut *tx).await.unwrap();
        if commits {
            tx.commit().await.unwrap();
            assert_eq!(run.result().await.unwrap(), 1);
        }
    }
    assert_eq!(count(&pool, "runs").await, 2);
    shop.engine.shutdown().await;
}

async fn foreign(shop: &Shop, database: &Endpoint) {
    let pool = Pool::connect(database.url()).await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    let error = shop.engine.start(ship, "order-1", 1).in_transaction(&mut tx).await.unwrap_err();
    let StartError::Transaction(error) = error else { panic!("{error:?}") };
    assert!(matches!(error.kind, StoreErrorKind::ForeignTransaction(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_on_another_server_is_refused() {
    let shop = Shop::open().await;
    let server = tokio::task::spawn_blocking(|| Server::start(KIND).unwrap()).await.unwrap();
    let elsewhere = server.fresh_database().unwrap();
    foreign(&shop, &elsewhere).await;
    // Tables of another store make it no better.
    drop(open(elsewhere.url()).await.unwrap());
    foreign(&shop, &elsewhere).await;
    shop.engine.shutdown().await;
    tokio::task::spawn_blocking(|| drop(server)).await.unwrap();
}

/// A server is known by its start, and the connection for names died with it: both are found out by themselves.
#[tokio::test(flavor = "multi_thread")]
async fn transactions_join_again_once_the_server_was_restarted() {
    let server = Arc::new(tokio::task::spawn_blocking(|| Server::start(KIND).unwrap()).await.unwrap());
    let database = server.fresh_database().unwrap();
    let pool = tables(&database).await;
    let client = Orchestrator::new(open(database.url()).await.unwrap()).client();
    for (nth, id) in ["before", "after"].into_iter().enumerate() {
        if nth > 0 {
            let server = server.clone();
            let again = move || {
                server.stop();
                server.restart().unwrap();
            };
            tokio::task::spawn_blocking(again).await.unwrap();
        }
        // The pool finds out, too, that what it kept is gone.
        let mut tx = loop {
            if let Ok(tx) = pool.begin().await {
                break tx;
            }
        };
        let run = client.start(ship, id, 1).in_transaction(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        run.describe().await.unwrap();
    }
    tokio::task::spawn_blocking(|| drop(server)).await.unwrap();
}

/// Two transactions that wait for each other: the server ends one, which is done again whole and leaves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_met_another_is_to_be_done_again() {
    let shop = Shop::open().await;
    let met = Mutex::new(0);
    let both = tokio::sync::Barrier::new(2);
    let (shop_ref, met_ref, both_ref) = (&shop, &met, &both);
    let take = |ids: [u32; 2]| async move {
        for turn in 0.. {
            let mut tx = shop_ref.pool.begin().await.unwrap();
            order(&mut tx).await;
            let mut done = Ok(());
            for (index, id) in ids.into_iter().enumerate() {
                let start = shop_ref.engine.start(ship, format!("order-{id}"), id);
                let start = start.id_conflict(IdConflict::UseExisting);
                if let Err(error) = start.in_transaction(&mut tx).await {
                    done = Err(error);
                    break;
                }
                if turn == 0 && index == 0 {
                    both_ref.wait().await;
                }
            }
            match done {
                Ok(()) => return tx.commit().await.unwrap(),
                Err(StartError::Transaction(error)) => {
                    assert_eq!(error.kind, StoreErrorKind::Conflict, "{error:?}");
                    *met_ref.lock().unwrap() += 1;
                    tx.rollback().await.unwrap();
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    };
    futures::future::join(take([1, 2]), take([2, 1])).await;
    assert_eq!(*met.lock().unwrap(), 1, "one of the two was ended");
    assert_eq!(shop.orders().await, 2);
    for id in [1, 2] {
        let run = shop.engine.handle(ship, format!("order-{id}")).unwrap();
        assert_eq!(run.result().await.unwrap(), id);
    }
    shop.engine.shutdown().await;
}

async fn paid(acts: &[Act]) -> (u32, String) {
    let shop = Shop::with_plan(&Plan::of(acts)).await;
    let paid = shop.engine.start(pay, "pay-1", 100).await.unwrap().result().await.unwrap();
    shop.engine.shutdown().await;
    (paid, effects(&shop.database))
}

/// H5.
#[tokio::test(flavor = "multi_thread")]
async fn the_effect_and_the_outcome_commit_together() {
    assert_eq!(paid(&[Act::Commit]).await, (101, "100\t1".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_fails_leaves_no_effect() {
    assert_eq!(paid(&[Act::Fail, Act::Fail, Act::Commit]).await, (103, "100\t3".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_body_does_after_its_commit_changes_nothing() {
    assert_eq!(paid(&[Act::CommitThenFail]).await, (101, "100\t1".to_owned()));
}

/// H13. Nobody knows whether a commit came through whose answer is lost: the next attempt begins only if it did not.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_has_one_effect() {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    tables(&database).await;
    let proxy = Proxy::before(database.address().unwrap()).unwrap();
    let pool = Pool::connect(database.at(proxy.address()).url()).await.unwrap();
    let store = Arc::new(open(database.url()).await.unwrap());
    let engine = orchestrator(&store, &pool, &Plan::of(&[])).start().await.unwrap();
    for (cents, lost) in [(100, true), (200, false)] {
        let cut = if lost { proxy.cut_before(b"COMMIT") } else { proxy.cut_after(b"COMMIT") };
        let run = engine.start(pay, format!("pay-{cents}"), cents).await.unwrap();
        assert_eq!(run.result().await.unwrap(), cents + if lost { 2 } else { 1 });
        assert!(cut.is_made());
    }
    engine.shutdown().await;
    assert_eq!(effects(&database), "100\t2\n200\t1");
}

/// H5. An attempt that somebody else has ended, behind its worker's back, cannot commit: the store tells it from the next.
#[tokio::test(flavor = "multi_thread")]
async fn a_stale_attempt_is_refused_by_the_store_and_its_effect_rolled_back() {
    let plan = Plan::of(&[Act::Wait]);
    let shop = Shop::with_plan(&plan).await;
    let run = shop.engine.start(pay_later, "pay-1", 100).await.unwrap();
    plan.begun.notified().await;
    let token = plan.token.lock().unwrap().take().unwrap();
    let client = shop.engine.client();
    client.fail_activity(&token, ActivityError::new("GivenUp", "it takes too long")).await.unwrap();
    plan.go.notify_one();
    plan.told.notified().await;
    let told = plan.waited.lock().unwrap().take().unwrap();
    assert_eq!(&*told.unwrap_err().error_type, "AttemptLost");
    assert_eq!(run.result().await.unwrap(), 102);
    shop.engine.shutdown().await;
    assert_eq!(effects(&shop.database), "100\t2");
}
