//! The suite that every store passes: on one Redis, a database for each case.

use std::sync::Arc;

use async_trait::async_trait;
use retell::backend::{Backend, StoreError};
use retell::clock::ManualClock;
use retell_conformance::StoreUnderTest;
use retell_redis::Redis;
use retell_servers::{Endpoint, Kind, shared};

struct Scratch {
    database: Endpoint,
    clock: ManualClock,
}

#[async_trait]
impl StoreUnderTest for Scratch {
    async fn open(&self) -> Result<Arc<dyn Backend>, StoreError> {
        let options = Redis::options(self.database.url()).clock(Arc::new(self.clock.clone()));
        Ok(Arc::new(options.open().await?))
    }
}

async fn create(clock: ManualClock) -> Scratch {
    let database = tokio::task::spawn_blocking(|| shared(Kind::Redis).unwrap().fresh_database().unwrap());
    Scratch { database: database.await.unwrap(), clock }
}

retell_conformance::suite!(create);

mod engine {
    //! The engine's suite.

    use super::create;

    retell_conformance::engine_suite!(create);
}
