//! Shutting down: what runs ends or is given back, and nothing lives on.

use std::time::Duration;

use retell::Orchestrator;
use retell::clock::Clock;
use retell::workflow::{WorkflowContext, WorkflowResult};

use crate::engine::Scene;
use crate::engine::probe::{effect, hold};
use crate::engine::scene::{count, history};

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(held).workflow(waiting).workflow(endless).activity(hold).activity(effect)
}

#[retell::workflow]
async fn held(cx: WorkflowContext) -> WorkflowResult<String> {
    let done = cx.activity(hold, &"held".to_owned()).await?;
    cx.signal::<()>("go").await?;
    Ok(done)
}

/// Its outcome is recorded before the process ends; it is not run again.
pub async fn a_running_activity_ends_and_is_recorded(scene: Scene) {
    let process = scene.process(code).await;
    process.start(held, "held", ()).await.unwrap();
    scene.probe.saw("held", 1).await;
    let open = async {
        tokio::task::yield_now().await;
        scene.probe.open("held");
    };
    futures::future::join(process.shutdown(&scene), open).await;
    let process = scene.process(code).await;
    let run = process.handle(held, "held").unwrap();
    assert_eq!(count(&history(&run).await, "ActivityCompleted"), 1);
    run.signal("go", &()).await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "held");
    assert_eq!(scene.probe.count("held"), 1);
}

#[retell::workflow]
async fn waiting(cx: WorkflowContext) -> WorkflowResult<u32> {
    Ok(cx.signal("n").await?)
}

/// Another process goes on at once: no lease has to run out.
pub async fn an_idle_run_is_given_back(scene: Scene) {
    let process = scene.process(code).await;
    process.start(waiting, "waiting", ()).await.unwrap();
    process.shutdown(&scene).await;
    let heir = scene.process(code).await;
    let run = heir.handle(waiting, "waiting").unwrap();
    assert_eq!(run.describe().await.unwrap().owner, None);
    run.signal("n", &7).await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), 7);
}

/// What is started while it waits for the last activity is left to others, who find it as it was.
pub async fn a_process_that_shuts_down_takes_nothing_new(scene: Scene) {
    let process = scene.process(code).await;
    process.start(held, "first", ()).await.unwrap();
    scene.probe.saw("held", 1).await;
    let (orchestrator, _gone) = scene.setup().orchestrator().await;
    let client = orchestrator.client();
    let meanwhile = async {
        let run = client.start(held, "second", ()).await.unwrap();
        let end = scene.clock.now() + Duration::from_millis(50);
        while scene.clock.now() < end {
            tokio::task::yield_now().await;
            let info = run.describe().await.unwrap();
            assert_eq!((info.owner, info.head.0), (None, 1));
        }
        assert_eq!(scene.probe.count("held"), 1);
        scene.probe.open("held");
    };
    futures::future::join(process.shutdown(&scene), meanwhile).await;
    let _heir = scene.process(code).await;
    for id in ["first", "second"] {
        let run = client.handle(held, id).unwrap();
        run.signal("go", &()).await.unwrap();
        assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "held");
    }
    assert_eq!(scene.probe.count("held"), 2, "each once");
}

/// It is cut when the grace is over, and tried elsewhere.
pub async fn a_never_ending_activity_is_cut_after_the_grace(scene: Scene) {
    let grace = Duration::from_millis(50);
    let process = scene.setup().options(|options| options.shutdown_grace = grace).start(code).await;
    process.start(held, "held", ()).await.unwrap();
    scene.probe.saw("held", 1).await;
    process.shutdown(&scene).await;
    assert_eq!(scene.probe.count("held stopped"), 1);
    let heir = scene.process(code).await;
    scene.as_time_passes(scene.probe.saw("held", 2)).await;
    drop(heir);
}

/// One step after the other, for ever.
#[retell::workflow]
async fn endless(cx: WorkflowContext) -> WorkflowResult<()> {
    loop {
        cx.activity(effect, &"step".to_owned()).await?;
    }
}

/// The step that runs ends; the next one is left to others.
pub async fn a_run_that_always_has_a_next_step_is_given_back(scene: Scene) {
    let process = scene.process(code).await;
    process.start(endless, "endless", ()).await.unwrap();
    scene.probe.saw("step", 3).await;
    let began = Clock::elapsed(&scene.clock);
    process.shutdown(&scene).await;
    let took = Clock::elapsed(&scene.clock) - began;
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    let steps = scene.probe.count("step");
    let heir = scene.process(code).await;
    scene.as_time_passes(scene.probe.saw("step", steps + 3)).await;
    heir.handle(endless, "endless").unwrap().terminate("enough").await.unwrap();
}

/// Dropped in the middle of everything, an engine leaves no task, no thread and no handle behind.
pub async fn a_dropped_engine_leaves_nothing_behind(scene: Scene) {
    for _ in 0..5 {
        let process = scene.process(code).await;
        let id = retell::vocabulary::RequestId::fresh().0.to_string();
        process.start(endless, &*id, ()).await.unwrap();
        process.start(waiting, format!("{id}-waiting"), ()).await.unwrap();
        // Resolves when the last of its handle is gone.
        process.crash().await;
    }
}
