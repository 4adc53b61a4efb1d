//! What all workloads run: a chain of activities that do nothing, one after the other.

use std::error::Error;
use std::time::{Duration, Instant};

use retell::Engine;
use retell::activity::{ActivityContext, ActivityError};
use retell::vocabulary::RunId;
use retell::workflow::{WorkflowContext, WorkflowResult};

use crate::figures::Sample;
use crate::store::Store;

/// The size of inputs and outputs.
const PAYLOAD_BYTES: usize = 100;

/// Gives back what it is given.
#[retell::activity]
pub(super) async fn echo(_cx: ActivityContext, payload: String) -> Result<String, ActivityError> {
    Ok(payload)
}

/// Calls [`echo`] this many times, each with what the last one gave back.
#[retell::workflow]
pub(super) async fn chain(
    cx: WorkflowContext,
    (length, mut payload): (u32, String),
) -> WorkflowResult<String> {
    for _ in 0..length {
        payload = cx.activity(echo, &payload).await?;
    }
    Ok(payload)
}

/// Runs one chain from start to result.
pub(super) async fn one(engine: &Engine, length: u32) -> Result<Duration, Box<dyn Error>> {
    let began = Instant::now();
    let id = format!("bench-{}", RunId::fresh());
    let payload = "x".repeat(PAYLOAD_BYTES);
    let result = engine.start(chain, id, (length, payload)).await?.result().await?;
    if result.len() != PAYLOAD_BYTES {
        return Err("a payload changed on its way".into());
    }
    Ok(began.elapsed())
}

/// Measures what `work` does to a store: it returns how many activities ran, and how long each run took.
pub(super) async fn measured<F>(store: &Store, work: F) -> Result<Sample, Box<dyn Error>>
where
    F: Future<Output = Result<(u64, Vec<Duration>), Box<dyn Error>>>,
{
    let commits_before = store.commits();
    let began = Instant::now();
    let (activities, latencies) = work.await?;
    let took = began.elapsed();
    let commits = store.commits().zip(commits_before).map(|(after, before)| after - before);
    Ok(Sample { activities, took, commits, latencies })
}
