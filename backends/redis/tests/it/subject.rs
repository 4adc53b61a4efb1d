//! Which store the tests are of that stores on servers share.

use std::time::Duration;

use retell::backend::StoreError;
use retell_redis::Redis;
use retell_servers::Kind;

pub(crate) const KIND: Kind = Kind::Redis;

/// How long after a server's start signs of life count.
pub(crate) const SETTLED_AFTER: Duration = Duration::from_secs(10);

pub(crate) async fn open(url: &str) -> Result<Redis, StoreError> {
    Redis::open(url).await
}
