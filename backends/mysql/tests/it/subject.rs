//! Which store the tests are of that all server stores have.

use std::time::Duration;

use retell::backend::StoreError;

pub(crate) use crate::KIND;

pub(crate) type Store = retell_mysql::MySql;

/// What the user's own transactions are of.
pub(crate) type Database = sqlx::MySql;
pub(crate) type Pool = sqlx::MySqlPool;

/// Round trips of a step, a message, a start, and a claim that finds nothing: `BEGIN` and `COMMIT` included.
pub(crate) const STATEMENTS: [u64; 4] = [1, 8, 1, 3];

pub(crate) async fn open_pool(url: &str) -> sqlx::MySqlPool {
    sqlx::MySqlPool::connect(url).await.unwrap()
}

/// A user's own transaction.
pub(crate) async fn begin(pool: &sqlx::MySqlPool) -> sqlx::Transaction<'static, sqlx::MySql> {
    let isolated = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";
    let mut connection = pool.acquire().await.unwrap();
    sqlx::raw_sql(isolated).execute(&mut *connection).await.unwrap();
    let begun = sqlx::Transaction::begin(connection, None).await;
    begun.unwrap()
}

/// How long after a server's start signs of life count.
pub(crate) const SETTLED_AFTER: Duration = Duration::from_secs(10);

/// The schema that the first version made.
pub(crate) const FIRST_SCHEMA: &str = include_str!("../../src/schema.sql");
/// The version of the schema that this program knows.
pub(crate) const VERSION: u32 = 3;

/// A worker's ID as statements write it.
pub(crate) fn id_of(number: u32) -> String {
    format!("x'{number:032x}'")
}

/// A URL by TLS alone, with a server for which this authority vouches.
pub(crate) fn verified(url: &str, authority: &str) -> String {
    format!("{url}?ssl-mode=VERIFY_IDENTITY&ssl-ca={authority}")
}

/// A query for the server's wall time in seconds.
pub(crate) const UNIX_TIME: &str = "select unix_timestamp()";

/// What a hand may do to the rows of the workflow ID `bad` that no type of a column keeps out, beside what it may do
/// everywhere.
pub(crate) const DAMAGE: &[&str] =
    &["update run_details set failure = x'c1' where run = (select id from runs where workflow_id = 'bad')"];

/// Bytes that are no value.
pub(crate) const GARBAGE: &str = "x'c1'";

pub(crate) async fn open(url: &str) -> Result<Store, StoreError> {
    Store::connect(url).await
}

pub(crate) async fn open_with_one_lane(url: &str) -> Result<Store, StoreError> {
    Store::options().lanes(1).connect(url).await
}
