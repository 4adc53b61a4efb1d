//! Workloads whose runs are started and awaited, all at once or one at a time.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use retell::Engine;
use retell::vocabulary::RunId;
use retell::workflow::{NamesWorkflow, Workflow};

use super::PAYLOAD_BYTES;
use super::code::{chain, fan, inline, nap};
use crate::Failure;
use crate::measure::{Extra, Latencies, Sample, measured};
use crate::scene::Scene;

const LARGE_BYTES: usize = 1024 * 1024;
/// Inline steps of a run.
const STEPS: u32 = 3;

pub(super) async fn chains_at_once(scene: &Scene, runs: u32, length: u32) -> Result<Sample, Failure> {
    let work = at_once(runs, || chained(scene.engine(), length, PAYLOAD_BYTES));
    measured(scene, async { Ok((u64::from(runs) * u64::from(length), work.await?)) }).await
}

pub(super) async fn chains_in_turn(scene: &Scene, runs: u32, length: u32) -> Result<Sample, Failure> {
    let work = in_turn(runs, || chained(scene.engine(), length, PAYLOAD_BYTES));
    measured(scene, async { Ok((u64::from(runs) * u64::from(length), work.await?)) }).await
}

pub(super) async fn large_payloads(scene: &Scene, runs: u32) -> Result<Sample, Failure> {
    let work = at_once(runs, || chained(scene.engine(), 1, LARGE_BYTES));
    let mut sample = measured(scene, async { Ok((u64::from(runs), work.await?)) }).await?;
    // Its input as a start and as a call's, its result as the call's and as the run's.
    let mebibytes = 4.0 * f64::from(runs) * LARGE_BYTES as f64 / (1024.0 * 1024.0);
    sample.extras.push(Extra::new("payloads", mebibytes / sample.took.as_secs_f64(), "MiB/s"));
    Ok(sample)
}

pub(super) async fn steps_in_turn(scene: &Scene, runs: u32) -> Result<Sample, Failure> {
    let work = in_turn(runs, || stepped(scene.engine(), STEPS));
    measured(scene, async { Ok((u64::from(runs * STEPS), work.await?)) }).await
}

pub(super) async fn fans_at_once(scene: &Scene, runs: u32, width: u32) -> Result<Sample, Failure> {
    let work = at_once(runs, || fanned(scene.engine(), width));
    measured(scene, async { Ok((u64::from(runs) * u64::from(width), work.await?)) }).await
}

/// One run of so many parallel activities, and what one of half as many takes in comparison.
pub(super) async fn parallel(scene: &Scene, width: u32) -> Result<Sample, Failure> {
    let half = fans_at_once(scene, 1, width / 2).await?;
    let mut whole = fans_at_once(scene, 1, width).await?;
    let ratio = whole.took.as_secs_f64() / half.took.as_secs_f64();
    whole.extras.push(Extra::new("all / half of them", ratio, ""));
    Ok(whole)
}

pub(super) async fn naps_at_once(scene: &Scene, runs: u32) -> Result<Sample, Failure> {
    let work = at_once(runs, || finished(scene.engine(), nap, 1_000));
    measured(scene, async { Ok((u64::from(runs), work.await?)) }).await
}

/// Runs one chain from start to result.
pub(super) async fn chained(engine: &Engine, length: u32, bytes: usize) -> Result<(), Failure> {
    let result = finished(engine, chain, (length, payload(bytes))).await?;
    unchanged(&result, bytes)
}

/// Runs one chain of inline steps from start to result.
pub(super) async fn stepped(engine: &Engine, length: u32) -> Result<(), Failure> {
    let result = finished(engine, inline, (length, payload(PAYLOAD_BYTES))).await?;
    unchanged(&result, PAYLOAD_BYTES)
}

async fn fanned(engine: &Engine, width: u32) -> Result<(), Failure> {
    let answered = finished(engine, fan, (width, payload(PAYLOAD_BYTES))).await?;
    if answered == width { Ok(()) } else { Err(format!("{answered} of {width} calls answered").into()) }
}

pub(super) async fn finished<W: Workflow, M>(
    engine: &Engine,
    workflow: impl NamesWorkflow<W, M>,
    input: W::Input,
) -> Result<W::Output, Failure> {
    Ok(engine.start(workflow, fresh_id(), input).await?.result().await?)
}

/// A workflow ID that no run has had.
pub(super) fn fresh_id() -> String {
    format!("bench-{}", RunId::fresh())
}

pub(super) fn payload(bytes: usize) -> String {
    "x".repeat(bytes)
}

fn unchanged(result: &str, bytes: usize) -> Result<(), Failure> {
    if result.len() == bytes { Ok(()) } else { Err("a payload changed on its way".into()) }
}

/// Does something so many times at once. Each is measured from when the first began.
pub(super) async fn at_once<T, F>(times: u32, one: impl Fn() -> F) -> Result<Latencies, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let began = Instant::now();
    let timed = async |one: F| -> Result<Duration, Failure> {
        one.await?;
        Ok(began.elapsed())
    };
    Ok(try_join_all((0..times).map(|_| timed(one()))).await?.into_iter().collect())
}

async fn in_turn<T, F>(times: u32, one: impl Fn() -> F) -> Result<Latencies, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut latencies = Latencies::default();
    for _ in 0..times {
        let began = Instant::now();
        one().await?;
        latencies.record(began.elapsed());
    }
    Ok(latencies)
}
