//! Activities: attempts, limits, panics, threads, queues.

use std::time::Duration;

use retell::Orchestrator;
use retell::activity::{ActivityContext, ActivityError};
use retell::client::{ResultError, RunHandle};
use retell::clock::Clock;
use retell::vocabulary::{FailureKind, RetryPolicy, Timestamp};
use retell::workflow::{CallError, WorkflowContext, WorkflowResult};

use crate::engine::Scene;
use crate::engine::probe::{Probe, effect, flop, hold};
use crate::engine::scene::{count, history};

const SECOND: Duration = Duration::from_secs(1);

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(flopping).workflow(held).activity(flop).activity(hold).activity(effect)
}

#[retell::workflow]
async fn flopping(cx: WorkflowContext, (until, policy): (u32, RetryPolicy)) -> WorkflowResult<u32> {
    Ok(cx.activity(flop, &until).retry(policy).await?)
}

/// 1 s, then 2 s: nothing runs before its time. The body sees its attempt, its last failure and one key.
pub async fn a_failed_attempt_is_tried_again_after_its_backoff(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(flopping, "flop", (3, RetryPolicy::exponential())).await.unwrap();
    let tick = Duration::from_micros(1);
    for (attempts, wait) in [(1, SECOND), (2, 2 * SECOND)] {
        scene.as_time_passes(scene.probe.saw("flop", attempts)).await;
        let due = next_attempt(&scene, &run, u32::try_from(attempts).unwrap() + 1).await;
        let left = due.since(scene.clock.now());
        assert!(left <= wait && (left == wait || attempts > 1), "it waits {left:?}, not {wait:?}");
        scene.clock.advance(left - tick);
        assert_eq!(process.stats().await.unwrap().queued, 1);
        assert_eq!(scene.probe.count("flop"), attempts, "not before its time");
    }
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), 3);
    let marks = scene.probe.marks("flop");
    assert_eq!(marks.iter().map(|mark| mark.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(marks.iter().all(|mark| mark.key == marks[0].key), "one key for all attempts");
    let last: Vec<_> = marks.iter().map(|mark| mark.last_failure.as_ref().map(ToString::to_string)).collect();
    assert_eq!(last, [None, Some("attempt 1 flopped".to_owned()), Some("attempt 2 flopped".to_owned())]);
    assert_eq!(count(&history(&run).await, "ActivityScheduled"), 1);
    assert_eq!(process.stats().await.unwrap().queued, 0);
}

/// Waits until this attempt of the one queued call waits for its time, and tells when that is.
async fn next_attempt(scene: &Scene, run: &RunHandle<flopping>, attempt: u32) -> Timestamp {
    let store = scene.store().await;
    let run = run.describe().await.unwrap().run;
    loop {
        let queued = store.queued(&run).await.unwrap();
        if let [row] = &queued[..]
            && row.attempt.0 == attempt
        {
            return row.visible_at;
        }
        tokio::task::yield_now().await;
    }
}

/// Two attempts are two tries, not two retries; the caller gets the last failure.
pub async fn attempts_are_total_tries(scene: Scene) {
    let process = scene.process(code).await;
    let policy = RetryPolicy::fixed(Duration::ZERO).attempts(2);
    let run = process.start(flopping, "flop", (9, policy)).await.unwrap();
    let Err(ResultError::Failed(failure)) = run.result().await else { panic!("it fails") };
    assert_eq!((failure.to_string(), scene.probe.count("flop")), ("attempt 2 flopped".to_owned(), 2));
}

/// Not even under a policy without a limit.
pub async fn a_permanent_failure_is_not_tried_again(scene: Scene) {
    let process = scene.process(code).await;
    let policy = RetryPolicy::exponential().non_retryable("Flop");
    let run = process.start(flopping, "flop", (9, policy)).await.unwrap();
    let Err(ResultError::Failed(failure)) = run.result().await else { panic!("it fails") };
    assert_eq!((&*failure.error_type, scene.probe.count("flop")), ("Flop", 1));
}

#[retell::workflow]
async fn held(cx: WorkflowContext, limit: Duration) -> WorkflowResult<String> {
    let policy = RetryPolicy::never();
    match cx.activity(hold, &"held".to_owned()).start_to_close(limit).retry(policy).await {
        Err(CallError::Failed(failure)) if failure.kind == FailureKind::Timeout => Ok("over".to_owned()),
        other => Ok(other?),
    }
}

/// Its body is dropped, and the failure is of its own kind.
pub async fn an_attempt_over_its_time_limit_is_stopped(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(held, "held", SECOND).await.unwrap();
    scene.probe.saw("held", 1).await;
    scene.clock.advance(SECOND);
    assert_eq!(run.result().await.unwrap(), "over");
    assert_eq!(scene.probe.count("held stopped"), 1);
}

#[retell::activity]
async fn explode(_cx: ActivityContext) -> Result<(), ActivityError> {
    panic!("boom")
}

#[retell::activity]
fn explode_blocking(_cx: ActivityContext) -> Result<(), ActivityError> {
    panic!("boom")
}

#[retell::workflow]
async fn exploding(cx: WorkflowContext) -> WorkflowResult<(FailureKind, FailureKind)> {
    let (one, two) = retell::join!(
        cx.activity(explode, &()).retry(RetryPolicy::never()),
        cx.activity(explode_blocking, &()).retry(RetryPolicy::never()),
    );
    let kind = |result: Result<(), CallError>| result.unwrap_err().failure().unwrap().kind;
    Ok((kind(one), kind(two)))
}

/// It is caught, recorded as such, and the worker goes on.
pub async fn a_panic_is_a_failure(scene: Scene) {
    let code = |engine: Orchestrator| {
        engine.workflow(exploding).activity(explode).activity(explode_blocking)
    };
    let process = scene.process(code).await;
    let run = process.start(exploding, "explode", ()).await.unwrap();
    assert_eq!(run.result().await.unwrap(), (FailureKind::Panic, FailureKind::Panic));
}

#[retell::activity]
fn block(cx: ActivityContext, name: String) -> Result<String, ActivityError> {
    let probe = cx.state::<Probe>()?;
    probe.mark(&name);
    probe.pass_blocking(&name);
    Ok(name)
}

#[retell::workflow]
async fn blocking(cx: WorkflowContext) -> WorkflowResult<String> {
    let names: [String; 3] = ["one", "two", "three"].map(String::from);
    let calls = names.iter().map(|name| cx.activity(block, name));
    let blocked = futures::future::join_all(calls);
    let (blocked, quick) = retell::join!(blocked, cx.activity(effect, &"quick".to_owned()));
    Ok(format!("{}{}", quick?, blocked.len()))
}

/// Three that block their threads hold up neither the runtime of two threads nor each other.
pub async fn a_blocking_activity_has_its_own_thread(scene: Scene) {
    let code = |engine: Orchestrator| engine.workflow(blocking).activity(block).activity(effect);
    let process = scene.setup().options(|options| options.blocking_activity_slots = 3).start(code).await;
    let run = process.start(blocking, "blocking", ()).await.unwrap();
    for name in ["one", "two", "three", "quick"] {
        scene.probe.saw(name, 1).await;
    }
    ["one", "two", "three"].iter().for_each(|name| scene.probe.open(*name));
    assert_eq!(run.result().await.unwrap(), "quick3");
}

#[retell::activity]
async fn wants_a_pool(cx: ActivityContext) -> Result<(), ActivityError> {
    cx.state::<Vec<u8>>()?;
    Ok(())
}

#[retell::workflow]
async fn without_pool(cx: WorkflowContext) -> WorkflowResult<()> {
    Ok(cx.activity(wants_a_pool, &()).await?)
}

/// A typed failure that no policy tries again.
pub async fn missing_shared_state_is_named(scene: Scene) {
    let process = scene.process(|engine| engine.workflow(without_pool).activity(wants_a_pool)).await;
    let run = process.start(without_pool, "pool", ()).await.unwrap();
    let Err(ResultError::Failed(failure)) = run.result().await else { panic!("it fails") };
    assert_eq!(&*failure.error_type, "MissingState");
    assert!(failure.message.contains("Vec<u8>"), "{failure}");
}

/// Nobody here serves it: it stands in the queue for all to see, and a worker that knows it takes it.
pub async fn an_unknown_activity_waits_in_the_queue(scene: Scene) {
    let process = scene.process(|engine| engine.workflow(held)).await;
    let run = process.start(held, "held", SECOND).await.unwrap();
    let store = scene.store().await;
    let queued = store.queued(&run.describe().await.unwrap().run).await.unwrap();
    assert_eq!(queued.iter().map(|row| row.activity.as_str()).collect::<Vec<_>>(), ["hold"]);
    let second = scene.process(code).await;
    scene.as_time_passes(scene.probe.saw("held", 1)).await;
    scene.probe.open("held");
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "held");
    drop(second);
}

#[retell::workflow]
async fn held_and_signalled(cx: WorkflowContext) -> WorkflowResult<String> {
    let pings = async {
        for _ in 0..2 {
            cx.signal::<()>("ping").await?;
            cx.activity(effect, &"pong".to_owned()).await?;
        }
        WorkflowResult::Ok(())
    };
    let (ended, pings) = retell::join!(cx.activity(hold, &"held".to_owned()), pings);
    pings?;
    Ok(ended?)
}

/// An attempt that was claimed from the queue belongs to the worker, not to the run's stay in memory.
pub async fn a_queued_attempt_survives_the_release_of_its_run(scene: Scene) {
    let first = scene.process(|engine| engine.workflow(held_and_signalled).activity(effect)).await;
    let id = first.start(held_and_signalled, "held", ()).await.unwrap().workflow_id().clone();
    scene.crash(first).await;
    let code = |engine: Orchestrator| engine.workflow(held_and_signalled).activity(hold).activity(effect);
    let process = scene.process(code).await;
    let run = process.handle(held_and_signalled, id).unwrap();
    scene.probe.saw("held", 1).await;
    for round in 1..=2 {
        run.signal("ping", &()).await.unwrap();
        scene.as_time_passes(scene.probe.saw("pong", round)).await;
    }
    scene.probe.open("held");
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "held");
    assert_eq!((scene.probe.count("held"), scene.probe.count("held stopped")), (1, 0));
}
