//! Sleeping runs by the million: what they cost while nothing happens, at a restart, and when all wake at once.

use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt, TryStreamExt};
use retell::clock::{Clock, SystemClock};
use retell::vocabulary::Timestamp;

use super::PAYLOAD_BYTES;
use super::awaited::{chained, fresh_id};
use super::code::sleeper;
use crate::Failure;
use crate::measure::{Extra, Latencies, Meter, Sample, measured};
use crate::scene::Scene;

/// Starts under way at once.
const STARTERS: usize = 1_000;
/// How long the idle engine is watched.
const IDLE: Duration = Duration::from_secs(10);
/// Runs that are started first, to learn how fast the rest will be.
const PROBE: u32 = 5_000;
/// How much longer than the probe says all starts may take.
const START_SLACK: f64 = 2.5;
/// How often the store is asked how many sleep still.
const LOOK: Duration = Duration::from_millis(500);
const MEBIBYTE: f64 = 1024.0 * 1024.0;

pub(super) async fn run(scene: &mut Scene, runs: u32) -> Result<Sample, Failure> {
    let clock = SystemClock::default();
    let due = due(scene, &clock, runs).await?;
    let mut sample = measured(scene, async {
        let latencies = start(scene, runs, due).await?;
        Ok((u64::from(runs), latencies))
    })
    .await?;
    let mut say = |name, value, unit| sample.extras.push(Extra::new(name, value, unit));
    if let Some(bytes) = Meter::memory() {
        say("memory, all asleep", bytes as f64 / MEBIBYTE, "MiB");
    }
    let mut idle = idle_share().await;
    if clock.now() < due {
        say("idle CPU", idle, "%");
    }
    let began = Instant::now();
    scene.stop().await;
    say("shutdown", began.elapsed().as_secs_f64(), "s");
    let began = Instant::now();
    scene.restart().await?;
    chained(scene.engine(), 1, PAYLOAD_BYTES).await?;
    say("restart until a new run has ended", began.elapsed().as_secs_f64(), "s");
    idle = idle_share().await;
    // Where the machine was slower than the probe, the first have woken: that is not idle, and not said to be.
    if clock.now() < due {
        say("idle CPU after the restart", idle, "%");
    }
    if let Some(bytes) = Meter::memory() {
        say("memory after the restart", bytes as f64 / MEBIBYTE, "MiB");
    }
    let early = due.as_micros() - clock.now().as_micros();
    say("left until all are due", early as f64 / 1e6, "s");
    tokio::time::sleep(Duration::from_micros(u64::try_from(early).unwrap_or(0))).await;
    let began = Instant::now();
    while scene.engine().stats().await?.open > 0 {
        tokio::time::sleep(LOOK).await;
    }
    say("woken", f64::from(runs) / began.elapsed().as_secs_f64(), "runs/s");
    Ok(sample)
}

/// When all may wake: late enough that all are asleep, and the engine has been watched and started again before.
async fn due(scene: &Scene, clock: &SystemClock, runs: u32) -> Result<Timestamp, Failure> {
    let probe = PROBE.min(runs);
    let began = Instant::now();
    start(scene, probe, clock.now()).await?;
    let all = began.elapsed().mul_f64(f64::from(runs) / f64::from(probe));
    Ok(clock.now() + all.mul_f64(START_SLACK) + 5 * IDLE)
}

async fn start(scene: &Scene, runs: u32, due: Timestamp) -> Result<Latencies, Failure> {
    let starts = (0..runs).map(|_| async {
        let began = Instant::now();
        scene.engine().start(sleeper, fresh_id(), due).await?;
        Ok::<_, Failure>(began.elapsed())
    });
    let mut latencies = Latencies::default();
    let mut started = stream::iter(starts).buffer_unordered(STARTERS);
    while let Some(latency) = started.try_next().await? {
        latencies.record(latency);
    }
    Ok(latencies)
}

/// The share of one core that the idle process uses, in percent.
async fn idle_share() -> f64 {
    let meter = Meter::start();
    tokio::time::sleep(IDLE).await;
    meter.stop().cpu.as_secs_f64() / IDLE.as_secs_f64() * 100.0
}
