//! Timers: absolute wall time, each fired once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use retell::Orchestrator;
use retell::backend::StoreError;
use retell::clock::Clock;
use retell::vocabulary::Timestamp;
use retell::workflow::{WorkflowContext, WorkflowResult};

use crate::engine::Scene;
use crate::engine::probe::effect;
use crate::engine::scene::{count, history};
use crate::engine::tap::{Call, Tap};

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(sleeping).workflow(several).activity(effect)
}

#[retell::workflow]
async fn sleeping(cx: WorkflowContext, duration: Duration) -> WorkflowResult<Timestamp> {
    cx.sleep(duration).await?;
    cx.activity(effect, &"awake".to_owned()).await?;
    Ok(cx.now())
}

/// The worker has lost its lease meanwhile; it goes on under a new one.
pub async fn a_sleep_of_a_year_ends_when_the_clock_moves(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(sleeping, "year", YEAR).await.unwrap();
    let began = scene.clock.now();
    scene.clock.advance(YEAR);
    let woke = scene.as_time_passes(run.result()).await.unwrap();
    assert!(woke >= began + YEAR && scene.probe.count("awake") == 1);
}

/// Promise H8: timers are wall time, leases are not; a jump of the wall clock fires the one and spares the other.
pub async fn a_clock_that_jumps_forward_fires_early(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(sleeping, "year", YEAR).await.unwrap();
    let owner = run.describe().await.unwrap().owner;
    scene.clock.set_wall(scene.clock.now() + YEAR);
    // The jump is noticed within a second.
    scene.as_time_passes(run.result()).await.unwrap();
    assert_eq!(scene.probe.count("awake"), 1);
    if scene.is_cached() {
        assert!(owner.is_some());
    }
}

/// Promise H8: an hour back is an hour more to sleep; the lease holds, and time in history does not go back.
pub async fn a_clock_that_jumps_back_fires_late(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(sleeping, "minute", 60 * SECOND).await.unwrap();
    let due = scene.clock.now() + 60 * SECOND;
    scene.clock.set_wall(Timestamp::from_micros(scene.clock.now().as_micros() - 3_600_000_000));
    for _ in 0..60 {
        scene.clock.advance(SECOND);
        // What is said to a run is taken in at a time that is earlier than its last event's.
        run.signal("nobody listens", &()).await.unwrap();
    }
    assert_eq!(scene.probe.count("awake"), 0, "an hour is left");
    scene.clock.set_wall(due);
    // The jump is noticed within a second.
    scene.clock.advance(SECOND);
    let woke = scene.as_time_passes(run.result()).await.unwrap();
    assert!(woke >= due && scene.probe.count("awake") == 1, "{woke} is before {due}");
    assert!(count(&history(&run).await, "SignalReceived") > 0);
}

/// Counts what is asked of the store, renewals aside.
#[derive(Default)]
struct Questions(AtomicUsize);

#[async_trait]
impl Tap for Questions {
    async fn before(&self, call: Call<'_>) -> Result<(), StoreError> {
        if !matches!(call, Call::Renew) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// A look once a second for what a jump of the clock may have made due, not one for each run that sleeps. What others commit
/// on the same server wakes it, too.
pub async fn an_idle_engine_asks_its_store_for_little(scene: Scene) {
    let questions = Arc::new(Questions::default());
    // Leases are no part of this: time flies, and a slow machine would lose them.
    let setup = scene.setup().tap(questions.clone()).options(|options| options.lease = Duration::from_secs(3_600));
    let process = setup.start(code).await;
    for n in 0..30 {
        let run = process.start(sleeping, format!("sleeper-{n}"), YEAR).await.unwrap();
        scene.until(async || run.describe().await.unwrap().head.0 == 2).await;
    }
    let before = questions.0.load(Ordering::SeqCst);
    let mut rest = 0;
    scene
        .as_time_flies(SECOND / 10, async {
            let end = scene.clock.now() + 20 * SECOND;
            while scene.clock.now() < end {
                tokio::task::yield_now().await;
                rest = questions.0.load(Ordering::SeqCst) - before;
            }
        })
        .await;
    assert!(rest < 30 * 20, "asked {rest} times in 20 s for 30 runs");
}

/// The process dies while the timer runs, and it is due before the next one looks.
pub async fn timer_fires_once_after_crash(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(sleeping, "minute", 60 * SECOND).await.unwrap();
    let id = run.workflow_id().clone();
    drop(run);
    scene.crash(process).await;
    scene.clock.advance(60 * SECOND);
    let process = scene.process(code).await;
    let run = process.handle(sleeping, id).unwrap();
    scene.as_time_passes(run.result()).await.unwrap();
    let events = history(&run).await;
    assert_eq!((count(&events, "TimerStarted"), count(&events, "TimerFired")), (1, 1));
    assert_eq!(scene.probe.count("awake"), 1);
}

#[retell::workflow]
async fn several(cx: WorkflowContext) -> WorkflowResult<Vec<u64>> {
    use futures::StreamExt;
    let sleep = async |seconds: u64| cx.sleep(Duration::from_secs(seconds)).await.map(|()| seconds);
    let mut timers: futures::stream::FuturesUnordered<_> = [3, 1, 2, 1].into_iter().map(sleep).collect();
    let mut fired = Vec::new();
    while let Some(seconds) = timers.next().await {
        fired.push(seconds?);
    }
    Ok(fired)
}

/// Not in the order in which they were started; no event is earlier than its due time.
pub async fn timers_fire_in_the_order_of_their_due_times(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(several, "several", ()).await.unwrap();
    scene.clock.advance(3 * SECOND);
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), [1, 1, 2, 3]);
}
