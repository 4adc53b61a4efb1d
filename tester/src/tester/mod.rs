//! The tester: a workflow, its activities and its fakes, run on the real engine in virtual time.

mod exploring;
mod inner;
mod plans;
mod run;
mod setup;
mod still;
mod trouble;
mod wire;

use std::any::{Any, type_name};
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use retell::activity::{Activity, ActivityDefinition};
use retell::client::{Client, StartCall, StartError};
use retell::clock::Clock;
use retell::history::PayloadCodec;
use retell::vocabulary::{ActivityName, Namespace, Payload, RunKey, Timestamp};
use retell::worker::WorkerOptions;
use retell::workflow::{Workflow, definition};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fakes::{Calls, Expected, Fake};
use crate::world::Stuck;

pub use run::TestRun;
pub use trouble::Trouble;

use inner::{Inner, lock};
use plans::Trigger;
use setup::{Codec, Setup, Time};
use wire::Death;

/// When a world begins unless it is told otherwise: the start of 2026.
const BEGINNING: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// The real engine on one thread, in memory, in virtual time.
///
/// Nothing happens but in its calls: [`start`](Self::start), [`result`](TestRun::result), [`advance`](Self::advance)
/// and the like. When nothing can run, time jumps to whatever is next due, so that a year of sleep takes
/// milliseconds; while real code of an activity runs, it stands still.
///
/// A second machine is told each run's history as it grows and must ask for the same things: a workflow that reads the
/// clock, draws lots or walks a hash map fails its first test. Dropping the tester checks that what was expected of its
/// fakes has happened, unless the test has been given some [`Trouble`] as a value.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use retell::prelude::*;
/// use retell_tester::Tester;
///
/// #[retell::activity]
/// async fn charge(_cx: ActivityContext, cents: u64) -> Result<String, ActivityError> {
///     Err(ActivityError::new("Network", "tests have no network"))
/// }
///
/// #[retell::workflow]
/// async fn process_order(cx: WorkflowContext, cents: u64) -> WorkflowResult<String> {
///     let confirmed = retell::select! {
///         confirmed = cx.signal::<bool>("confirmed") => confirmed?,
///         waited = cx.sleep(Duration::from_secs(24 * 3_600)) => { waited?; false }
///     };
///     if !confirmed {
///         return Err(WorkflowError::new("nobody confirmed the order"));
///     }
///     Ok(cx.activity(charge, &cents).await?)
/// }
///
/// let tester = Tester::new().workflow(process_order);
/// tester.fake(charge).returns("receipt".to_owned());
/// let order = tester.start(process_order, "order-42", 1_250);
/// let confirmed = order.clone();
/// tester.after(Duration::from_secs(3_600), move |_| confirmed.signal("confirmed", &true).unwrap());
/// assert_eq!(order.result().unwrap(), "receipt");
/// assert_eq!(tester.calls().names(), ["charge"]);
/// ```
pub struct Tester {
    inner: Arc<Inner>,
    part: Part,
}

/// What a tester is to its world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A test's own: dropping it ends the world, and checks what was expected.
    Test,
    /// An explorer's: dropping it ends the world.
    Schedule,
    /// One more way into the world.
    Another,
}

/// # Setting up
impl Tester {
    /// A world at the start of 2026, with nothing registered.
    #[must_use]
    pub fn new() -> Self {
        Self::with_seed(0)
    }

    /// As [`new`](Self::new); the seed says which IDs, and so which random numbers, its runs have.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self { inner: Arc::new(Inner::new(seed, BEGINNING)), part: Part::Test }
    }

    /// Sets when the world begins.
    #[must_use]
    pub fn starting_at(self, now: Timestamp) -> Self {
        self.inner.clock.set_wall(now);
        self
    }

    /// Lets time stand still unless [`advance`](Self::advance) moves it.
    #[must_use]
    pub fn with_time_by_hand(self) -> Self {
        self.set(|setup| setup.time = Time::ByHand)
    }

    /// Switches the second machine off that follows each run. What it finds fails in production when a worker dies.
    #[must_use]
    pub fn without_replay_check(self) -> Self {
        self.set(|setup| setup.replays = false)
    }

    /// Registers a workflow.
    ///
    /// # Panics
    /// If its name is none, or after the first start.
    #[must_use]
    #[track_caller]
    pub fn workflow<W: Workflow>(self, workflow: W) -> Self {
        let _ = workflow;
        let definition = definition::<W>().unwrap_or_else(|error| panic!("{error}"));
        self.set(|setup| _ = setup.workflows.insert(definition.workflow_type().clone(), definition))
    }

    /// Registers the real code of an activity. It runs where no fake takes the call; one that is only faked need not
    /// be registered.
    ///
    /// # Panics
    /// If its name is none, or after the first start.
    #[must_use]
    #[track_caller]
    pub fn activity<A: Activity>(self, activity: A) -> Self {
        let _ = activity;
        let definition = ActivityDefinition::of::<A>().unwrap_or_else(|error| panic!("{error}"));
        self.set(|setup| _ = setup.activities.insert(definition.name().clone(), definition))
    }

    /// Shares a value with the real code of activities.
    ///
    /// # Panics
    /// After the first start.
    #[must_use]
    #[track_caller]
    pub fn state<T: Any + Send + Sync>(self, value: T) -> Self {
        self.set(|setup| setup.state.insert(value))
    }

    /// The value of type `T` that is shared with the real code of activities, to look at what they did with it.
    ///
    /// # Panics
    /// If none is.
    #[must_use]
    #[track_caller]
    pub fn shared<T: Any + Send + Sync>(&self) -> Arc<T> {
        let state = lock(&self.inner.setup).state.clone();
        state.find().unwrap_or_else(|| {
            panic!("no `{}` is shared, only {state:?}: give it with `Tester::state`", type_name::<T>())
        })
    }

    /// Sets what payloads pass on their way to the store and back.
    ///
    /// # Panics
    /// After the first start.
    #[must_use]
    #[track_caller]
    pub fn codec(self, codec: impl PayloadCodec) -> Self {
        self.set(|setup| setup.codec = Codec(Arc::new(codec)))
    }

    /// Changes the worker's options: slots, caches, what a panic does. Lease and threads are the tester's own.
    ///
    /// # Panics
    /// After the first start.
    #[must_use]
    #[track_caller]
    pub fn options(self, change: impl FnOnce(&mut WorkerOptions)) -> Self {
        self.set(|setup| {
            let own = setup.options.clone();
            change(&mut setup.options);
            setup.options.lease = own.lease;
            setup.options.claim_interval = own.claim_interval;
            setup.options.workflow_threads = own.workflow_threads;
        })
    }

    #[track_caller]
    fn set(self, change: impl FnOnce(&mut Setup)) -> Self {
        assert!(!self.inner.has_begun(), "a tester is set up before its first run starts");
        change(&mut lock(&self.inner.setup));
        self
    }
}

/// # Fakes
impl Tester {
    /// Begins a fake of an activity; what this returns says which calls it takes and how it answers.
    ///
    /// # Panics
    /// If the activity's name is none, or if it was unknown before the first start.
    #[track_caller]
    pub fn fake<A: Activity>(&self, activity: A) -> Fake<A::Input, A::Output> {
        let _ = activity;
        self.fake_named(A::NAME)
    }

    /// As [`fake`](Self::fake), by name, with whatever types the test has for input and output.
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn fake_named<I: DeserializeOwned, O: Serialize>(&self, name: &str) -> Fake<I, O> {
        let name = ActivityName::new(name).unwrap_or_else(|error| panic!("{error}"));
        let served = lock(&self.inner.setup).serves(&name, &self.inner.fakes);
        assert!(
            served || !self.inner.has_begun(),
            "{name:?} is first faked after the first start, so that no worker serves it"
        );
        Fake::new(self.inner.fakes.clone(), name, Location::caller())
    }

    /// Expects that the calls of these activities are made in this order, and no others of them; checked when the test
    /// ends. Attempts after the first do not count.
    #[track_caller]
    pub fn expect_order<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let names = names.into_iter().map(str::to_owned).collect();
        self.inner.fakes.expect_order(Expected::new(names, Location::caller()));
    }

    /// The attempts that were made until now.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.inner.fakes.calls()
    }

    /// Checks that what was expected has happened, and that all runs replay, the open ones too. Dropping the tester
    /// does it as well.
    ///
    /// # Errors
    /// [`Trouble::Unmet`] or [`Trouble::Nondeterminism`].
    pub fn check(&self) -> Result<(), Trouble> {
        self.inner.telling(self.find_trouble())
    }

    fn find_trouble(&self) -> Result<(), Trouble> {
        if let Some(follower) = self.inner.follower() {
            follower.replay_all();
            if let Some(divergence) = follower.divergence() {
                return Err(Trouble::Nondeterminism(divergence));
            }
        }
        let unmet = self.inner.fakes.unmet();
        if unmet.is_empty() { Ok(()) } else { Err(Trouble::Unmet(unmet)) }
    }
}

/// # Running
impl Tester {
    /// Starts a run; its first workflow task has run when this returns.
    ///
    /// # Panics
    /// If it does not start, or with a [`Trouble`].
    #[track_caller]
    pub fn start<W: Workflow>(&self, workflow: W, workflow_id: &str, input: W::Input) -> TestRun<W> {
        let _ = workflow;
        match self.try_start(workflow_id, input, |call| call) {
            Ok(run) => run,
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts a run with options: `|call| call.id_conflict(..)`.
    ///
    /// # Errors
    /// As for a client.
    ///
    /// # Panics
    /// With a [`Trouble`].
    #[track_caller]
    pub fn start_with<W: Workflow>(
        &self,
        workflow: W,
        workflow_id: &str,
        input: W::Input,
        options: impl Fn(StartCall<W>) -> StartCall<W>,
    ) -> Result<TestRun<W>, StartError> {
        let _ = workflow;
        self.try_start(workflow_id, input, options)
    }

    #[track_caller]
    fn try_start<W: Workflow>(
        &self,
        workflow_id: &str,
        input: W::Input,
        options: impl Fn(StartCall<W>) -> StartCall<W>,
    ) -> Result<TestRun<W>, StartError> {
        let inner = &self.inner;
        let request_id = inner.fresh_request();
        let input = Payload::encode(&input)?;
        loop {
            let client = or_panic(inner.worker_client());
            let call = client.start_as::<W>(workflow_id, input.decode()?).request_id(request_id);
            match inner.call(options(call).into_future()) {
                Ok(started) => {
                    let handle = started?.through(inner.client().clone());
                    let run_id = handle.run_id().expect("a started run has an ID");
                    let workflow_id = handle.workflow_id().clone();
                    let key = RunKey { namespace: Namespace::default(), workflow_id, run_id };
                    inner.note_started(&key);
                    or_panic(inner.settle());
                    return Ok(TestRun::new(self.another(), handle, key));
                }
                // The process died with the call, whose outcome is unknown: another is asked under the same identity.
                Err(Stuck::AtRest) if inner.worker_is_dead() => {
                    or_panic(inner.settle());
                }
                Err(stuck) => panic!("{}", inner.trouble(stuck)),
            }
        }
    }

    /// The run that was started last under a workflow ID.
    ///
    /// # Panics
    /// If none was.
    #[must_use]
    #[track_caller]
    pub fn run<W: Workflow>(&self, workflow: W, workflow_id: &str) -> TestRun<W> {
        let key = self.inner.started_as(workflow_id);
        let handle = match self.inner.client().handle(workflow, workflow_id) {
            Ok(handle) => handle.with_run(key.run_id),
            Err(error) => panic!("{error}"),
        };
        TestRun::new(self.another(), handle, key)
    }

    /// The time of the world.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Moves time on by this much, doing on the way all that falls due.
    ///
    /// # Panics
    /// With a [`Trouble`].
    #[track_caller]
    pub fn advance(&self, by: Duration) {
        or_panic(self.inner.advance(by));
    }

    /// Lets everything happen that needs no time.
    ///
    /// # Panics
    /// With a [`Trouble`].
    #[track_caller]
    pub fn rest(&self) {
        or_panic(self.inner.rest());
    }

    /// A client in a process of its own, for fakes and real code that speak to runs themselves. Its calls are awaited
    /// in the world: in a fake, in an activity, or with [`call`](Self::call).
    #[must_use]
    pub fn client(&self) -> Client {
        self.inner.client().clone()
    }

    /// Awaits a call of a [`client`](Self::client) of this world, without time passing.
    ///
    /// # Panics
    /// If it does not end without time passing.
    #[track_caller]
    pub fn call<T: Send>(&self, call: impl Future<Output = T> + Send) -> T {
        or_panic(self.inner.call(call).map_err(|stuck| self.inner.trouble(stuck)))
    }

    /// Awaits a future on the tokio runtime on which the real code of activities runs: for making what it shares, a
    /// pool of connections, say.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.inner.real.get().block_on(future)
    }
}

/// # Acting from outside
impl Tester {
    /// Does something when this much time has passed, before anything else that is due then.
    pub fn after(&self, wait: Duration, action: impl FnOnce(&Self) + Send + 'static) {
        self.at(self.now() + wait, action);
    }

    /// Does something at this time, before anything else that is due then.
    pub fn at(&self, time: Timestamp, action: impl FnOnce(&Self) + Send + 'static) {
        lock(&self.inner.plans).add(Trigger::At(time), Box::new(action));
    }

    /// Does something once, when this is so; looked at whenever nothing more can happen without time passing.
    pub fn when(
        &self,
        is_so: impl FnMut(&Self) -> bool + Send + 'static,
        action: impl FnOnce(&Self) + Send + 'static,
    ) {
        lock(&self.inner.plans).add(Trigger::When(Box::new(is_so)), Box::new(action));
    }

    /// Kills the worker where it stands and starts another, which takes its runs over at once. What ran without a row in
    /// the queue is tried again.
    ///
    /// # Panics
    /// With a [`Trouble`].
    #[track_caller]
    pub fn crash(&self) {
        self.stop_worker();
        self.start_worker();
    }

    /// Kills the worker when it has sent so many commits from now on and one more, which the store never hears of.
    /// Another takes over at once.
    pub fn crash_before_commit(&self, commits: usize) {
        *lock(&self.inner.death) = Some(Death::BeforeCommit(commits));
    }

    /// Kills the worker when so many commits from now on are stored, at least 1; it never hears of the last. Another
    /// takes over at once.
    pub fn crash_after_commit(&self, commits: usize) {
        *lock(&self.inner.death) = Some(Death::AfterCommit(commits.max(1)));
    }

    /// How many commits of workers the store has.
    #[must_use]
    pub fn commits(&self) -> u64 {
        lock(&self.inner.tally).commits
    }

    /// Kills the worker; nothing runs until [`start_worker`](Self::start_worker), or the next start of a run.
    pub fn stop_worker(&self) {
        self.inner.kill_worker();
    }

    /// Starts a worker, unless there is one.
    ///
    /// # Panics
    /// With a [`Trouble`].
    #[track_caller]
    pub fn start_worker(&self) {
        or_panic(self.inner.worker_client().map(drop));
    }
}

impl Tester {
    fn of(inner: Arc<Inner>) -> Self {
        Self { inner, part: Part::Another }
    }

    fn another(&self) -> Self {
        Self::of(self.inner.clone())
    }

    fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }
}

/// In a test, trouble is its failure.
#[track_caller]
fn or_panic<T>(result: Result<T, Trouble>) -> T {
    match result {
        Ok(value) => value,
        Err(trouble) => panic!("{trouble}"),
    }
}

impl Default for Tester {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Tester {
    fn drop(&mut self) {
        if self.part == Part::Another {
            return;
        }
        // Plans and the runs in them hold the world, and the world holds the plans.
        drop(std::mem::take(&mut *lock(&self.inner.plans)));
        if self.part == Part::Schedule || std::thread::panicking() || self.inner.has_told() {
            return;
        }
        if let Err(trouble) = self.check() {
            panic!("{trouble}");
        }
    }
}

impl fmt::Debug for Tester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tester").field("now", &self.now()).finish_non_exhaustive()
    }
}
