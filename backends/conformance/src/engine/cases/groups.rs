//! Steps that share a commit: what a crash repeats, and what stores a group before its end.

use retell::Orchestrator;
use retell::workflow::{QueryType, WorkflowContext, WorkflowResult};

use crate::engine::Scene;
use crate::engine::probe::hold;
use crate::engine::scene::{Process, count, history};

const DONE: QueryType<(), u32> = QueryType::new("done");

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(grouped).activity(hold)
}

#[retell::workflow]
async fn grouped(cx: WorkflowContext) -> WorkflowResult<u32> {
    let done = cx.share(0);
    done.handle_query(DONE, |done, ()| *done);
    for name in ["a", "b", "c"] {
        cx.local_activity(hold, &name.to_owned()).commit_later().await?;
        done.with(|done| *done += 1);
    }
    Ok(done.read(|done| *done))
}

/// A process in which two steps have ended, and the third one runs.
async fn in_the_third(scene: &Scene) -> Process {
    scene.probe.open("a");
    scene.probe.open("b");
    let process = scene.process(code).await;
    let run = process.start(grouped, "grouped", ()).await.unwrap();
    scene.probe.saw("c", 1).await;
    assert_eq!(count(&history(&run).await, "ActivityScheduled"), 1, "the first step is stored, and no more");
    process
}

fn counts(scene: &Scene) -> [usize; 3] {
    ["a", "b", "c"].map(|name| scene.probe.count(name))
}

/// All of it, and each outcome is recorded once.
pub async fn a_crash_repeats_the_group_that_was_not_stored(scene: Scene) {
    let process = in_the_third(&scene).await;
    scene.crash(process).await;
    scene.probe.open("c");
    let process = scene.process(code).await;
    let run = process.handle(grouped, "grouped").unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), 3);
    assert_eq!(counts(&scene), [2, 2, 2]);
    assert_eq!(count(&history(&run).await, "ActivityCompleted"), 3);
}

/// Nobody is told what a crash could take back.
pub async fn a_query_is_answered_when_the_group_is_stored(scene: Scene) {
    let process = in_the_third(&scene).await;
    let run = process.handle(grouped, "grouped").unwrap();
    assert_eq!(run.query(DONE, &()).await.unwrap(), 2);
    assert_eq!(count(&history(&run).await, "ActivityCompleted"), 2);
    // The handle holds the store open.
    drop(run);
    scene.crash(process).await;
    scene.probe.open("c");
    let process = scene.process(code).await;
    let run = process.handle(grouped, "grouped").unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), 3);
    assert_eq!(counts(&scene), [1, 1, 2]);
}

/// What has ended is not run again elsewhere.
pub async fn a_worker_that_shuts_down_stores_the_group(scene: Scene) {
    let process = in_the_third(&scene).await;
    let open = async {
        tokio::task::yield_now().await;
        scene.probe.open("c");
    };
    futures::future::join(process.shutdown(&scene), open).await;
    let process = scene.process(code).await;
    let run = process.handle(grouped, "grouped").unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), 3);
    assert_eq!(counts(&scene), [1, 1, 1]);
}
