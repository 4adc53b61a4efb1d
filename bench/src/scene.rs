//! What a workload finds: one engine with its defaults on a store of its own.

use retell::{Engine, Orchestrator};

use crate::Failure;
use crate::options::Sizes;
use crate::store::Store;
use crate::workload::{Marks, register};

/// A store, an engine on it, and the sizes that were asked for.
pub(crate) struct Scene {
    pub(crate) store: Store,
    pub(crate) sizes: Sizes,
    /// When activities that say so ran.
    pub(crate) marks: Marks,
    engine: Option<Engine>,
}

impl Scene {
    pub(crate) async fn open(store: Store, sizes: Sizes) -> Result<Self, Failure> {
        let marks = Marks::default();
        let engine = Some(start(&store, &marks).await?);
        Ok(Self { store, sizes, marks, engine })
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("it is gone only while a restart is under way")
    }

    /// Ends the engine, closes the store, and begins anew on what it holds.
    pub(crate) async fn restart(&mut self) -> Result<(), Failure> {
        self.stop().await;
        self.store.reopen().await?;
        self.engine = Some(start(&self.store, &self.marks).await?);
        Ok(())
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.shutdown().await;
        }
    }
}

async fn start(store: &Store, marks: &Marks) -> Result<Engine, Failure> {
    Ok(register(Orchestrator::new(store.backend())).state(marks.clone()).start().await?)
}
