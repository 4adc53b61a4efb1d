//! Writes inside the user's own transaction.

use retell::backend::Backend;
use retell::write::Applied;
use retell_mysql::MySql;
use retell_servers::shared;
use sqlx::MySqlPool;

use crate::server::start;
use crate::subject::KIND;

/// The user's rows and the run become true together, or neither does.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_is_true_if_the_users_transaction_is() {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let pool = MySqlPool::connect(database.url()).await.unwrap();
    let store = MySql::with_pool(pool.clone()).await.unwrap();
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
