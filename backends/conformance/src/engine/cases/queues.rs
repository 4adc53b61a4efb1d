//! Many at once: slots, lines, caches, and who goes first.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use retell::{Health, Orchestrator};
use retell::activity::{ActivityContext, ActivityError};
use retell::vocabulary::TaskQueue;
use retell::workflow::{WorkflowContext, WorkflowResult};

use crate::engine::Scene;
use crate::engine::probe::{effect, hold};
use crate::engine::scene::{count, history};

/// How many run at once, and the most that ever did.
#[derive(Default)]
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[retell::activity]
async fn gauged(cx: ActivityContext, _n: u32) -> Result<u32, ActivityError> {
    let gauge = cx.state::<Gauge>()?;
    gauge.most.fetch_max(gauge.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
    gauge.now.fetch_sub(1, Ordering::SeqCst);
    Ok(u32::try_from(gauge.most.load(Ordering::SeqCst)).unwrap_or(u32::MAX))
}

#[retell::workflow]
async fn fan_out(cx: WorkflowContext, width: u32) -> WorkflowResult<u32> {
    let calls = (0..width).map(|n| cx.activity(gauged, &n));
    let most = join_all(calls).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(most.into_iter().max().unwrap_or(0))
}

/// Never more than there are slots, and all of them end.
pub async fn more_activities_than_slots_run_a_few_at_a_time(scene: Scene) {
    let setup = scene.setup().options(|options| options.activity_slots = 3);
    let process = setup.start(|engine| engine.workflow(fan_out).activity(gauged).state(Gauge::default())).await;
    let run = process.start(fan_out, "fan", 60).await.unwrap();
    let most = scene.as_time_passes(run.result()).await.unwrap();
    assert!((1..=3).contains(&most), "{most} ran at once");
    assert_eq!(count(&history(&run).await, "ActivityCompleted"), 60);
    assert_eq!(process.stats().await.unwrap().queued, 0);
}

/// One run with 2,000 at once: each outcome wakes one branch only, so this takes no time.
pub async fn two_thousand_parallel_activities_end(scene: Scene) {
    let process = scene.process(|engine| engine.workflow(fan_out).activity(gauged).state(Gauge::default())).await;
    let run = process.start(fan_out, "fan", 2_000).await.unwrap();
    scene.as_time_passes(run.result()).await.unwrap();
    assert_eq!(count(&history(&run).await, "ActivityCompleted"), 2_000);
}

#[retell::workflow]
async fn two_signals(cx: WorkflowContext) -> WorkflowResult<u32> {
    let first: u32 = cx.signal("n").await?;
    cx.activity(effect, &format!("between of {}", cx.run().workflow_id)).await?;
    Ok(first + cx.signal::<u32>("n").await?)
}

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(two_signals).workflow(held).activity(effect).activity(hold)
}

/// More runs than the cache holds: what is evicted comes back with all that it knew.
pub async fn three_hundred_runs_fit_into_a_cache_of_ten(scene: Scene) {
    let setup = scene.setup().options(|options| options.cached_runs_max = options.cached_runs_max.min(10));
    let process = setup.start(code).await;
    let mut runs = Vec::new();
    for n in 0..300 {
        runs.push(process.start(two_signals, format!("run-{n}"), ()).await.unwrap());
    }
    for n in 1..=2 {
        for run in &runs {
            run.signal("n", &n).await.unwrap();
        }
    }
    for run in &runs {
        assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), 3);
        assert_eq!(scene.probe.count(&format!("between of {}", run.workflow_id())), 1);
    }
}

#[retell::workflow]
async fn held(cx: WorkflowContext, name: String) -> WorkflowResult<String> {
    Ok(cx.activity(hold, &name).await?)
}

/// Runs whose activities take long keep their place in no cache, and no one else out.
pub async fn runs_that_wait_long_starve_nobody(scene: Scene) {
    let setup = scene.setup().options(|options| options.cached_runs_max = options.cached_runs_max.min(1));
    let process = setup.start(code).await;
    for n in 0..10 {
        process.start(held, format!("long-{n}"), "long".to_owned()).await.unwrap();
    }
    scene.probe.saw("long", 10).await;
    let run = process.start(two_signals, "other", ()).await.unwrap();
    run.signal("n", &1).await.unwrap();
    run.signal("n", &2).await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), 3);
}

/// Promise H11: a call that found all slots taken goes before one that was made later.
pub async fn older_calls_go_first(scene: Scene) {
    let setup = scene.setup().options(|options| options.activity_slots = 1);
    let process = setup.start(code).await;
    let mut runs = Vec::new();
    for name in ["first", "second", "third"] {
        runs.push(process.start(held, name, name.to_owned()).await.unwrap());
        // What is stored at one time may come to the slots in another order.
        let there = |health: Health| health.activities_running + health.activities_waiting;
        scene.until(async || there(process.health()) == runs.len()).await;
    }
    for (name, next) in [("first", Some("second")), ("second", Some("third")), ("third", None)] {
        scene.as_time_passes(scene.probe.saw(name, 1)).await;
        assert!(next.is_none_or(|next| scene.probe.count(next) == 0), "{name} goes first");
        scene.probe.open(name);
    }
    for run in &runs {
        scene.as_time_passes(run.result()).await.unwrap();
    }
}

/// Where an activity runs.
struct Place(&'static str);

#[retell::activity]
async fn whereabouts(cx: ActivityContext) -> Result<String, ActivityError> {
    Ok(cx.state::<Place>()?.0.to_owned())
}

#[retell::workflow]
async fn far_and_near(cx: WorkflowContext) -> WorkflowResult<(String, String)> {
    let far = TaskQueue::new("far").expect("it is a good name");
    let far = cx.activity(whereabouts, &()).task_queue(far).await?;
    Ok((far, cx.activity(whereabouts, &()).await?))
}

/// A call that names a queue waits for a worker of that queue, though this one serves the activity too.
pub async fn a_call_goes_to_the_queue_that_it_names(scene: Scene) {
    let code = |engine: Orchestrator| engine.workflow(far_and_near).activity(whereabouts);
    let near = scene.process(|engine| code(engine).state(Place("near"))).await;
    let run = near.start(far_and_near, "far and near", ()).await.unwrap();
    scene.until(async || near.stats().await.unwrap().queued == 1).await;
    let queue = TaskQueue::new("far").unwrap();
    let far = scene.process(|engine| code(engine).state(Place("far")).task_queue(queue)).await;
    let places = scene.as_time_passes(run.result()).await.unwrap();
    assert_eq!((&*places.0, &*places.1), ("far", "near"));
    drop(far);
}
