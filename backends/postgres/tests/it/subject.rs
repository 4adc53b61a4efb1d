//! Which store the tests are of that all server stores have.

use std::time::Duration;

use retell::backend::StoreError;
use retell_servers::Kind;

pub(crate) type Store = retell_postgres::Postgres;

/// What the user's own transactions are of.
pub(crate) type Database = sqlx::Postgres;
pub(crate) type Pool = sqlx::PgPool;

pub(crate) const KIND: Kind = Kind::Postgres;

/// Of a step, a message, a start, and a claim that finds nothing: `BEGIN` and `COMMIT` included. A step and a start are
/// one statement, which believes what is remembered.
pub(crate) const STATEMENTS: [u64; 4] = [1, 5, 1, 3];

pub(crate) async fn open_pool(url: &str) -> sqlx::PgPool {
    sqlx::PgPool::connect(url).await.unwrap()
}

/// A user's own transaction.
pub(crate) async fn begin(pool: &sqlx::PgPool) -> sqlx::Transaction<'static, sqlx::Postgres> {
    pool.begin().await.unwrap()
}

/// How long after a server's start signs of life count.
pub(crate) const SETTLED_AFTER: Duration = Duration::ZERO;

/// The schema that the first version made.
pub(crate) const FIRST_SCHEMA: &str = include_str!("../../src/schema.sql");
/// The version of the schema that this program knows.
pub(crate) const VERSION: u32 = 2;

/// A worker's ID as statements write it.
pub(crate) fn id_of(number: u32) -> String {
    format!("'\\x{number:032x}'::bytea")
}

/// A URL by TLS alone, with a server for which this authority vouches.
pub(crate) fn verified(url: &str, authority: &str) -> String {
    // The URL has its schema among its parameters.
    format!("{url}&sslmode=verify-full&sslrootcert={authority}")
}

/// A query for the server's wall time in seconds.
pub(crate) const UNIX_TIME: &str = "select extract(epoch from clock_timestamp())::bigint";

/// What a hand may do to the rows of the workflow ID `bad` that no type of a column keeps out, beside what it may do
/// everywhere.
pub(crate) const DAMAGE: &[&str] = &[
    "update run_details set failure = '\\xc1' where run = (select id from runs where workflow_id = 'bad')",
    "update inbox set request_id = '\\x00' where run = (select id from runs where workflow_id = 'bad')",
    "update runs set run_id = '\\x00' where workflow_id = 'bad'",
];

/// Bytes that are no value.
pub(crate) const GARBAGE: &str = "'\\xc1'";

pub(crate) async fn open(url: &str) -> Result<Store, StoreError> {
    Store::connect(url).await
}

pub(crate) async fn open_with_one_lane(url: &str) -> Result<Store, StoreError> {
    Store::options().lanes(1).connect(url).await
}
