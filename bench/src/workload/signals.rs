//! Signals: many to one run, and some to each of many.

use std::time::Instant;

use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use retell::client::RunHandle;

use super::awaited::fresh_id;
use super::code::drain;
use crate::Failure;
use crate::measure::{Latencies, Sample, measured};
use crate::scene::Scene;

/// How many send at once.
const SENDERS: usize = 256;
/// Signals to each of many runs.
const EACH: u32 = 10;

pub(super) async fn to_one(scene: &Scene, signals: u32) -> Result<Sample, Failure> {
    to_all(scene, 1, signals).await
}

pub(super) async fn to_many(scene: &Scene, runs: u32) -> Result<Sample, Failure> {
    to_all(scene, runs, EACH).await
}

/// Sends so many signals to each run, a round at a time, and waits until all are taken. A latency is that of one
/// signal, until it is durably accepted.
async fn to_all(scene: &Scene, runs: u32, each: u32) -> Result<Sample, Failure> {
    let started = (0..runs).map(|_| async { scene.engine().start(drain, fresh_id(), each).await });
    let handles = try_join_all(started).await?;
    measured(scene, async {
        let sends = (0..each).flat_map(|_| handles.iter()).map(sent);
        let latencies: Vec<_> = stream::iter(sends).buffer_unordered(SENDERS).try_collect().await?;
        for handle in &handles {
            if handle.result().await? != u64::from(each) {
                return Err("a signal was lost or taken twice".into());
            }
        }
        Ok((u64::from(runs) * u64::from(each), Latencies::from_iter(latencies)))
    })
    .await
}

async fn sent(handle: &RunHandle<drain>) -> Result<std::time::Duration, Failure> {
    let began = Instant::now();
    handle.signal("tick", &1_u64).await?;
    Ok(began.elapsed())
}
