//! Which store the tests are of that all server stores have.

use retell::backend::StoreError;
use retell_servers::Kind;

pub(crate) type Store = retell_postgres::Postgres;

pub(crate) const KIND: Kind = Kind::Postgres;

/// Of a step, a message, a start, and a claim that finds nothing: `BEGIN` and `COMMIT` included. A step and a start are
/// one statement, which believes what is remembered.
pub(crate) const STATEMENTS: [u64; 4] = [1, 5, 1, 3];

pub(crate) async fn open(url: &str) -> Result<Store, StoreError> {
    Store::connect(url).await
}

pub(crate) async fn open_with_one_lane(url: &str) -> Result<Store, StoreError> {
    Store::options().lanes(1).connect(url).await
}
