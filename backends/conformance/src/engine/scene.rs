//! What a case works with: a store, its clock, and the processes that come and go on it.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::pin::pin;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use futures::future::{Either, select};
use retell::backend::Backend;
use retell::client::RunHandle;
use retell::clock::ManualClock;
use retell::history::Event;
use retell::vocabulary::EventId;
use retell::worker::WorkerOptions;
use retell::workflow::Workflow;
use retell::{Engine, Orchestrator, StartupError};
use tokio::sync::oneshot;

use super::keeper::{Keeper, KeptClock, Renewing};
use super::probe::Probe;
use super::tap::{Tap, Tapped, Untouched};
use crate::StoreUnderTest;

/// How long a lease lasts unless a case says otherwise; a crashed process is dead for sure after that.
pub(crate) const LEASE: Duration = Duration::from_secs(10);
/// A millisecond: the steps in which time passes by itself.
const STEP: Duration = Duration::from_millis(1);

/// Whether workers keep live runs in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They do.
    Cached,
    /// Each task reads its run's history from the store.
    Uncached,
}

/// A store under test, its clock, and what its processes share with the case.
pub struct Scene {
    subject: Box<dyn StoreUnderTest>,
    mode: Mode,
    pub(crate) clock: ManualClock,
    pub(crate) probe: Probe,
    keepers: Mutex<Vec<Weak<Keeper>>>,
    renewing: Renewing,
}

/// One process: an engine on a handle of its own. Dropping it is a crash that nobody waits for.
pub(crate) struct Process {
    engine: Engine,
    gone: oneshot::Receiver<()>,
}

/// A process that is about to start.
pub(crate) struct Setup<'a> {
    scene: &'a Scene,
    tap: Arc<dyn Tap>,
    pub(crate) options: WorkerOptions,
}

impl Scene {
    pub(super) fn new(subject: impl StoreUnderTest, clock: ManualClock, mode: Mode) -> Self {
        let (probe, keepers, renewing) = (Probe::new(), Mutex::default(), Renewing::default());
        Self { subject: Box::new(subject), mode, clock, probe, keepers, renewing }
    }

    /// Whether workers keep live runs in memory.
    pub(crate) fn is_cached(&self) -> bool {
        self.mode == Mode::Cached
    }

    /// A process on the store as it is.
    pub(crate) async fn process(&self, code: impl FnOnce(Orchestrator) -> Orchestrator) -> Process {
        self.setup().start(code).await
    }

    /// A process that is to be set up first.
    pub(crate) fn setup(&self) -> Setup<'_> {
        let mut options = WorkerOptions::default();
        options.lease = LEASE;
        options.workflow_threads = 2;
        if self.mode == Mode::Uncached {
            options.cached_runs_max = 0;
        }
        Setup { scene: self, tap: Arc::new(Untouched), options }
    }

    /// One more handle on the store.
    pub(crate) async fn store(&self) -> Arc<dyn Backend> {
        self.subject.open().await.expect("the store opens")
    }

    /// Crashes a process, and lets its lease run out.
    pub(crate) async fn crash(&self, process: Process) {
        process.crash().await;
        self.clock.advance(LEASE);
    }

    /// Waits while time passes by itself, a millisecond at a time.
    pub(crate) async fn as_time_passes<T>(&self, future: impl Future<Output = T>) -> T {
        self.as_time_flies(STEP, future).await
    }

    /// Waits while time passes by itself, so much of it for each real millisecond; less on a machine that is too busy for
    /// a living process to renew its lease meanwhile.
    pub(crate) async fn as_time_flies<T>(&self, step: Duration, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        loop {
            match select(future, pin!(tokio::time::sleep(STEP))).await {
                Either::Left((output, _)) => return output,
                Either::Right((_, unfinished)) => {
                    future = unfinished;
                    if !self.waits_for_a_keeper() {
                        self.clock.advance(step);
                    }
                }
            }
        }
    }

    /// Whether a process that lives should have renewed its lease by now, or is about to.
    fn waits_for_a_keeper(&self) -> bool {
        let mut keepers = self.keepers.lock().unwrap();
        keepers.retain(|keeper| keeper.strong_count() > 0);
        // All of them are looked at: each has its own patience.
        let late =
            keepers.iter().filter_map(Weak::upgrade).filter(|keeper| keeper.is_waited_for(&self.clock));
        late.count() > 0 || self.renewing.any()
    }

    /// Waits until this is so, letting time pass.
    pub(crate) async fn until<F: Future<Output = bool>>(&self, mut is_so: impl FnMut() -> F) {
        let looking = async {
            while !is_so().await {
                tokio::task::yield_now().await;
            }
        };
        self.as_time_passes(looking).await;
    }
}

impl Setup<'_> {
    /// Taps what goes between the process and the store.
    pub(crate) fn tap(mut self, tap: Arc<dyn Tap>) -> Self {
        self.tap = tap;
        self
    }

    /// Sets the worker's options.
    pub(crate) fn options(mut self, change: impl FnOnce(&mut WorkerOptions)) -> Self {
        change(&mut self.options);
        self
    }

    /// Starts it with this code registered.
    pub(crate) async fn start(self, code: impl FnOnce(Orchestrator) -> Orchestrator) -> Process {
        self.try_start(code).await.expect("the engine starts")
    }

    /// Tries to start it with this code registered.
    pub(crate) async fn try_start(
        self,
        code: impl FnOnce(Orchestrator) -> Orchestrator,
    ) -> Result<Process, StartupError> {
        let (clock, keeper) = KeptClock::new(self.scene.clock.clone(), self.options.lease);
        self.scene.keepers.lock().unwrap().push(keeper);
        let (orchestrator, gone) = self.orchestrator().await;
        let orchestrator = orchestrator.clock(clock);
        Ok(Process { engine: code(orchestrator).start().await?, gone })
    }

    /// Its orchestrator with nothing registered, and what resolves when the last of it is gone.
    pub(crate) async fn orchestrator(self) -> (Orchestrator, oneshot::Receiver<()>) {
        let (handle, gone) = Tapped::new(self.scene.store().await, self.tap, self.scene.renewing.clone());
        let orchestrator = Orchestrator::new(handle)
            .clock(self.scene.clock.clone())
            .state(self.scene.probe.clone())
            .options(self.options);
        (orchestrator, gone)
    }
}

impl Process {
    /// Ends it as a kill would, and waits until nothing of it is left: no task, no thread, no handle.
    pub(crate) async fn crash(self) {
        let Self { engine, gone } = self;
        drop(engine);
        // The sender is dropped with the handle.
        let _ = gone.await;
    }

    /// Shuts it down, and waits until nothing of it is left.
    pub(crate) async fn shutdown(self, scene: &Scene) {
        let Self { engine, gone } = self;
        scene.as_time_passes(engine.shutdown()).await;
        let _ = gone.await;
    }
}

impl Deref for Process {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

/// The history of a run, which must be whole: no gap, time never goes back, no call with two outcomes.
pub(crate) async fn history<W: Workflow>(run: &RunHandle<W>) -> Vec<Event> {
    let events = run.history().await.expect("the history reads");
    let mut outcomes = BTreeMap::<EventId, usize>::new();
    for (event, id) in events.iter().zip(1..) {
        assert_eq!(event.id, EventId(id), "a gap in {events:#?}");
        if let Some(of) = event.kind.outcome_of() {
            *outcomes.entry(of).or_default() += 1;
        }
    }
    assert!(events.is_sorted_by_key(|event| event.at), "time goes back in {events:#?}");
    let doubled: Vec<_> = outcomes.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?} have two outcomes in {events:#?}");
    events
}

/// The names of the events of a run, in order.
pub(crate) async fn kinds<W: Workflow>(run: &RunHandle<W>) -> Vec<&'static str> {
    history(run).await.iter().map(|event| event.kind.name()).collect()
}

/// How many events of this name a history has.
pub(crate) fn count(events: &[Event], name: &str) -> usize {
    events.iter().filter(|event| event.kind.name() == name).count()
}
