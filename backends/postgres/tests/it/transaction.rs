//! Writes inside the user's own transaction.

use retell::backend::{Backend, StoreErrorKind};
use retell::write::Applied;
use retell_postgres::Postgres;
use retell_servers::shared;
use sqlx::PgPool;

use crate::server::start;
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
