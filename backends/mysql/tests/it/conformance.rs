//! The suite that every store passes.

use std::sync::Arc;

use async_trait::async_trait;
use retell::backend::{Backend, StoreError};
use retell::clock::ManualClock;
use retell_conformance::StoreUnderTest;
use retell_mysql::MySql;
use retell_servers::{Endpoint, shared};

use crate::subject::KIND;

struct Scratch {
    database: Endpoint,
    clock: ManualClock,
}

#[async_trait]
impl StoreUnderTest for Scratch {
    async fn open(&self) -> Result<Arc<dyn Backend>, StoreError> {
        let options = MySql::options().lanes(2).clock(Arc::new(self.clock.clone()));
        Ok(Arc::new(options.connect(self.database.url()).await?))
    }
}

async fn create(clock: ManualClock) -> Scratch {
    Scratch { database: shared(KIND).unwrap().fresh_database().unwrap(), clock }
}

retell_conformance::suite!(create);

mod engine {
    //! The engine's suite.

    use super::create;

    retell_conformance::engine_suite!(create);
}
