//! Your rows and your runs in one transaction: an order is stored and its workflow started, a payment is stored and the
//! workflow told. Both are true, or neither is.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use retell::prelude::*;
use retell::workflow::SignalType;
use retell_sqlite::Sqlite;
use retell_sqlite::rusqlite::Connection;

type Failed = Box<dyn Error + Send + Sync>;

const PAID: SignalType<u64> = SignalType::new("paid");

const TABLES: &str = "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL); \
     CREATE TABLE IF NOT EXISTS payments (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL)";

#[retell::workflow]
async fn deliver(cx: WorkflowContext, item: String) -> WorkflowResult<String> {
    let cents = cx.signal(PAID).await?;
    Ok(format!("{item} for {cents} cents is on its way"))
}

/// What a web handler does with an order, on a thread that may block (`rusqlite` blocks).
fn check_out(store: &Sqlite, client: &Client, id: u64, item: &str) -> Result<RunHandle<deliver>, Failed> {
    let mut connection = store.connection()?;
    let mut tx = store.begin(&mut connection)?;
    tx.execute("INSERT INTO orders (id, item) VALUES (?1, ?2)", (id, item))?;
    let start = client.start(deliver, format!("order-{id}"), item.to_owned());
    let run = retell::block_on(start.in_transaction(&mut tx))?;
    tx.commit()?;
    Ok(run)
}

/// What it does with a payment. One that cannot be stored, or whose order nobody waits for, is not told of either.
fn pay(store: &Sqlite, client: &Client, id: u64, cents: u64) -> Result<(), Failed> {
    let mut connection = store.connection()?;
    let mut tx = store.begin(&mut connection)?;
    let order = client.handle(deliver, format!("order-{id}"))?;
    retell::block_on(order.in_transaction(&mut tx).signal(PAID, &cents))?;
    tx.execute("INSERT INTO payments (id, cents) VALUES (?1, ?2)", (id, cents))?;
    tx.commit()?;
    Ok(())
}

/// What was delivered, and how many orders and payments there are.
async fn run(path: &Path) -> Result<(String, [u64; 2]), Failed> {
    let store = Arc::new(Sqlite::open(path)?);
    store.connection()?.execute_batch(TABLES)?;
    let engine = Orchestrator::new(store.clone()).workflow(deliver).start().await?;
    let client = engine.client().clone();
    let ordered = tokio::task::spawn_blocking(move || -> Result<_, Failed> {
        let run = check_out(&store, &client, 42, "tea")?;
        // The same order again: the row is refused, and no second run is there.
        assert!(check_out(&store, &client, 42, "tea").is_err());
        // For an order that is not there, no payment is.
        assert!(pay(&store, &client, 7, 999).is_err());
        pay(&store, &client, 42, 350)?;
        let connection = store.connection()?;
        Ok((run, [count(&connection, "orders")?, count(&connection, "payments")?]))
    });
    let (run, counts) = ordered.await??;
    let delivered = run.result().await?;
    engine.shutdown().await;
    Ok((delivered, counts))
}

fn count(connection: &Connection, table: &str) -> retell_sqlite::rusqlite::Result<u64> {
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (delivered, [orders, payments]) = run(&folder.path().join("shop.db")).await?;
    println!("{delivered}; {orders} order, {payments} payment");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test(flavor = "multi_thread")]
    async fn rows_and_runs_are_both_there_or_neither_is() {
        let folder = tempfile::tempdir().unwrap();
        let (delivered, counts) = super::run(&folder.path().join("shop.db")).await.unwrap();
        assert_eq!(delivered, "tea for 350 cents is on its way");
        assert_eq!(counts, [1, 1]);
    }
}
