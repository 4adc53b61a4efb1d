//! Which store the tests are of that all server stores have.

use retell::backend::StoreError;
use retell_servers::Kind;

pub(crate) type Store = retell_postgres::Postgres;

pub(crate) const KIND: Kind = Kind::Postgres;

/// Of a step, a message, a start, and a claim: `BEGIN` and `COMMIT` included.
pub(crate) const STATEMENTS: [u64; 4] = [5, 5, 7, 4];

pub(crate) async fn open(url: &str) -> Result<Store, StoreError> {
    Store::connect(url).await
}

pub(crate) async fn open_with_two_lanes(url: &str) -> Result<Store, StoreError> {
    Store::options().lanes(2).connect(url).await
}
