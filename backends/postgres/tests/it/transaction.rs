//! Writes inside the user's own transaction.

use retell::backend::{Backend, StoreErrorKind};
use retell::write::{Applied, Refusal};
use retell_postgres::Postgres;
use retell_servers::{shared, unique_name};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::server::{apply, start};
use crate::subject::KIND;

/// The user's rows and the run become true together, or neither does.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_is_true_if_the_users_transaction_is() {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let pool = PgPool::connect(database.url()).await.unwrap();
    let store = Postgres::with_pool(pool.clone()).await.unwrap();
    sqlx::raw_sql("CREATE TABLE orders (id int)").execute(&pool).await.unwrap();
    for (id, commits) in [("kept", true), ("undone", false)] {
        let mut transaction = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO orders VALUES (1)").execute(&mut *transaction).await.unwrap();
        let order = start(id);
        let outcomes = store.apply_in(&mut transaction, &[order.clone().into()]).await.unwrap();
        assert_eq!(outcomes, [Ok(Applied::Started { run: order.run.clone(), owned: false })]);
        assert_eq!(store.describe(&[order.run.clone().into()]).await.unwrap(), [None], "it is not true yet");
        if commits {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
        let described = store.describe(&[order.run.into()]).await.unwrap();
        assert_eq!(described[0].is_some(), commits);
    }
    assert_eq!(database.query("select count(*) from orders").unwrap(), "1");
}

/// H7, H14. What is acknowledged in the user's transaction is on disk as all else is.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_does_not_wait_for_the_disk_is_refused() {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let pool = PgPool::connect(database.url()).await.unwrap();
    let store = Postgres::with_pool(pool.clone()).await.unwrap();
    let mut transaction = pool.begin().await.unwrap();
    sqlx::raw_sql("SET LOCAL synchronous_commit = off").execute(&mut *transaction).await.unwrap();
    let error = store.apply_in(&mut transaction, &[start("a").into()]).await.unwrap_err();
    let StoreErrorKind::Setting { setting, .. } = &error.kind else { panic!("{error:?}") };
    assert_eq!(setting, "synchronous_commit");
}

/// Under a stricter isolation, what was committed since the transaction began is a conflict, and never overlooked.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_sees_an_older_state_is_to_be_done_again() {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let pool = PgPool::connect(database.url()).await.unwrap();
    let store = Postgres::with_pool(pool.clone()).await.unwrap();
    let mut old = pool.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE").await.unwrap();
    sqlx::raw_sql("SELECT count(*) FROM ids").execute(&mut *old).await.unwrap();
    apply(&store, start("a")).await.unwrap();
    let error = store.apply_in(&mut old, &[start("a").into()]).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Conflict, "{error:?}");
    old.rollback().await.unwrap();
    let mut again = pool.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE").await.unwrap();
    let outcomes = store.apply_in(&mut again, &[start("a").into()]).await.unwrap();
    assert!(matches!(outcomes[..], [Err(Refusal::IdTaken(_))]), "{outcomes:?}");
}

/// A database of the same server commits apart, whatever tables it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_on_another_database_of_the_server_is_refused() {
    let server = shared(KIND).unwrap();
    let store = Postgres::connect(server.fresh_database().unwrap().url()).await.unwrap();
    let name = unique_name();
    server.query(&format!("create database {name}")).unwrap();
    let elsewhere = server.url().parse::<PgConnectOptions>().unwrap().database(&name);
    let elsewhere = PgPool::connect_with(elsewhere).await.unwrap();
    // With the tables of another store.
    let another = Postgres::with_pool(elsewhere.clone()).await.unwrap();
    let mut transaction = elsewhere.begin().await.unwrap();
    let error = store.apply_in(&mut transaction, &[start("a").into()]).await.unwrap_err();
    assert!(matches!(error.kind, StoreErrorKind::ForeignTransaction(_)), "{error:?}");
    another.apply_in(&mut transaction, &[start("a").into()]).await.unwrap().remove(0).unwrap();
}
