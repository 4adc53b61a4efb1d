//! Starts only: runs that are durably begun, and then wait.

use std::time::Instant;

use futures::future::try_join_all;

use super::awaited::fresh_id;
use super::code::idle;
use crate::Failure;
use crate::measure::{Sample, measured};
use crate::scene::Scene;

pub(super) async fn run(scene: &Scene, runs: u32) -> Result<Sample, Failure> {
    let mut handles = Vec::new();
    let sample = measured(scene, async {
        let began = Instant::now();
        let started = (0..runs).map(|_| async {
            let handle = scene.engine().start(idle, fresh_id(), ()).await?;
            Ok::<_, Failure>((handle, began.elapsed()))
        });
        let started = try_join_all(started).await?;
        let latencies = started.iter().map(|(_, took)| *took).collect();
        handles = started.into_iter().map(|(handle, _)| handle).collect();
        Ok((u64::from(runs), latencies))
    })
    .await?;
    try_join_all(handles.iter().map(|handle| handle.terminate("the repetition is over"))).await?;
    Ok(sample)
}
