//! Cancel requests: every await outside a shield ends once, and the code decides what comes of it.

use std::time::Duration;

use retell::Orchestrator;
use retell::activity::{ActivityContext, ActivityError};
use retell::client::ResultError;
use retell::workflow::{ActivityCancellation, CallError, WorkflowContext, WorkflowResult};
use retell::write::CloseStatus;
use retell::backend::RunStatus;

use crate::engine::Scene;
use crate::engine::probe::{Probe, effect, hold};
use crate::engine::scene::{count, history};

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(tidy).workflow(stubborn).workflow(one_activity).workflow(renewing).activity(hold).activity(effect)
}

#[retell::workflow]
async fn tidy(cx: WorkflowContext) -> WorkflowResult<()> {
    let (slept, signalled, held) = retell::join!(
        cx.sleep(YEAR),
        cx.signal::<()>("never"),
        cx.activity(hold, &"held".to_owned()),
    );
    let ended = [slept.err(), signalled.err(), held.err()];
    assert_eq!(ended, [const { Some(CallError::Cancelled) }; 3], "all of them, once");
    cx.shielded().activity(effect, &"cleaned up".to_owned()).await?;
    Err(CallError::Cancelled)?
}

/// Sleep, signal and activity end; what is shielded runs; the run closes as cancelled.
pub async fn every_await_ends_and_the_shielded_one_runs(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(tidy, "tidy", ()).await.unwrap();
    scene.probe.saw("held", 1).await;
    run.cancel("enough").await.unwrap();
    assert!(matches!(run.result().await, Err(ResultError::Cancelled)));
    scene.probe.saw("held stopped", 1).await;
    assert_eq!(scene.probe.count("cleaned up"), 1);
    let status = run.describe().await.unwrap().status;
    assert_eq!(status, RunStatus::Closed(CloseStatus::Cancelled));
}

#[retell::workflow]
async fn stubborn(cx: WorkflowContext) -> WorkflowResult<String> {
    // Whatever is asked of it, it wants its signal.
    let _ = cx.sleep(YEAR).await;
    Ok(cx.shielded().signal("go").await?)
}

/// A request is a request: code that goes on ends as it likes.
pub async fn code_may_refuse_to_be_cancelled(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(stubborn, "stubborn", ()).await.unwrap();
    run.cancel("please").await.unwrap();
    run.cancel("please!").await.unwrap();
    run.signal("go", "done").await.unwrap();
    assert_eq!(run.result().await.unwrap(), "done");
}

#[retell::workflow]
async fn one_activity(cx: WorkflowContext) -> WorkflowResult<String> {
    Ok(cx.activity(hold, &"held".to_owned()).await?)
}

/// Whichever comes first counts, nothing panics, and the run closes one way or the other.
pub async fn a_cancel_and_a_completion_together_end_the_run(scene: Scene) {
    let process = scene.process(code).await;
    let mut runs = Vec::new();
    for n in 0..20 {
        runs.push(process.start(one_activity, format!("both-{n}"), ()).await.unwrap());
    }
    scene.probe.saw("held", runs.len()).await;
    let cancelled = futures::future::join_all(runs.iter().map(|run| run.cancel("now")));
    let (_, cancelled) = futures::future::join(async { scene.probe.open("held") }, cancelled).await;
    for (run, _) in runs.iter().zip(cancelled) {
        match scene.as_time_passes(run.result()).await {
            Ok(held) => assert_eq!(held, "held"),
            Err(ResultError::Cancelled) => {}
            other => panic!("it ends so: {other:?}"),
        }
        let events = history(run).await;
        assert_eq!(count(&events, "ActivityCompleted") + count(&events, "ActivityCancelled"), 1);
    }
}

/// Goes on as a new run until it is asked to cancel.
#[retell::workflow]
async fn renewing(cx: WorkflowContext, round: u32) -> WorkflowResult<u32> {
    if round < 5 {
        cx.activity(effect, &"round".to_owned()).await?;
        return cx.continue_as_new(renewing, &(round + 1));
    }
    cx.sleep(YEAR).await?;
    Ok(round)
}

/// A request to the first run reaches the one that is open.
pub async fn a_cancel_request_follows_continue_as_new(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(renewing, "renewing", 0).await.unwrap();
    scene.as_time_passes(scene.probe.saw("round", 5)).await;
    run.cancel("enough").await.unwrap();
    assert!(matches!(scene.as_time_passes(run.result()).await, Err(ResultError::Cancelled)));
}

/// Marks `digging`, and `asked` when it is asked to stop; then stops.
#[retell::activity]
async fn dig(cx: ActivityContext) -> Result<(), ActivityError> {
    let probe = cx.state::<Probe>()?;
    probe.mark("digging");
    while !cx.is_cancelled() {
        cx.heartbeat(&())?;
        tokio::task::yield_now().await;
    }
    probe.mark("asked");
    probe.pass("asked").await;
    Err(ActivityError::cancelled())
}

#[retell::workflow]
async fn digging(cx: WorkflowContext) -> WorkflowResult<()> {
    let call = cx.activity(dig, &()).heartbeat_timeout(3_600 * SECOND);
    Ok(call.cancellation(ActivityCancellation::Wait).await?)
}

async fn asks_to_stop(scene: Scene, elsewhere: bool) {
    let holder = scene.process(|engine| {
        let engine = engine.workflow(digging);
        if elsewhere { engine } else { engine.activity(dig) }
    });
    let holder = holder.await;
    let _other = if elsewhere { Some(scene.process(|engine| engine.activity(dig)).await) } else { None };
    let run = holder.start(digging, "dig", ()).await.unwrap();
    scene.as_time_passes(scene.probe.saw("digging", 1)).await;
    run.cancel("deep enough").await.unwrap();
    scene.as_time_flies(SECOND / 10, scene.probe.saw("asked", 1)).await;
    assert_eq!(count(&history(&run).await, "ActivityFailed"), 0, "the call waits");
    scene.probe.open("asked");
    let ended = scene.as_time_passes(run.result()).await;
    assert!(matches!(ended, Err(ResultError::Cancelled)), "{ended:?}");
    let events = history(&run).await;
    assert_eq!((count(&events, "ActivityCancelRequested"), count(&events, "ActivityFailed")), (1, 1));
}

/// The body is asked, not stopped; the call is over when the body is.
pub async fn a_call_that_waits_ends_as_its_body_does(scene: Scene) {
    asks_to_stop(scene, false).await;
}

/// Its heartbeat hears of it.
pub async fn a_body_on_another_worker_is_asked_to_stop(scene: Scene) {
    asks_to_stop(scene, true).await;
}
