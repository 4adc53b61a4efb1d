//! The suite that every store passes: on a cluster of three masters, a prefix for each case.

use std::sync::Arc;

use async_trait::async_trait;
use retell::backend::{Backend, StoreError};
use retell::clock::ManualClock;
use retell_conformance::StoreUnderTest;
use retell_redis::Redis;
use retell_servers::{shared_cluster, unique_name};

/// Few, so that cases that ask thousands of times end in their time; more than there are masters.
const PARTITIONS: u16 = 4;

struct Scratch {
    urls: Vec<String>,
    prefix: String,
    clock: ManualClock,
}

#[async_trait]
impl StoreUnderTest for Scratch {
    async fn open(&self) -> Result<Arc<dyn Backend>, StoreError> {
        let options = Redis::options(&self.urls[0])
            .cluster(&self.urls[1..])
            .prefix(&self.prefix)
            .partitions(PARTITIONS)
            .clock(Arc::new(self.clock.clone()));
        Ok(Arc::new(options.open().await?))
    }
}

async fn create(clock: ManualClock) -> Scratch {
    let urls = tokio::task::spawn_blocking(|| shared_cluster().unwrap()).await.unwrap();
    Scratch { urls, prefix: unique_name(), clock }
}

retell_conformance::suite!(create);

mod engine {
    //! The engine's suite.

    use super::create;

    retell_conformance::engine_suite!(create);
}
