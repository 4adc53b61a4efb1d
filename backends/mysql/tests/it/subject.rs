//! Which store the tests are of that all server stores have.

use retell::backend::StoreError;
use retell_servers::Kind;

pub(crate) type Store = retell_mysql::MySql;

/// What the user's own transactions are of.
pub(crate) type Database = sqlx::MySql;
pub(crate) type Pool = sqlx::MySqlPool;

pub(crate) const KIND: Kind = Kind::Mariadb;

/// Of a step, a message, a start, and a claim that finds nothing: `BEGIN` and `COMMIT` included.
pub(crate) const STATEMENTS: [u64; 4] = [6, 8, 12, 3];

pub(crate) async fn open(url: &str) -> Result<Store, StoreError> {
    Store::connect(url).await
}

pub(crate) async fn open_with_one_lane(url: &str) -> Result<Store, StoreError> {
    Store::options().lanes(1).connect(url).await
}
