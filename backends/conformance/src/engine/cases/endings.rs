//! How runs end from outside, and how those who wait hear of it.

use std::time::Duration;

use retell::Orchestrator;
use retell::backend::{RunStatus, StatusFilter};
use retell::client::{ReadError, ResultError};
use retell::workflow::{WorkflowContext, WorkflowResult};
use retell::write::CloseStatus;

use crate::engine::Scene;
use crate::engine::probe::{effect, hold};
use crate::engine::scene::kinds;

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(held).workflow(chain).activity(hold).activity(effect)
}

#[retell::workflow]
async fn held(cx: WorkflowContext) -> WorkflowResult<String> {
    Ok(cx.activity(hold, &"held".to_owned()).await?)
}

/// Bodies are stopped, the caller is told why, and the history ends so.
pub async fn a_terminated_run_stops_what_it_runs(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(held, "held", ()).await.unwrap();
    scene.probe.saw("held", 1).await;
    run.terminate("enough").await.unwrap();
    let ended = run.result().await;
    assert!(matches!(ended, Err(ResultError::Terminated(reason)) if &*reason == "enough"));
    scene.probe.saw("held stopped", 1).await;
    assert_eq!(kinds(&run).await, ["WorkflowStarted", "ActivityScheduled", "WorkflowTerminated"]);
    let stats = process.stats().await.unwrap();
    assert_eq!((stats.open, stats.queued), (0, 0));
}

/// Terminated by another process: the one that runs it finds it out and stops the body.
pub async fn a_run_terminated_elsewhere_is_let_go_of(scene: Scene) {
    let process = scene.process(code).await;
    process.start(held, "held", ()).await.unwrap();
    scene.probe.saw("held", 1).await;
    let (orchestrator, _gone) = scene.setup().orchestrator().await;
    let run = orchestrator.client().handle(held, "held").unwrap();
    run.terminate("enough").await.unwrap();
    let stopped = scene.probe.saw("held stopped", 1);
    scene.as_time_flies(Duration::from_millis(50), stopped).await;
    scene.until(async || process.health().runs_held == 0).await;
}

#[retell::workflow]
async fn chain(cx: WorkflowContext, left: u32) -> WorkflowResult<String> {
    cx.activity(effect, &left.to_string()).await?;
    if left > 0 { cx.continue_as_new(chain, &(left - 1)) } else { Ok("end".to_owned()) }
}

/// Each link is a run of its own, and the result is the last one's.
pub async fn a_result_follows_the_chain_of_runs(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(chain, "chain", 4).await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "end");
    let mut request = process.client().list_request();
    request.status = StatusFilter::ClosedAs(CloseStatus::ContinuedAsNew);
    assert_eq!(process.list(&request).await.unwrap().runs.len(), 4);
    let stats = process.stats().await.unwrap();
    assert_eq!((stats.open, stats.closed, stats.messages), (0, 5, 0));
}

/// In one process nobody polls: the clock stands still, and all hear of it.
pub async fn a_hundred_who_wait_hear_of_the_result_at_once(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(held, "held", ()).await.unwrap();
    let waiting = (0..100).map(|_| async {
        let run = process.handle(held, "held").unwrap();
        run.result().await
    });
    let waiting = futures::future::join_all(waiting);
    let open = async {
        scene.probe.saw("held", 1).await;
        scene.probe.open("held");
    };
    let (results, ()) = scene.as_time_passes(futures::future::join(waiting, open)).await;
    assert!(results.iter().all(|result| result.as_deref().is_ok_and(|text| text == "held")));
    assert_eq!(run.result().await.unwrap(), "held");
}

/// Lists go in pages, newest first; filters hold; a run can be described without its history.
pub async fn runs_are_listed_described_and_counted(scene: Scene) {
    let process = scene.process(code).await;
    for n in 0..25 {
        process.start(chain, format!("closed-{n}"), 0).await.unwrap().result().await.unwrap();
        scene.clock.advance(Duration::from_millis(1));
    }
    let open = process.start(held, "open", ()).await.unwrap();
    let mut request = process.client().list_request();
    request.page_size = 10;
    let mut ids = Vec::new();
    loop {
        let page = process.list(&request).await.unwrap();
        ids.extend(page.runs.iter().map(|run| run.run.workflow_id.to_string()));
        request.after = page.next;
        if request.after.is_none() {
            break;
        }
    }
    let expected: Vec<String> = (0..25).rev().map(|n| format!("closed-{n}")).collect();
    assert_eq!((&ids[0][..], &ids[1..]), ("open", &expected[..]));
    let info = open.describe().await.unwrap();
    assert_eq!((info.status, &*info.workflow.name.to_string()), (RunStatus::Running, "held"));
    let unknown = process.handle(held, "unknown").unwrap();
    assert!(matches!(unknown.describe().await, Err(ReadError::NotFound)));
    assert!(matches!(unknown.result().await, Err(ResultError::Read(ReadError::NotFound))));
}
