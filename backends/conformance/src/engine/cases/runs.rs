//! Runs as a whole: limits, tries, delays, pauses, resets, what they show, and histories that grow too long.

use std::time::Duration;

use retell::Orchestrator;
use retell::backend::{RunStatus, StatusFilter};
use retell::client::ResultError;
use retell::clock::Clock;
use retell::vocabulary::{EventId, RetryPolicy, SearchKey, TimeoutKind};
use retell::workflow::{WorkflowContext, WorkflowError, WorkflowResult};
use retell::write::CloseStatus;

use crate::engine::Scene;
use crate::engine::probe::{effect, hold};
use crate::engine::scene::{count, history, kinds};

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
const STEP: SearchKey<i64> = SearchKey::new("step");

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(held).workflow(fails_twice).workflow(steps).activity(hold).activity(effect)
}

#[retell::workflow]
async fn held(cx: WorkflowContext) -> WorkflowResult<String> {
    Ok(cx.activity(hold, &"held".to_owned()).await?)
}

#[retell::workflow]
async fn fails_twice(cx: WorkflowContext) -> WorkflowResult<String> {
    let info = cx.info();
    match info.last_failure {
        _ if info.attempt.0 < 3 => Err(WorkflowError::new(format!("try {}", info.attempt))),
        last => Ok(format!("after {:?}", last.map(|failure| failure.message.to_string()))),
    }
}

/// One step for each word.
#[retell::workflow]
async fn steps(cx: WorkflowContext, count: i64) -> WorkflowResult<String> {
    let mut words = Vec::new();
    for step in 1..=count {
        cx.upsert_attribute(STEP, step);
        let word = cx.signal::<String>("word").await?;
        words.push(cx.activity(effect, &word).await.map(|_| word)?);
    }
    Ok(words.join(" "))
}

/// Retention: what closed longer ago than an age goes, of this namespace only; what is open or younger stays.
pub async fn runs_that_closed_long_ago_are_removed(scene: Scene) {
    const OLD: i64 = 300;
    let process = scene.process(code).await;
    let ended = async |id: String| {
        let run = process.start(steps, id, 0).await.unwrap();
        scene.as_time_passes(run.result()).await.unwrap();
    };
    for number in 0..OLD {
        ended(format!("old-{number}")).await;
    }
    let open = process.start(steps, "open", 1).await.unwrap();
    let elsewhere = scene.setup().orchestrator().await.0.namespace("elsewhere").client();
    // What closed just so long ago stays.
    scene.clock.advance(MINUTE + SECOND);
    ended("young".to_owned()).await;
    assert_eq!(elsewhere.remove_closed(Duration::ZERO).await.unwrap(), 0);
    assert_eq!(process.client().remove_closed(MINUTE).await.unwrap(), OLD as u64);
    assert_eq!(process.client().remove_closed(MINUTE).await.unwrap(), 0);
    let stats = process.stats().await.unwrap();
    assert_eq!((stats.open, stats.closed), (1, 1));
    open.signal("word", &"end".to_owned()).await.unwrap();
    scene.as_time_passes(open.result()).await.unwrap();
    scene.clock.advance(SECOND);
    assert_eq!(process.client().remove_closed(Duration::ZERO).await.unwrap(), 2);
    assert_eq!(process.stats().await.unwrap().closed, 0);
}

/// A worker with a retention sees to it by itself, at its start and later.
pub async fn closed_runs_go_when_their_retention_is_over(scene: Scene) {
    let process = scene.process(code).await;
    let ended = async |id: &str| {
        let run = process.start(steps, id, 0).await.unwrap();
        scene.as_time_passes(run.result()).await.unwrap();
    };
    ended("old").await;
    process.start(steps, "open", 1).await.unwrap();
    scene.clock.advance(MINUTE + SECOND);
    ended("young").await;
    let mut keeper = scene.setup();
    keeper.options.retention = Some(MINUTE);
    let _keeper = keeper.start(code).await;
    let closed = async || process.stats().await.unwrap().closed;
    scene.until(async || closed().await == 1).await;
    scene.as_time_flies(SECOND, scene.until(async || closed().await == 0)).await;
    assert_eq!(process.stats().await.unwrap().open, 1);
}

/// By the worker that holds it then, though another held it first. Its body is stopped.
pub async fn a_run_that_passes_its_limit_closes_wherever_it_is_held(scene: Scene) {
    let first = scene.process(code).await;
    let run = first.start(held, "held", ()).run_timeout(MINUTE).await.unwrap();
    scene.probe.saw("held", 1).await;
    let run_id = run.run_id().unwrap();
    drop(run);
    scene.crash(first).await;
    let second = scene.process(code).await;
    scene.probe.saw("held", 2).await;
    let run = second.handle(held, "held").unwrap().with_run(run_id);
    let ended = scene.as_time_flies(SECOND, run.result()).await;
    assert!(matches!(ended, Err(ResultError::TimedOut(TimeoutKind::Run))), "{ended:?}");
    scene.probe.saw("held stopped", 1).await;
    let stats = second.stats().await.unwrap();
    assert_eq!((stats.open, stats.queued), (0, 0));
    let info = run.describe().await.unwrap();
    assert_eq!(info.status, RunStatus::Closed(CloseStatus::TimedOut));
}

/// Each try is a run of its own; who waits elsewhere hears of the last.
pub async fn a_failed_run_is_tried_again_though_its_worker_dies(scene: Scene) {
    let first = scene.process(code).await;
    let policy = RetryPolicy::fixed(20 * SECOND);
    let run = first.start(fails_twice, "fails", ()).retry(policy).await.unwrap();
    let run_id = run.run_id().unwrap();
    scene.until(async || run.describe().await.unwrap().continued_as.is_some()).await;
    drop(run);
    scene.crash(first).await;
    let second = scene.process(code).await;
    let run = second.handle(fails_twice, "fails").unwrap().with_run(run_id);
    let result = scene.as_time_flies(SECOND, run.result()).await.unwrap();
    assert_eq!(result, "after Some(\"try 2\")");
    assert_eq!(run.describe().await.unwrap().status, RunStatus::Closed(CloseStatus::Failed));
}

/// It is in the store from the start, and nobody runs it before.
pub async fn a_delayed_run_begins_when_it_is_time(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(steps, "later", 1).start_delay(MINUTE).await.unwrap();
    run.signal("word", "one").await.unwrap();
    scene.as_time_flies(SECOND / 10, async {
        while run.describe().await.unwrap().head == EventId(1) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let events = history(&run).await;
    assert!(events[1].at.since(events[0].at) >= MINUTE, "{}", events[1].at);
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "one");
}

/// What came while it rested is there on the worker that takes it over.
pub async fn a_paused_run_rests_on_every_worker(scene: Scene) {
    let first = scene.process(code).await;
    let run = first.start(steps, "steps", 2).await.unwrap();
    run.pause("a look at it").await.unwrap();
    scene.until(async || run.describe().await.unwrap().paused).await;
    run.signal("word", "one").await.unwrap();
    scene.until(async || run.describe().await.unwrap().inbox == 0).await;
    let run_id = run.run_id().unwrap();
    drop(run);
    scene.crash(first).await;
    let second = scene.process(code).await;
    let run = second.handle(steps, "steps").unwrap().with_run(run_id);
    run.signal("word", "two").await.unwrap();
    scene.until(async || run.describe().await.unwrap().inbox == 0).await;
    let list = || second.client().runs().status(StatusFilter::Paused).attribute(STEP.is(1)).into_future();
    assert_eq!(list().await.unwrap().runs.len(), 1);
    assert_eq!(count(&history(&run).await, "ActivityScheduled"), 0);
    run.resume().await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "one two");
    assert_eq!(list().await.unwrap().runs.len(), 0);
}

/// By a client of another process, while the run's worker is at it: what it had not taken in is not lost.
pub async fn an_open_run_is_reset_from_elsewhere(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(steps, "steps", 4).await.unwrap();
    for word in ["one", "two"] {
        run.signal("word", word).await.unwrap();
    }
    scene.until(async || run.describe().await.unwrap().attribute(STEP) == Some(3)).await;
    let (orchestrator, _alive) = scene.setup().orchestrator().await;
    let client = orchestrator.client();
    let elsewhere = client.handle(steps, "steps").unwrap();
    let points = elsewhere.reset_points().await.unwrap();
    run.signal("word", "three").await.unwrap();
    let reset = elsewhere.reset(points[1], "once more").into_future();
    let new = scene.as_time_passes(reset).await.unwrap();
    new.signal("word", "four").await.unwrap();
    assert_eq!(scene.as_time_passes(new.result()).await.unwrap(), "one two three four");
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "one two three four", "it follows");
    let told = kinds(&run).await;
    assert_eq!(told.last().copied(), Some("WorkflowTerminated"));
    let stats = process.stats().await.unwrap();
    assert_eq!((stats.open, stats.queued, stats.messages), (0, 0, 0));
}

/// Draws a value in each turn.
#[retell::workflow]
async fn draws(cx: WorkflowContext, count: u64) -> WorkflowResult<u64> {
    let mut sum = 0;
    for _ in 0..count {
        sum += cx.side_effect(|| 1_u64).await?;
    }
    Ok(sum)
}

/// A value that a parked run could not store holds nobody up at a shutdown: the next worker draws it again.
pub async fn a_parked_run_that_has_drawn_a_value_is_given_back_at_once(scene: Scene) {
    let setup = scene.setup().options(|options| options.history_events_max = 6);
    let grace = setup.options.shutdown_grace;
    let short = setup.start(|engine| engine.workflow(draws)).await;
    let run = short.start(draws, "draws", 5).await.unwrap();
    scene.until(async || run.describe().await.unwrap().failure.is_some()).await;
    drop(run);
    let began = scene.clock.elapsed();
    short.shutdown(&scene).await;
    assert!(scene.clock.elapsed() - began < grace, "it waited for what does not run");
    let long = scene.process(|engine| engine.workflow(draws)).await;
    let run = long.handle(draws, "draws").unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), 5);
}

/// Nothing of what it was sent is lost, and nothing of it is read again and again.
pub async fn a_history_that_grows_too_long_parks_its_run_until_the_limit_is_raised(scene: Scene) {
    let short = scene.setup().options(|options| options.history_events_max = 6).start(code).await;
    let run = short.start(steps, "steps", 5).await.unwrap();
    for word in ["one", "two", "three", "four", "five"] {
        run.signal("word", word).await.unwrap();
    }
    scene.until(async || run.describe().await.unwrap().failure.is_some()).await;
    let failure = run.describe().await.unwrap().failure.unwrap();
    assert!(failure.message.contains("history_events_max"), "{}", failure.message);
    drop(run);
    short.shutdown(&scene).await;
    let long = scene.process(code).await;
    let run = long.handle(steps, "steps").unwrap();
    let result = scene.as_time_flies(SECOND, run.result()).await.unwrap();
    assert_eq!(result, "one two three four five");
}
