//! One turn of a peer: samples of one workload, and what must be known of them.

use std::error::Error;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::options::{Options, Workload};

/// How many samples a turn takes at most.
const SAMPLES_MAX: usize = 25;

/// What the benchmark reads.
#[derive(Debug, Serialize)]
pub(crate) struct Turn {
    pub(crate) version: &'static str,
    pub(crate) durability: String,
    pub(crate) settings: String,
    pub(crate) samples: Vec<Sample>,
}

/// One repetition of a workload.
#[derive(Debug, Serialize)]
pub(crate) struct Sample {
    operations: u64,
    took_ns: u64,
    /// Runs that did not end as they should have.
    failed: u64,
    latencies_ns: Vec<u64>,
}

/// Starts runs and awaits what comes of them.
pub(crate) trait Peer {
    /// Runs one from start to result. An error is a run that was lost or failed.
    fn one(&self, workload: Workload) -> impl Future<Output = Result<(), Box<dyn Error>>>;
}

/// Measures: once a tenth to warm up, then as often as the time allows.
pub(crate) async fn samples(peer: &impl Peer, options: &Options) -> Vec<Sample> {
    sample(peer, options.workload.tenth()).await;
    let began = Instant::now();
    let mut samples = Vec::new();
    while samples.is_empty() || (began.elapsed() < options.at_least && samples.len() < SAMPLES_MAX) {
        samples.push(sample(peer, options.workload).await);
    }
    samples
}

async fn sample(peer: &impl Peer, workload: Workload) -> Sample {
    let began = Instant::now();
    let mut ends = Vec::new();
    if workload.at_once {
        let timed = async || (peer.one(workload).await.is_ok(), began.elapsed());
        ends = futures::future::join_all((0..workload.runs).map(|_| timed())).await;
    } else {
        for _ in 0..workload.runs {
            let began = Instant::now();
            ends.push((peer.one(workload).await.is_ok(), began.elapsed()));
        }
    }
    Sample {
        operations: workload.operations(),
        took_ns: nanoseconds(began.elapsed()),
        failed: ends.iter().filter(|(done, _)| !done).count() as u64,
        latencies_ns: ends.iter().map(|(_, took)| nanoseconds(*took)).collect(),
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
