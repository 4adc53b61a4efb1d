//! The suite that every store passes.

use std::sync::Arc;

use async_trait::async_trait;
use retell::backend::{Backend, StoreError};
use retell::clock::ManualClock;
use retell_conformance::StoreUnderTest;
use retell_sqlite::Sqlite;
use tempfile::TempDir;

struct Scratch {
    folder: TempDir,
    clock: ManualClock,
}

#[async_trait]
impl StoreUnderTest for Scratch {
    async fn open(&self) -> Result<Arc<dyn Backend>, StoreError> {
        let path = self.folder.path().join("retell.db");
        Ok(Arc::new(Sqlite::options(path).clock(Arc::new(self.clock.clone())).open()?))
    }
}

async fn create(clock: ManualClock) -> Scratch {
    Scratch { folder: TempDir::new().unwrap(), clock }
}

retell_conformance::suite!(create);

mod engine {
    //! The engine's suite.

    use super::create;

    retell_conformance::engine_suite!(create);
}
