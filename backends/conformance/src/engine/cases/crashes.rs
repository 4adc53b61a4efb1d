//! Kills: between every two commits, while a body runs, with and without another process at hand.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{Either, select};
use retell::Orchestrator;
use retell::backend::{StoreError, StoreErrorKind};
use retell::client::IdConflict;
use retell::vocabulary::{FailureKind, RetryPolicy};
use retell::workflow::{CallError, WorkflowContext, WorkflowResult};
use retell::write::{Batch, Write};
use tokio::sync::watch;

use crate::engine::Scene;
use crate::engine::probe::{effect, flop, hold};
use crate::engine::scene::{Process, count, history};
use crate::engine::tap::{Call, Tap};

/// How much time passes in a millisecond, where timers are to be waited for.
const STEP: Duration = Duration::from_millis(200);

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(order).workflow(once).workflow(again).activity(effect).activity(flop).activity(hold)
}

#[retell::workflow]
async fn order(cx: WorkflowContext) -> WorkflowResult<String> {
    let mut done = cx.activity(effect, &"reserve".to_owned()).await?;
    let secret: u32 = cx.side_effect(|| 7).await?;
    let (charged, flopped) = retell::join!(
        cx.activity(effect, &"charge".to_owned()),
        cx.activity(flop, &2).retry(RetryPolicy::fixed(Duration::from_secs(1))),
    );
    done.push_str(&charged?);
    cx.sleep(Duration::from_secs(5)).await?;
    retell::select! {
        cancelled = cx.activity(effect, &"offer".to_owned()) => _ = cancelled?,
        signalled = cx.signal::<()>("never") => signalled?,
    }
    flopped?;
    Ok(format!("{done} {secret}"))
}

/// The process dies when so many batches with a commit in them have been applied: the store hears nothing more of it.
struct DiesAfter {
    left: AtomicUsize,
    died: watch::Sender<bool>,
}

impl DiesAfter {
    fn commits(left: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(left), died: watch::Sender::new(false) })
    }

    async fn death(&self) {
        let _ = self.died.subscribe().wait_for(|died| *died).await.expect("the sender is here");
    }
}

#[async_trait]
impl Tap for DiesAfter {
    async fn before(&self, call: Call<'_>) -> Result<(), StoreError> {
        let commits = |batch: &Batch| batch.iter().any(|write| matches!(write, Write::Commit(_)));
        if matches!(call, Call::Apply(batch) if commits(batch)) {
            let less = |left: usize| left.checked_sub(1);
            if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_err() {
                self.died.send_replace(true);
            }
        }
        if *self.died.borrow() {
            return Err(StoreError::new(StoreErrorKind::Closed, "live on"));
        }
        Ok(())
    }
}

/// The result is the same, each effect happened, each outcome is recorded once, the history has no gap.
pub async fn a_crash_between_any_two_commits_changes_nothing(scene: Scene) {
    for commits in 0.. {
        let tap = DiesAfter::commits(commits);
        let dying = scene.setup().tap(tap.clone()).start(code).await;
        let id = format!("order-{commits}");
        let died = dies(&scene, &tap, &dying, &id).await;
        scene.crash(dying).await;
        if !died {
            assert!(commits >= 7, "there are places to die at, {commits}");
            return;
        }
        let process = scene.process(code).await;
        // The start itself may have died with the batch that it was in: nothing was acknowledged then.
        let start = process.start(order, id.clone(), ()).id_conflict(IdConflict::UseExisting);
        start.await.unwrap();
        let run = process.handle(order, id.clone()).unwrap();
        let result = scene.as_time_flies(STEP, run.result()).await;
        assert_eq!(result.unwrap(), "reservecharge 7", "after {commits} commits");
        let events = history(&run).await;
        let counts = ["ActivityScheduled", "ActivityCompleted", "SideEffectRecorded", "TimerFired"];
        assert_eq!(counts.map(|name| count(&events, name)), [4, 4, 1, 1], "after {commits} commits");
        let key = run.describe().await.unwrap().run.run_id.to_string();
        for what in ["reserve", "charge", "offer"] {
            let marks = scene.probe.marks(what);
            assert!(marks.iter().any(|mark| mark.key.starts_with(&key)), "{what} happened");
        }
        drop(run);
        scene.crash(process).await;
    }
}

/// Runs an order until it ends, or its process dies.
async fn dies(scene: &Scene, tap: &DiesAfter, process: &Process, id: &str) -> bool {
    let ends = async {
        let Ok(run) = process.start(order, id, ()).await else { return std::future::pending().await };
        assert_eq!(run.result().await.unwrap(), "reservecharge 7");
    };
    let (death, end) = (pin!(tap.death()), pin!(scene.as_time_flies(STEP, ends)));
    matches!(select(death, end).await, Either::Left(_))
}

#[retell::workflow]
async fn once(cx: WorkflowContext) -> WorkflowResult<Option<FailureKind>> {
    match cx.activity(hold, &"once".to_owned()).retry(RetryPolicy::never()).await {
        Ok(_) => Ok(None),
        Err(CallError::Failed(failure)) => Ok(Some(failure.kind)),
        Err(other) => Err(other)?,
    }
}

/// The one attempt that it may have is lost with its worker.
pub async fn an_attempt_that_died_with_its_worker_is_a_failure_if_it_was_the_last(scene: Scene) {
    let process = scene.process(code).await;
    process.start(once, "once", ()).await.unwrap();
    scene.probe.saw("once", 1).await;
    scene.crash(process).await;
    let process = scene.process(code).await;
    let run = process.handle(once, "once").unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), Some(FailureKind::WorkerLost));
    assert_eq!(scene.probe.count("once"), 1);
}

#[retell::workflow]
async fn again(cx: WorkflowContext) -> WorkflowResult<String> {
    Ok(cx.activity(hold, &"again".to_owned()).await?)
}

/// Its second attempt has the same key, and knows why the first one ended.
pub async fn an_attempt_that_died_with_its_worker_is_tried_again(scene: Scene) {
    let mut process = scene.process(code).await;
    process.start(again, "again", ()).await.unwrap();
    for attempt in 1..=3 {
        scene.as_time_passes(scene.probe.saw("again", attempt)).await;
        scene.crash(process).await;
        process = scene.process(code).await;
    }
    scene.as_time_passes(scene.probe.saw("again", 4)).await;
    scene.probe.open("again");
    let run = process.handle(again, "again").unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "again");
    let marks = scene.probe.marks("again");
    assert_eq!(marks.iter().map(|mark| mark.attempt).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(marks.iter().all(|mark| mark.key == marks[0].key));
    assert_eq!(marks[1].last_failure.as_ref().map(|failure| failure.kind), Some(FailureKind::WorkerLost));
    assert_eq!(count(&history(&run).await, "ActivityCompleted"), 1);
}

/// The outcome of a queued attempt lies in the inbox when its run's worker dies: it is not run again.
pub async fn an_outcome_in_the_inbox_is_not_run_again(scene: Scene) {
    // The holder knows no activity, and dies before it takes the outcome in; the runner knows nothing else.
    let tap = DiesAfter::commits(1);
    let holder = scene.setup().tap(tap.clone()).start(|engine| engine.workflow(done_and_signal)).await;
    holder.start(done_and_signal, "outcome", ()).await.unwrap();
    let runner = scene.process(|engine| engine.activity(effect)).await;
    let run = runner.handle(done_and_signal, "outcome").unwrap();
    scene.until(async || run.describe().await.unwrap().inbox == 1).await;
    scene.crash(holder).await;
    let heir = scene.process(|engine| code(engine).workflow(done_and_signal)).await;
    run.signal("go", &()).await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "done");
    assert_eq!(scene.probe.count("done"), 1);
    assert_eq!(heir.stats().await.unwrap().queued, 0);
}

#[retell::workflow]
async fn done_and_signal(cx: WorkflowContext) -> WorkflowResult<String> {
    let done = cx.activity(effect, &"done".to_owned()).await?;
    cx.signal::<()>("go").await?;
    Ok(done)
}
