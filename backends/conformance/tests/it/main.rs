//! The memory store passes the suite: it is the model that other stores are compared with.

use std::sync::Arc;

use async_trait::async_trait;
use retell::backend::{Backend, StoreError};
use retell::clock::ManualClock;
use retell_conformance::StoreUnderTest;
use retell_memory::Memory;

struct Shared(Arc<Memory>);

#[async_trait]
impl StoreUnderTest for Shared {
    async fn open(&self) -> Result<Arc<dyn Backend>, StoreError> {
        Ok(self.0.clone())
    }
}

async fn create(clock: ManualClock) -> Shared {
    Shared(Arc::new(Memory::with_clock(Arc::new(clock))))
}

mod engine;

retell_conformance::suite!(create);
