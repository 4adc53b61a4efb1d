//! What a tester and its runs share: the world, its worker, fakes and plans; and how all of it is driven.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::Duration;

use retell::Engine;
use retell::backend::{Backend, LeaseAction, Renewal, RunInfo};
use retell::client::Client;
use retell::clock::{Clock, ManualClock};
use retell::history::{Event, decode_record};
use retell::vocabulary::{EventId, RequestId, RunKey, Timestamp, WorkflowId};
use retell::write::Target;

use tokio::sync::watch;

use super::Tester;
use super::plans::Plans;
use super::setup::{Setup, Time};
use super::trouble::Trouble;
use super::wire::{Death, OutsideWire, Tally, TesterWire};
use crate::fakes::{Fakes, RealRuntime};
use crate::follower::Follower;
use crate::world::{Order, ProcessId, Stuck, World};

/// The most moves of time that one wait makes: a workflow that sleeps in a circle for ever is told so.
const MOVES_MAX: usize = 1_000_000;
/// How many bytes of history are read at a time.
const PAGE_BYTES: usize = 16 * 1024 * 1024;

/// What a tester and its runs share.
pub(crate) struct Inner {
    world: Mutex<World>,
    store: Arc<dyn Backend>,
    pub(crate) clock: ManualClock,
    pub(crate) fakes: Arc<Fakes>,
    pub(crate) real: RealRuntime,
    pub(crate) setup: Mutex<Setup>,
    pub(crate) plans: Mutex<Plans>,
    pub(crate) death: Arc<Mutex<Option<Death>>>,
    pub(crate) tally: Arc<Mutex<Tally>>,
    /// Whether commits are held up on their way to the store.
    pub(crate) hold: watch::Sender<bool>,
    /// The first run of each workflow ID that was started here, or the last such if it was started again.
    started: Mutex<BTreeMap<WorkflowId, RunKey>>,
    worker: Mutex<Option<Worker>>,
    /// What is there from the first start on.
    begun: OnceLock<Begun>,
    /// Whether the test was given trouble as a value.
    told: AtomicBool,
}

/// What does not change any more once the first run has started.
struct Begun {
    follower: Option<Arc<Follower>>,
    /// Speaks to the store from outside of all workers.
    client: Client,
}

struct Worker {
    process: ProcessId,
    engine: Engine,
    wire: Arc<TesterWire>,
}

impl Inner {
    pub(crate) fn new(seed: u64, now: Timestamp) -> Self {
        let world = World::new(seed, now, |_| Order::Oldest);
        let (clock, store) = (world.clock().clone(), world.store().clone());
        let real = RealRuntime::new(world.real().clone());
        Self {
            fakes: Arc::new(Fakes::new(clock.clone(), real.clone())),
            world: Mutex::new(world),
            store,
            clock,
            real,
            setup: Mutex::default(),
            plans: Mutex::default(),
            death: Arc::default(),
            tally: Arc::default(),
            hold: watch::Sender::new(false),
            started: Mutex::default(),
            worker: Mutex::default(),
            begun: OnceLock::new(),
            told: AtomicBool::new(false),
        }
    }

    pub(crate) fn store(&self) -> &Arc<dyn Backend> {
        &self.store
    }

    /// Hands a result to the test. Trouble that it has as a value is its own affair, and not found again at the end.
    pub(crate) fn telling<T>(&self, result: Result<T, Trouble>) -> Result<T, Trouble> {
        self.told.fetch_or(result.is_err(), Ordering::Relaxed);
        result
    }

    pub(crate) fn has_told(&self) -> bool {
        self.told.load(Ordering::Relaxed)
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun.get().is_some()
    }

    /// A client that belongs to no worker.
    pub(crate) fn client(&self) -> &Client {
        &self.begun().client
    }

    pub(crate) fn follower(&self) -> Option<&Arc<Follower>> {
        self.begun.get()?.follower.as_ref()
    }

    /// The identity of a request that nobody has made.
    pub(crate) fn fresh_request(&self) -> RequestId {
        RequestId(self.world().lots().uuid(&self.clock))
    }

    fn begun(&self) -> &Begun {
        self.begun.get_or_init(|| {
            let setup = lock(&self.setup);
            let follower = setup.follower();
            let (_, outside) = self.world().orchestrator(Arc::new(OutsideWire {
                follower: follower.clone(),
                tally: self.tally.clone(),
            }));
            // Without a worker, it has the workflows' code to answer queries by.
            Begun { client: setup.register_client(outside).client(), follower }
        })
    }

    /// The client of the worker, which is started if there is none.
    pub(crate) fn worker_client(&self) -> Result<Client, Trouble> {
        if lock(&self.worker).is_none() {
            self.start_worker()?;
        }
        let worker = lock(&self.worker);
        Ok(worker.as_ref().map_or_else(|| self.client().clone(), |worker| worker.engine.client().clone()))
    }

    pub(crate) fn start_worker(&self) -> Result<(), Trouble> {
        let follower = self.begun().follower.clone();
        let wire = Arc::new(TesterWire::new(
            follower,
            self.death.clone(),
            self.tally.clone(),
            self.hold.subscribe(),
        ));
        let (process, orchestrator) = self.world().orchestrator(wire.clone());
        self.real.propagate(lock(&self.setup).propagators.clone());
        let orchestrator = lock(&self.setup).register(orchestrator, &self.fakes);
        let engine =
            outside_of_runtimes(|| self.world().start(orchestrator)).map_err(|stuck| self.trouble(stuck))?;
        *lock(&self.worker) = Some(Worker { process, engine, wire });
        Ok(())
    }

    /// Kills the worker, if there is one. The store hears at once that it is dead, as from an operating system's lock.
    pub(crate) fn kill_worker(&self) -> bool {
        let Some(Worker { process, engine, wire }) = lock(&self.worker).take() else { return false };
        outside_of_runtimes(|| self.world().kill(process, Some(engine)));
        for worker in wire.workers() {
            World::read(self.store.renew(&Renewal { worker, action: LeaseAction::Retire }));
        }
        if let Some(follower) = self.follower() {
            follower.worker_died();
        }
        true
    }

    /// Whether the worker has come to where it dies.
    pub(crate) fn worker_is_dead(&self) -> bool {
        lock(&self.worker).as_ref().is_some_and(|worker| worker.wire.is_dead())
    }

    /// Lets everything happen that needs no time, and looks for faults.
    pub(crate) fn rest(&self) -> Result<(), Trouble> {
        self.settle()?;
        self.fault()
    }

    /// Lets everything happen that needs no time. A worker that has come to where it dies is followed by another.
    pub(crate) fn settle(&self) -> Result<(), Trouble> {
        loop {
            let rested = outside_of_runtimes(|| self.world().rest_with_real_code());
            rested.map_err(|stuck| self.trouble(stuck))?;
            if !self.worker_is_dead() {
                return Ok(());
            }
            self.kill_worker();
            self.start_worker()?;
        }
    }

    /// What was found that ends every test.
    fn fault(&self) -> Result<(), Trouble> {
        if let Some(divergence) = self.follower().and_then(|follower| follower.divergence()) {
            return Err(Trouble::Nondeterminism(divergence));
        }
        self.fakes.unexpected().map_or(Ok(()), |call| Err(Trouble::UnexpectedCall(call)))
    }

    /// Ends a call from outside, without time passing.
    pub(crate) fn call<T: Send>(&self, call: impl Future<Output = T> + Send) -> Result<T, Stuck> {
        outside_of_runtimes(|| self.world().finish(call))
    }

    /// Drives the world until `until` gives something; looked at whenever nothing more can happen without time passing.
    pub(crate) fn drive<T>(
        self: &Arc<Self>,
        mut until: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Trouble> {
        for _ in 0..MOVES_MAX {
            self.rest()?;
            if let Some(found) = until() {
                return Ok(Some(found));
            }
            if self.act() {
                continue;
            }
            let by_hand = lock(&self.setup).time == Time::ByHand;
            let Some(next) = self.until_next().filter(|_| !by_hand) else { return Ok(None) };
            self.world().advance(next);
        }
        Err(Trouble::Restless)
    }

    /// Moves time on by this much, doing on the way all that falls due.
    pub(crate) fn advance(self: &Arc<Self>, by: Duration) -> Result<(), Trouble> {
        let end = self.clock.elapsed() + by;
        loop {
            self.rest()?;
            if self.act() {
                continue;
            }
            let left = end.saturating_sub(self.clock.elapsed());
            let next = self.until_next().unwrap_or(left).min(left);
            if next == Duration::ZERO {
                return Ok(());
            }
            self.world().advance(next);
        }
    }

    /// How far time must be moved for something to happen.
    pub(crate) fn until_next(&self) -> Option<Duration> {
        let planned = lock(&self.plans).next_at().map(|at| at.since(self.clock.now()));
        [self.world().until_next(), planned].into_iter().flatten().min()
    }

    /// Carries out one plan that is due, if one is.
    pub(crate) fn act(self: &Arc<Self>) -> bool {
        let tester = Tester::of(self.clone());
        // Conditions and actions may make plans of their own.
        let mut plans = std::mem::take(&mut *lock(&self.plans));
        let action = plans.take_due(&tester);
        lock(&self.plans).put_back(plans);
        action.map(|action| action(&tester)).is_some()
    }

    /// The history of a run as the store has it.
    pub(crate) fn history(&self, run: &RunKey) -> Vec<Event> {
        let mut events: Vec<Event> = Vec::new();
        loop {
            let after = events.last().map_or(EventId(0), |event| event.id);
            let records = World::read(self.store.history(run, after, PAGE_BYTES));
            if records.is_empty() {
                return events;
            }
            let codec = lock(&self.setup).codec.clone();
            for record in &records {
                events.extend(decode_record(record, &codec).unwrap_or_else(|error| panic!("{error}")));
            }
        }
    }

    /// A run and those that it has continued as.
    pub(crate) fn chain(&self, first: &RunKey) -> Vec<RunInfo> {
        let mut chain = Vec::new();
        let mut next = Some(first.clone());
        while let Some(run) = next {
            let described = World::read(self.store.describe(&[run.clone().into()]));
            let info =
                described.into_iter().flatten().next().expect("a run that was started is in the store");
            next = info.continued_as.map(|run_id| RunKey { run_id, ..run });
            chain.push(info);
        }
        chain
    }

    /// The last run that a run has continued as, or itself.
    pub(crate) fn last_of(&self, first: &RunKey) -> RunInfo {
        self.chain(first).pop().expect("a chain has a run")
    }

    /// The histories of a run and of those that it has continued as.
    pub(crate) fn histories(&self, first: &RunKey) -> Vec<(RunKey, Vec<Event>)> {
        let chain = self.chain(first);
        chain.into_iter().map(|info| (info.run.clone(), self.history(&info.run))).collect()
    }

    pub(crate) fn note_started(&self, run: &RunKey) {
        lock(&self.started).insert(run.workflow_id.clone(), run.clone());
    }

    /// What was started here, by the test and as children.
    pub(crate) fn started(&self) -> BTreeMap<WorkflowId, RunKey> {
        let mut started = lock(&self.started).clone();
        let asked = lock(&self.tally).children.clone();
        if asked.is_empty() {
            return started;
        }
        let targets: Vec<Target> = asked.into_iter().map(Target::from).collect();
        for child in World::read(self.store.describe(&targets)).into_iter().flatten() {
            started.insert(child.run.workflow_id.clone(), child.run);
        }
        started
    }

    /// The run of a workflow ID that was started here.
    #[track_caller]
    pub(crate) fn started_as(&self, workflow_id: &str) -> RunKey {
        let started = self.started();
        match started.iter().find(|(id, _)| id.as_str() == workflow_id) {
            Some((_, run)) => run.clone(),
            None => panic!("no run was started under the workflow ID {workflow_id:?}"),
        }
    }

    pub(crate) fn trouble(&self, stuck: Stuck) -> Trouble {
        match stuck {
            Stuck::AtRest => Trouble::Still("the store does not answer".to_owned()),
            Stuck::RealCode(names) => Trouble::RealCode(names),
            Stuck::Restless => Trouble::Restless,
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        match self.world.try_lock() {
            Ok(world) => world,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => panic!(
                "the tester was used from within its own world, by a fake or an activity: use `Tester::client` there"
            ),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.kill_worker();
    }
}

/// Workflow code is polled where no runtime is entered, so that code which reaches for one is found out; a test may
/// itself run on one.
fn outside_of_runtimes<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    if tokio::runtime::Handle::try_current().is_err() {
        return act();
    }
    std::thread::scope(|scope| {
        let acting = std::thread::Builder::new().name("retell-tester".to_owned()).spawn_scoped(scope, act);
        let joined = acting.expect("a thread can be had").join();
        joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
