//! One repetition of a workload.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::latency::Latencies;
use super::process::{Meter, Usage};
use super::tap::Counts;
use crate::Failure;
use crate::scene::Scene;
use crate::store::Traffic;

/// What a workload's throughput counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    Activities,
    Steps,
    Runs,
    Signals,
    Events,
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Activities => "activities",
            Self::Steps => "steps",
            Self::Runs => "runs",
            Self::Signals => "signals",
            Self::Events => "events",
        }
    }
}

/// A figure that one workload alone has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Extra {
    /// A short name, by which targets find it.
    pub(crate) name: String,
    pub(crate) value: f64,
    /// `""` for a ratio.
    pub(crate) unit: String,
}

impl Extra {
    pub(crate) fn new(name: &str, value: f64, unit: &str) -> Self {
        Self { name: name.to_owned(), value, unit: unit.to_owned() }
    }
}

/// One repetition of a workload.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// How many of its unit were done.
    pub(crate) operations: u64,
    /// From the first start to the last result.
    pub(crate) took: Duration,
    /// What the store did meanwhile, as far as it counts.
    pub(crate) traffic: Traffic,
    /// What the engine asked of the store; nothing is known of a peer's.
    pub(crate) counts: Counts,
    pub(crate) usage: Usage,
    /// What a user waits for, for each of them.
    pub(crate) latencies: Latencies,
    /// Runs that were lost, or ended otherwise than they should have.
    pub(crate) failed: u64,
    pub(crate) extras: Vec<Extra>,
    /// Processor time of a step, in microseconds, by how many came before it.
    pub(crate) series: Vec<(f64, f64)>,
}

/// Measures what `work` does: it answers how much it did, and how long each of its users waited.
pub(crate) async fn measured<F>(scene: &Scene, work: F) -> Result<Sample, Failure>
where
    F: Future<Output = Result<(u64, Latencies), Failure>>,
{
    let (counts, traffic) = (scene.store.counts(), scene.store.traffic());
    let meter = Meter::start();
    let began = Instant::now();
    let (operations, latencies) = work.await?;
    let took = began.elapsed();
    let mut usage = meter.stop();
    if scene.store.file().is_none() {
        // What goes to a server is not what is written to the disk.
        usage.written = None;
    }
    let traffic = scene.store.traffic().since(traffic);
    let counts = scene.store.counts() - counts;
    Ok(Sample { operations, took, traffic, counts, usage, latencies, ..Sample::default() })
}
