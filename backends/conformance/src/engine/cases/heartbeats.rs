//! Heartbeats: what the store keeps of them, and what it answers.

use std::time::Duration;

use retell::Orchestrator;
use retell::activity::{ActivityContext, ActivityError};
use retell::backend::QueuedActivity;
use retell::client::RunHandle;
use retell::vocabulary::RetryPolicy;
use retell::workflow::{Workflow, WorkflowContext, WorkflowResult};

use crate::engine::Scene;
use crate::engine::probe::{Probe, effect};

const SECOND: Duration = Duration::from_secs(1);

/// Marks how far the attempt before came, says how far it is itself, and waits at the gate `done`.
#[retell::activity]
async fn climb(cx: ActivityContext) -> Result<u32, ActivityError> {
    let probe = cx.state::<Probe>()?;
    let reached = cx.heartbeat_details::<u32>()?.unwrap_or(0);
    probe.mark(format!("from {reached}"));
    cx.heartbeat(&(reached + 100))?;
    probe.pass("done").await;
    Ok(reached)
}

/// Says that it is alive until it is told to stop.
#[retell::activity]
fn pedal(cx: ActivityContext) -> Result<(), ActivityError> {
    let probe = cx.state::<Probe>()?;
    probe.mark("pedalling");
    while !cx.is_cancelled() {
        cx.heartbeat(&())?;
        std::thread::yield_now();
    }
    probe.mark("stopped");
    Ok(())
}

#[retell::activity]
async fn pedal_softly(cx: ActivityContext) -> Result<(), ActivityError> {
    let probe = cx.state::<Probe>()?;
    let _stopped = Stopped((*probe).clone());
    probe.mark("pedalling");
    loop {
        cx.heartbeat(&())?;
        tokio::task::yield_now().await;
    }
}

struct Stopped(Probe);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.mark("stopped");
    }
}

#[retell::workflow]
async fn climbing(cx: WorkflowContext, limit: Option<Duration>) -> WorkflowResult<u32> {
    let mut call = cx.activity(climb, &()).retry(RetryPolicy::fixed(Duration::ZERO));
    if let Some(limit) = limit {
        call = call.heartbeat_timeout(limit);
    }
    Ok(call.await?)
}

#[retell::workflow]
async fn pedalling(cx: WorkflowContext, softly: bool) -> WorkflowResult<()> {
    let limit = 3_600 * SECOND;
    if softly {
        cx.activity(pedal_softly, &()).heartbeat_timeout(limit).await?;
    } else {
        cx.activity(pedal, &()).heartbeat_timeout(limit).await?;
    }
    Ok(())
}

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(climbing).workflow(pedalling).activity(effect)
}

async fn row_of<W: Workflow>(scene: &Scene, run: &RunHandle<W>) -> Option<QueuedActivity> {
    let run = run.describe().await.unwrap().run;
    scene.store().await.queued(&run).await.unwrap().into_iter().next()
}

/// With a heartbeat timeout and without: the call has a row by its first heartbeat, and the next worker finds it there.
pub async fn details_survive_the_worker_that_sent_them(scene: Scene) {
    for (number, limit) in [None, Some(50 * SECOND)].into_iter().enumerate() {
        let process = scene.process(|engine| code(engine).activity(climb)).await;
        let id = format!("climb-{number}");
        let run = process.start(climbing, id.clone(), limit).await.unwrap();
        scene.probe.saw("from 0", number + 1).await;
        let kept = || async { row_of(&scene, &run).await.is_some_and(|row| row.details.is_some()) };
        scene.until(kept).await;
        let row = row_of(&scene, &run).await.unwrap();
        assert!(row.attempt.0 == 1 && row.worker.is_some(), "{row:?}");
        drop(run);
        scene.crash(process).await;
        let process = scene.process(|engine| code(engine).activity(climb)).await;
        let run = process.handle(climbing, id).unwrap();
        scene.as_time_passes(scene.probe.saw("from 100", number + 1)).await;
        scene.probe.open("done");
        assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), 100);
        drop(run);
        process.shutdown(&scene).await;
        scene.probe.shut("done");
    }
}

/// Its outcome counts, whether its row is stored by then or not.
pub async fn an_attempt_that_got_a_row_while_it_ran_ends_once(scene: Scene) {
    let process = scene.process(|engine| code(engine).activity(climb)).await;
    scene.probe.open("done");
    let mut runs = Vec::new();
    for number in 0..20 {
        runs.push(process.start(climbing, format!("climb-{number}"), None).await.unwrap());
    }
    for run in runs {
        assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), 0);
    }
    assert_eq!((scene.probe.count("from 0"), process.stats().await.unwrap().queued), (20, 0));
}

async fn stops_elsewhere(scene: Scene, softly: bool) {
    let holder = scene.process(code).await;
    let run = holder.start(pedalling, "pedal", softly).await.unwrap();
    let _other = scene.process(|engine| engine.activity(pedal).activity(pedal_softly)).await;
    scene.as_time_passes(scene.probe.saw("pedalling", 1)).await;
    run.cancel("downhill").await.unwrap();
    scene.as_time_passes(run.result()).await.unwrap_err();
    // Nobody tells it but what its heartbeat comes back with.
    scene.as_time_flies(SECOND / 10, scene.probe.saw("stopped", 1)).await;
}

/// Its heartbeat finds that its row has gone.
pub async fn a_cancelled_body_hears_of_it_on_another_worker(scene: Scene) {
    stops_elsewhere(scene, true).await;
}

/// It is told, and ends by itself.
pub async fn a_cancelled_blocking_body_hears_of_it_on_another_worker(scene: Scene) {
    stops_elsewhere(scene, false).await;
}
