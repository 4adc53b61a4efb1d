//! Who holds a run: leases that run out, workers that are paused, and processes that share a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use retell::Orchestrator;
use retell::backend::StoreError;
use retell::history::Record;
use retell::vocabulary::RunKey;
use retell::workflow::{WorkflowContext, WorkflowResult};
use tokio::sync::watch;

use crate::engine::Scene;
use crate::engine::probe::{effect, hold};
use crate::engine::scene::{LEASE, count, history};
use crate::engine::tap::{Call, Tap};

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(held).workflow(rounds).activity(effect).activity(hold)
}

#[retell::workflow]
async fn held(cx: WorkflowContext) -> WorkflowResult<String> {
    Ok(cx.activity(hold, &"held".to_owned()).await?)
}

/// Holds every call up while it is paused, as a stopped process or a cut cable would.
struct Pausable(watch::Sender<bool>);

#[async_trait]
impl Tap for Pausable {
    async fn before(&self, _call: Call<'_>) -> Result<(), StoreError> {
        let _ = self.0.subscribe().wait_for(|paused| !paused).await.expect("the sender is here");
        Ok(())
    }
}

/// Its bodies are stopped when its lease is over, whatever the store says or does not say; what it would still write
/// counts for nothing.
pub async fn a_paused_worker_writes_nothing_and_its_bodies_are_stopped(scene: Scene) {
    let pause = Arc::new(Pausable(watch::Sender::new(false)));
    let paused = scene.setup().tap(pause.clone()).start(code).await;
    paused.start(held, "held", ()).await.unwrap();
    scene.probe.saw("held", 1).await;
    pause.0.send_replace(true);
    scene.clock.advance(LEASE);
    scene.as_time_passes(scene.probe.saw("held stopped", 1)).await;
    let heir = scene.process(code).await;
    scene.as_time_passes(scene.probe.saw("held", 2)).await;
    pause.0.send_replace(false);
    scene.probe.open("held");
    let run = heir.handle(held, "held").unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "held");
    assert_eq!(count(&history(&run).await, "ActivityCompleted"), 1);
    assert_eq!(scene.probe.marks("held").iter().map(|mark| mark.attempt).collect::<Vec<_>>(), [1, 2]);
    drop(paused);
}

/// Nobody else is there: it takes a new identity and takes its runs up again.
pub async fn a_worker_whose_lease_ran_out_goes_on_under_a_new_identity(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(held, "held", ()).await.unwrap();
    scene.probe.saw("held", 1).await;
    let before = run.describe().await.unwrap().owner;
    scene.clock.advance(LEASE);
    scene.as_time_passes(scene.probe.saw("held", 2)).await;
    let after = run.describe().await.unwrap().owner;
    assert!(before != after && before.is_some(), "{before:?}, then {after:?}");
    scene.probe.open("held");
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "held");
    assert_eq!(scene.probe.count("held stopped"), 1);
}

/// Waits for a signal and does something, so often.
#[retell::workflow]
async fn rounds(cx: WorkflowContext, count: u32) -> WorkflowResult<u32> {
    for _ in 0..count {
        cx.signal::<()>("next").await?;
        cx.activity(effect, &format!("step of {}", cx.run().workflow_id)).await?;
    }
    Ok(count)
}

/// Life after life, nothing that a new one took is thrown away with what the old one held.
pub async fn many_lives_lose_no_run(scene: Scene) {
    const RUNS: usize = 20;
    const LIVES: u32 = 8;
    let process = scene.process(code).await;
    let mut runs = Vec::new();
    for n in 0..RUNS {
        runs.push(process.start(rounds, format!("run-{n}"), LIVES).await.unwrap());
    }
    for _ in 0..LIVES {
        scene.clock.advance(LEASE);
        for run in &runs {
            run.signal("next", &()).await.unwrap();
        }
    }
    for run in &runs {
        assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), LIVES);
        assert_eq!(count(&history(run).await, "ActivityCompleted"), LIVES as usize);
    }
}

/// Who takes a run over reads its history up to the head that the claim told of, and asks for nothing behind it.
pub async fn nothing_is_asked_for_behind_the_head_of_a_history(scene: Scene) {
    let first = scene.process(code).await;
    first.start(held, "held", ()).await.unwrap();
    scene.probe.saw("held", 1).await;
    scene.crash(first).await;
    let reads = Arc::new(Reads::default());
    let heir = scene.setup().tap(reads.clone()).start(code).await;
    scene.as_time_passes(scene.probe.saw("held", 2)).await;
    scene.probe.open("held");
    let run = heir.handle(held, "held").unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "held");
    let (all, empty) = (reads.all.load(Ordering::SeqCst), reads.empty.load(Ordering::SeqCst));
    assert!(all > 0 && empty == 0, "{empty} of {all} reads found nothing");
}

/// Counts reads of histories, and those that found nothing.
#[derive(Default)]
struct Reads {
    all: AtomicUsize,
    empty: AtomicUsize,
}

impl Tap for Reads {
    fn read(&self, _run: &RunKey, records: Vec<Record>) -> Vec<Record> {
        self.all.fetch_add(1, Ordering::SeqCst);
        self.empty.fetch_add(usize::from(records.is_empty()), Ordering::SeqCst);
        records
    }
}

/// A client without a worker starts them; two workers run them, each effect once.
pub async fn two_workers_share_what_a_client_starts(scene: Scene) {
    const RUNS: usize = 200;
    let one = scene.process(code).await;
    let other = scene.process(code).await;
    let (orchestrator, _gone) = scene.setup().orchestrator().await;
    let client = orchestrator.client();
    let mut runs = Vec::new();
    for n in 0..RUNS {
        runs.push(client.start(rounds, format!("run-{n}"), 1).await.unwrap());
    }
    for run in &runs {
        run.signal("next", &()).await.unwrap();
    }
    for run in &runs {
        assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), 1);
        let id = run.workflow_id();
        assert_eq!(scene.probe.count(&format!("step of {id}")), 1);
    }
    drop((one, other));
}

/// The caller's process has no worker: the result comes from another one's commit.
pub async fn a_client_alone_hears_of_results(scene: Scene) {
    let (orchestrator, _gone) = scene.setup().orchestrator().await;
    let client = orchestrator.client();
    let run = client.start(held, "held", ()).await.unwrap();
    scene.probe.open("held");
    let process = scene.process(code).await;
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "held");
    drop(process);
}

/// A short lease is renewed in time, again and again.
pub async fn a_lease_is_renewed_for_as_long_as_the_worker_lives(scene: Scene) {
    let renewals = Arc::new(Renewals::default());
    let process = scene.setup().tap(renewals.clone()).start(code).await;
    let run = process.start(held, "held", ()).await.unwrap();
    scene.probe.saw("held", 1).await;
    // Five leases long; one is renewed three times as often as it would run out.
    scene.as_time_flies(Duration::from_secs(1), renewals.answered(17)).await;
    scene.probe.open("held");
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "held");
    assert_eq!(scene.probe.count("held"), 1);
}

/// Counts the renewals that were answered.
#[derive(Default)]
struct Renewals(watch::Sender<usize>);

impl Renewals {
    /// Waits until so many were.
    async fn answered(&self, count: usize) {
        let _ = self.0.subscribe().wait_for(|answered| *answered >= count).await.expect("the sender is here");
    }
}

#[async_trait]
impl Tap for Renewals {
    async fn after(&self, call: Call<'_>) -> Result<(), StoreError> {
        if matches!(call, Call::Renew) {
            self.0.send_modify(|answered| *answered += 1);
        }
        Ok(())
    }
}
