//! A transactional activity: what it changes in your data and its outcome commit together, so the change is made exactly
//! once, however often the activity is tried.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use retell::prelude::*;
use retell_sqlite::Sqlite;
use serde::{Deserialize, Serialize};

type Failed = Box<dyn Error + Send + Sync>;

const TABLES: &str = "CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, cents INTEGER NOT NULL); \
     INSERT OR IGNORE INTO accounts VALUES ('ada', 1000), ('bob', 0)";

#[derive(Serialize, Deserialize)]
struct Transfer {
    from: String,
    to: String,
    cents: i64,
}

/// Moves money; returns what is left. On PostgreSQL and MySQL it is an `async fn` with `pool.begin().await?`, and its last
/// line is `cx.commit(tx, left).await`.
#[retell::activity(transactional)]
fn transfer(cx: ActivityContext, order: Transfer) -> Result<i64, ActivityError> {
    let store = cx.state::<Arc<Sqlite>>()?;
    let mut connection = store.connection()?;
    let tx = store.begin(&mut connection)?;
    let change = "UPDATE accounts SET cents = cents + ?1 WHERE name = ?2 RETURNING cents";
    let left: i64 = tx.query_row(change, (-order.cents, &order.from), |row| row.get(0))?;
    if left < 0 {
        // Returning without a commit takes the change back.
        return Err(ActivityError::new("Overdrawn", format!("{} cents are missing", -left)).non_retryable());
    }
    tx.query_row(change, (order.cents, &order.to), |_| Ok(()))?;
    if cx.attempt().0 == 1 {
        // As if the process had died here: the next attempt finds nothing done.
        return Err(ActivityError::new("Network", "something else went wrong"));
    }
    retell::block_on(cx.commit(tx, left))
}

#[retell::workflow]
async fn settle(cx: WorkflowContext, cents: i64) -> WorkflowResult<i64> {
    let order = Transfer { from: "ada".to_owned(), to: "bob".to_owned(), cents };
    Ok(cx.activity(transfer, &order).retry(RetryPolicy::fixed(Duration::from_millis(1))).await?)
}

/// What each has in the end: `[ada, bob]`.
async fn run(path: &Path) -> Result<[i64; 2], Failed> {
    let store = Arc::new(Sqlite::open(path)?);
    store.connection()?.execute_batch(TABLES)?;
    let orchestrator = Orchestrator::new(store.clone()).state(store.clone());
    let engine = orchestrator.workflow(settle).activity(transfer).start().await?;
    assert_eq!(engine.start(settle, "settle-1", 300).await?.result().await?, 700);
    // More than there is: nothing moves.
    assert!(engine.start(settle, "settle-2", 701).await?.result().await.is_err());
    engine.shutdown().await;
    let connection = store.connection()?;
    let balance =
        |name| connection.query_row("SELECT cents FROM accounts WHERE name = ?1", [name], |row| row.get(0));
    Ok([balance("ada")?, balance("bob")?])
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let [ada, bob] = run(&folder.path().join("bank.db")).await?;
    println!("ada has {ada} cents, bob {bob}");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test(flavor = "multi_thread")]
    async fn money_moves_once_though_the_activity_was_tried_twice() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(super::run(&folder.path().join("bank.db")).await.unwrap(), [700, 300]);
    }
}
