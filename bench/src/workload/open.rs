//! An open loop: runs are offered on a schedule that does not wait for them.
//!
//! How long each takes is counted from when it was due, so that a stall shows in all that it holds up. Minutes long, so
//! that checkpoints and leases have their turns.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokio::sync::mpsc;

use super::PAYLOAD_BYTES;
use super::awaited::{chained, chains_at_once, fresh_id, payload};
use super::code::chain;
use crate::Failure;
use crate::measure::{Extra, Latencies, Sample, measured};
use crate::scene::Scene;

/// Activities of a run.
const LENGTH: u32 = 10;
/// How long capacity is measured.
const CAPACITY_TIME: Duration = Duration::from_secs(5);
/// How much of it is offered.
const SHARE: f64 = 0.8;
/// How often the schedule is looked at.
const TICK: Duration = Duration::from_millis(1);

/// `together` is how many runs at once show the capacity.
pub(super) async fn run(scene: &Scene, together: u32) -> Result<Sample, Failure> {
    let capacity = capacity(scene, together).await?;
    let (rate, lasting) = (capacity * SHARE, scene.sizes.lasting);
    let mut sample = measured(scene, async {
        let latencies = offered(scene, rate, lasting).await?;
        let runs = (rate * lasting.as_secs_f64()) as u64;
        Ok((runs * u64::from(LENGTH), latencies))
    })
    .await?;
    let per_second = |runs: f64| runs * f64::from(LENGTH);
    sample.extras.push(Extra::new("capacity", per_second(capacity), "activities/s"));
    sample.extras.push(Extra::new("offered", per_second(rate), "activities/s"));
    Ok(sample)
}

/// Runs that end in a second while as many as `together` are always under way.
async fn capacity(scene: &Scene, together: u32) -> Result<f64, Failure> {
    chains_at_once(scene, together, LENGTH).await?;
    let began = Instant::now();
    let one_after_the_other = || async {
        let mut runs = 0_u64;
        while began.elapsed() < CAPACITY_TIME {
            chained(scene.engine(), LENGTH, PAYLOAD_BYTES).await?;
            runs += 1;
        }
        Ok::<_, Failure>(runs)
    };
    let runs: u64 = try_join_all((0..together).map(|_| one_after_the_other())).await?.into_iter().sum();
    Ok(runs as f64 / began.elapsed().as_secs_f64())
}

async fn offered(scene: &Scene, rate: f64, lasting: Duration) -> Result<Latencies, Failure> {
    let (sender, mut ended) = mpsc::unbounded_channel::<Result<Duration, String>>();
    let total = (rate * lasting.as_secs_f64()) as u64;
    let began = Instant::now();
    let mut offered = 0;
    while offered < total {
        let due = ((began.elapsed().as_secs_f64() * rate) as u64).min(total);
        for number in offered..due {
            let since = began + Duration::from_secs_f64(number as f64 / rate);
            let (client, sender) = (scene.engine().client().clone(), sender.clone());
            tokio::spawn(async move {
                let run = async {
                    let started = client.start(chain, fresh_id(), (LENGTH, payload(PAYLOAD_BYTES))).await;
                    started.map_err(|error| error.to_string())?.result().await.map_err(|e| e.to_string())
                };
                let ended = run.await.map(|_| since.elapsed());
                // The measurement may have ended with another one's error.
                let _ = sender.send(ended);
            });
        }
        offered = due;
        tokio::time::sleep(TICK).await;
    }
    drop(sender);
    let mut latencies = Latencies::default();
    while let Some(ended) = ended.recv().await {
        latencies.record(ended?);
    }
    Ok(latencies)
}
