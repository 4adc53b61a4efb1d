//! The workloads, one a file. Their definitions are those that the peers were measured with.

mod chain;
mod w1;
mod w3;
mod w4;

use std::error::Error;

use retell::{Engine, Orchestrator};

use crate::figures::Sample;
use crate::store::Store;

/// A workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    /// 200 runs at once, each 10 sequential activities.
    W1,
    /// One run at a time, one activity.
    W3,
    /// One run, 1,000 sequential activities.
    W4,
}

impl Workload {
    pub(crate) const ALL: [Self; 3] = [Self::W1, Self::W3, Self::W4];

    pub(crate) fn of_name(name: &str) -> Result<Self, &'static str> {
        Self::ALL
            .into_iter()
            .find(|workload| workload.name() == name)
            .ok_or("the workloads are w1, w3 and w4")
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::W1 => "w1",
            Self::W3 => "w3",
            Self::W4 => "w4",
        }
    }

    /// An engine on a store, with all that the workloads run.
    pub(crate) async fn engine(store: &Store) -> Result<Engine, Box<dyn Error>> {
        let orchestrator = Orchestrator::new(store.backend.clone());
        Ok(orchestrator.workflow(chain::chain).activity(chain::echo).start().await?)
    }

    /// Runs it once.
    pub(crate) async fn run(self, engine: &Engine, store: &Store) -> Result<Sample, Box<dyn Error>> {
        match self {
            Self::W1 => w1::run(engine, store).await,
            Self::W3 => w3::run(engine, store).await,
            Self::W4 => w4::run(engine, store).await,
        }
    }
}
