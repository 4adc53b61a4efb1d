//! What is asked of the engine instead of the world: the same live, after a crash, and at every replay.

use std::time::Duration;

use retell::Orchestrator;
use retell::activity::{ActivityContext, ActivityError};
use retell::vocabulary::{RetryPolicy, Timestamp};
use retell::workflow::{WorkflowContext, WorkflowResult};
use serde::{Deserialize, Serialize};

use crate::engine::Scene;
use crate::engine::probe::{Probe, effect, hold};
use crate::engine::scene::{count, history};

fn code(engine: Orchestrator) -> Orchestrator {
    let engine = engine.workflow(drawing).workflow(side_effects).workflow(trembling).workflow(stepping);
    engine.activity(hold).activity(effect).activity(compare)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Drawn {
    now: Timestamp,
    number: u64,
    id: uuid::Uuid,
}

fn draw(cx: &WorkflowContext) -> Drawn {
    Drawn { now: cx.now(), number: cx.random_u64(), id: cx.uuid() }
}

/// An input that the code draws: replay compares it with what history holds.
#[retell::activity]
async fn compare(_cx: ActivityContext, drawn: Vec<Drawn>) -> Result<Vec<Drawn>, ActivityError> {
    Ok(drawn)
}

#[retell::workflow]
async fn drawing(cx: WorkflowContext) -> WorkflowResult<(Vec<Drawn>, Vec<Drawn>)> {
    let mut drawn = vec![draw(&cx)];
    cx.activity(hold, &"held".to_owned()).await?;
    drawn.push(draw(&cx));
    let recorded = cx.activity(compare, &drawn).await?;
    cx.signal::<()>("go").await?;
    Ok((drawn, recorded))
}

/// Time, numbers and IDs are what they were, although another process tells the history again.
pub async fn now_random_and_uuid_are_the_same_after_a_crash(scene: Scene) {
    let process = scene.process(code).await;
    let id = process.start(drawing, "drawing", ()).await.unwrap().workflow_id().clone();
    scene.probe.saw("held", 1).await;
    scene.probe.open("held");
    let run = process.handle(drawing, id.clone()).unwrap();
    scene.until(async || count(&history(&run).await, "ActivityCompleted") == 2).await;
    drop(run);
    scene.crash(process).await;
    let process = scene.process(code).await;
    let run = process.handle(drawing, id).unwrap();
    run.signal("go", &()).await.unwrap();
    let (drawn, recorded) = scene.as_time_passes(run.result()).await.unwrap();
    assert_eq!(drawn, recorded);
    assert!(drawn[0].id != drawn[1].id && drawn[0].number != drawn[1].number);
}

#[retell::workflow]
async fn side_effects(cx: WorkflowContext, probe: u64) -> WorkflowResult<String> {
    let secret = cx.side_effect(move || {
        Probe::of(probe).mark("drawn");
        "secret".to_owned()
    });
    let secret = secret.await?;
    cx.activity(hold, &"held".to_owned()).await?;
    Ok(secret)
}

/// Its value is recorded once and survives the process.
pub async fn a_side_effect_runs_once_and_its_value_survives_a_crash(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(side_effects, "secret", scene.probe.number()).await.unwrap();
    let id = run.workflow_id().clone();
    drop(run);
    scene.probe.saw("held", 1).await;
    scene.crash(process).await;
    let process = scene.process(code).await;
    scene.probe.open("held");
    let run = process.handle(side_effects, id).unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "secret");
    assert_eq!(scene.probe.count("drawn"), 1);
    assert_eq!(count(&history(&run).await, "SideEffectRecorded"), 1);
}

#[retell::workflow]
async fn stepping(cx: WorkflowContext, probe: u64) -> WorkflowResult<u32> {
    let mut sum = 0;
    for number in 1..=3_u32 {
        let call = cx.step("add", &(probe, number), |_cx, (probe, number): (u64, u32)| async move {
            let probe = Probe::of(probe);
            probe.mark("stepped");
            if probe.count("stepped") == 2 {
                return Err(ActivityError::new("Busy", "the second time it fails"));
            }
            Ok(number)
        });
        sum += call.retry(RetryPolicy::fixed(Duration::from_millis(1))).await?;
    }
    cx.activity(hold, &"held".to_owned()).await?;
    Ok(sum)
}

/// Steps are retried where they run, and recorded once: a crash later runs none of them again.
pub async fn steps_run_in_turn_and_their_outcomes_survive_a_crash(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(stepping, "steps", scene.probe.number()).await.unwrap();
    let id = run.workflow_id().clone();
    drop(run);
    scene.as_time_flies(Duration::from_millis(20), scene.probe.saw("held", 1)).await;
    scene.crash(process).await;
    let process = scene.process(code).await;
    scene.probe.open("held");
    let run = process.handle(stepping, id).unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), 6);
    assert_eq!(scene.probe.count("stepped"), 4);
    assert_eq!(count(&history(&run).await, "ActivityScheduled"), 4);
}

#[retell::workflow]
async fn trembling(cx: WorkflowContext, probe: u64) -> WorkflowResult<u32> {
    let value = cx.side_effect(move || {
        let probe = Probe::of(probe);
        probe.mark("trembled");
        assert!(probe.count("trembled") > 1, "the first time it panics");
        7
    });
    Ok(value.await?)
}

/// The task is tried again, and with it the closure.
pub async fn a_side_effect_that_panicked_is_run_again(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(trembling, "trembling", scene.probe.number()).await.unwrap();
    let result = scene.as_time_flies(Duration::from_millis(20), run.result()).await;
    assert_eq!(result.unwrap(), 7);
    assert_eq!(scene.probe.count("trembled"), 2);
}
