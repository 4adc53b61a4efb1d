//! Limits of whole calls: fired by the run's holder, whoever that is by then.

use std::time::Duration;

use retell::Orchestrator;
use retell::vocabulary::{RetryPolicy, TaskQueue};
use retell::workflow::{CallError, WorkflowContext, WorkflowResult};

use crate::engine::Scene;
use crate::engine::probe::{effect, hold};
use crate::engine::scene::{count, history};

const SECOND: Duration = Duration::from_secs(1);

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(limited).workflow(unserved)
}

fn limit_of(result: Result<String, CallError>) -> Result<String, CallError> {
    match result {
        Err(CallError::Failed(failure)) if failure.timeout_kind().is_some() => {
            Ok(format!("{:?}", failure.timeout_kind().unwrap()))
        }
        other => other,
    }
}

#[retell::workflow]
async fn limited(cx: WorkflowContext) -> WorkflowResult<String> {
    let call = cx.activity(hold, &"held".to_owned()).retry(RetryPolicy::exponential());
    let text = limit_of(call.schedule_to_close(60 * SECOND).await)?;
    cx.activity(effect, &"went on".to_owned()).await?;
    Ok(text)
}

#[retell::workflow]
async fn unserved(cx: WorkflowContext) -> WorkflowResult<String> {
    let queue = TaskQueue::new("elsewhere").unwrap();
    let call = cx.activity(effect, &"never".to_owned()).task_queue(queue);
    Ok(limit_of(call.schedule_to_start(60 * SECOND).await)?)
}

/// The row goes in the commit that holds the failure.
pub async fn a_call_that_nobody_serves_times_out_and_leaves_the_queue(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(unserved, "unserved", ()).await.unwrap();
    assert_eq!(process.stats().await.unwrap().queued, 1);
    scene.clock.advance(60 * SECOND);
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "ScheduleToStart");
    let history = history(&run).await;
    assert_eq!((count(&history, "ActivityFailed"), process.stats().await.unwrap().queued), (1, 0));
}

/// Whoever holds the run when the time is over fires it; a restart prolongs nothing.
pub async fn a_call_times_out_though_all_workers_were_dead(scene: Scene) {
    let process = scene.process(code).await;
    let id = process.start(unserved, "unserved", ()).await.unwrap().workflow_id().clone();
    scene.crash(process).await;
    scene.clock.advance(60 * SECOND);
    let process = scene.process(code).await;
    let run = process.handle(unserved, id).unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "ScheduleToStart");
}

/// It is stopped on the worker that has it, and its run, held by another, goes on.
pub async fn a_call_that_runs_elsewhere_is_stopped_when_its_time_is_over(scene: Scene) {
    // Leases are no part of this: time flies, and a slow machine would lose them.
    let setup = || scene.setup().options(|options| options.lease = Duration::from_secs(3_600));
    let holder = setup().start(|engine| code(engine).activity(effect)).await;
    let run = holder.start(limited, "limited", ()).await.unwrap();
    let _other = setup().start(|engine| engine.activity(hold)).await;
    scene.as_time_passes(scene.probe.saw("held", 1)).await;
    scene.as_time_flies(SECOND / 10, scene.probe.saw("held stopped", 1)).await;
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "ScheduleToClose");
    assert_eq!((scene.probe.count("held"), scene.probe.count("went on")), (1, 1));
    assert_eq!(count(&history(&run).await, "ActivityFailed"), 1);
}
