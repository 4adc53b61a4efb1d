//! A store that fails: no fault of it is ever the outcome of anything (promise H13).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use retell::Orchestrator;
use retell::backend::{StoreError, StoreErrorKind};
use retell::client::{SendError, StartError};
use retell::vocabulary::{RequestId, RetryPolicy};
use retell::workflow::{WorkflowContext, WorkflowResult};

use crate::engine::Scene;
use crate::engine::probe::{effect, flop, hold};
use crate::engine::scene::{count, history};
use crate::engine::tap::{Call, Tap};

const RUNS: usize = 30;

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(busy).workflow(held).activity(effect).activity(flop).activity(hold)
}

fn unavailable() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "reach the store")
}

/// One call in eight fails, before the store has heard of it or after it has done it, as the seed says.
struct Flaky {
    state: AtomicU64,
    quiet: AtomicBool,
}

impl Flaky {
    fn seeded(seed: u64) -> Arc<Self> {
        Arc::new(Self { state: AtomicU64::new(seed), quiet: AtomicBool::new(false) })
    }

    fn chance(&self) -> Result<(), StoreError> {
        // SplitMix64.
        let mut bits = self.state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let fails = (bits >> 32).is_multiple_of(8) && !self.quiet.load(Ordering::Relaxed);
        if fails { Err(unavailable()) } else { Ok(()) }
    }
}

#[async_trait]
impl Tap for Flaky {
    async fn before(&self, call: Call<'_>) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        match call {
            // A lease that is not renewed is lost in time; that is another case.
            Call::Renew => Ok(()),
            Call::Apply(_) | Call::Claim | Call::Describe | Call::Read => self.chance(),
        }
    }

    async fn after(&self, call: Call<'_>) -> Result<(), StoreError> {
        match call {
            Call::Apply(_) | Call::Claim | Call::Describe | Call::Read => self.chance(),
            Call::Renew => Ok(()),
        }
    }
}

#[retell::workflow]
async fn busy(cx: WorkflowContext) -> WorkflowResult<u32> {
    let id = cx.run().workflow_id.clone();
    let mut sum = 0;
    for _ in 0..3 {
        sum += cx.signal::<u32>("n").await?;
        cx.activity(effect, &format!("step of {id}")).await?;
    }
    let policy = RetryPolicy::fixed(Duration::from_millis(10));
    Ok(sum + cx.activity(flop, &2).retry(policy).await?)
}

/// Thirty runs, lost questions and lost answers: all end well, each call has one outcome, each signal counts once.
pub async fn a_flaky_store_changes_no_outcome(scene: Scene) {
    for seed in [1, 2] {
        println!("seed {seed}");
        let flaky = Flaky::seeded(seed);
        // Leases are no part of this: time flies, and a slow machine would lose them.
        let setup = scene.setup().tap(flaky.clone()).options(|options| options.lease = Duration::from_secs(3_600));
        let process = setup.start(code).await;
        let all = (0..RUNS).map(|n| {
            let (process, id) = (&process, format!("busy-{seed}-{n}"));
            async move {
                let run = process.start(busy, id, ()).await.unwrap();
                for n in 1..=3_u32 {
                    run.signal("n", &n).await.unwrap();
                }
                run.result().await.map(|sum| (run, sum))
            }
        });
        let ended = scene.as_time_flies(Duration::from_millis(20), futures::future::join_all(all)).await;
        flaky.quiet.store(true, Ordering::Relaxed);
        for ended in ended {
            let (run, sum) = ended.unwrap();
            let events = history(&run).await;
            assert_eq!((sum, count(&events, "SignalReceived"), count(&events, "ActivityCompleted")), (8, 3, 4));
        }
        process.crash().await;
    }
}

/// Fails everything while it is down; counts what it is asked.
#[derive(Default)]
struct Outage {
    down: AtomicBool,
    asked: AtomicUsize,
}

#[async_trait]
impl Tap for Outage {
    async fn before(&self, _call: Call<'_>) -> Result<(), StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) { Err(unavailable()) } else { Ok(()) }
    }
}

#[retell::workflow]
async fn held(cx: WorkflowContext) -> WorkflowResult<String> {
    let done = cx.activity(hold, &"held".to_owned()).retry(RetryPolicy::never()).await?;
    cx.activity(effect, &"after".to_owned()).await?;
    Ok(done)
}

/// An activity ends while the store is away: its outcome is kept until the store is back, and health tells of it.
pub async fn an_outcome_outlives_an_outage(scene: Scene) {
    let outage = Arc::new(Outage::default());
    let process = scene.setup().tap(outage.clone()).start(code).await;
    let run = process.start(held, "held", ()).await.unwrap();
    scene.probe.saw("held", 1).await;
    outage.down.store(true, Ordering::SeqCst);
    scene.probe.open("held");
    scene.until(async || process.health().store.is_some()).await;
    outage.down.store(false, Ordering::SeqCst);
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "held");
    scene.until(async || process.health().store.is_none()).await;
    assert_eq!(scene.probe.count("held"), 1);
}

/// Calls end at their deadline, and may be made again under the same identity.
pub async fn a_call_ends_at_its_deadline_and_is_safe_to_repeat(scene: Scene) {
    let outage = Arc::new(Outage::default());
    let process = scene.setup().tap(outage.clone()).start(code).await;
    let client = process.client().clone().with_deadline(Duration::from_millis(100));
    let run = client.start(busy, "busy", ()).await.unwrap();
    let (start, signal) = (RequestId::fresh(), RequestId::fresh());
    outage.down.store(true, Ordering::SeqCst);
    let sent = scene.as_time_passes(run.signal_with("n", &1_u32, signal)).await;
    assert!(matches!(sent, Err(SendError::Unavailable(_))), "{sent:?}");
    let started = scene.as_time_passes(client.start(held, "held", ()).request_id(start).into_future()).await;
    assert!(matches!(started, Err(StartError::Unavailable(_))), "{started:?}");
    outage.down.store(false, Ordering::SeqCst);
    scene.as_time_passes(run.signal_with("n", &1_u32, signal)).await.unwrap();
    let again = client.start(held, "held", ()).request_id(start).into_future();
    let again = scene.as_time_passes(again).await.unwrap();
    scene.probe.open("held");
    assert_eq!(scene.as_time_passes(again.result()).await.unwrap(), "held");
    assert_eq!(process.stats().await.unwrap().closed, 1);
}

/// A store's fault while it starts is the caller's to see; nothing runs then.
pub async fn an_engine_does_not_start_without_its_store(scene: Scene) {
    let outage = Arc::new(Outage::default());
    outage.down.store(true, Ordering::SeqCst);
    let started = scene.as_time_passes(scene.setup().tap(outage).try_start(code)).await;
    assert!(started.is_err());
}
