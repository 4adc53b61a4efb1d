//! What a tester is made of before its first run starts, and how a worker is made of it.

use std::any::{Any, type_name};
use std::collections::HashMap;
use std::sync::Arc;

use retell::Orchestrator;
use retell::activity::{Activity, ActivityDefinition, NamesActivity, SharedState};
use retell::around::{ContextPropagator, Interceptor, intercepted};
use retell::history::{PayloadCodec, Plain};
use retell::replay::Definition;
use retell::vocabulary::{ActivityName, Timestamp, WorkflowType};
use retell::worker::WorkerOptions;
use retell::workflow::{NamesWorkflow, Workflow, definition};

use super::Tester;
use super::inner::lock;
use crate::fakes::Fakes;
use crate::follower::Follower;
use crate::world::NEVER;

/// How often a closed run is replayed from its start: each time is another chance to find what differs now and then.
const WHOLE_REPLAYS: usize = 8;

/// Whether time passes by itself when nothing else can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// It jumps to where something is next due.
    Jumps,
    /// It is moved by hand only.
    ByHand,
}

/// The code and the settings of a tester's workers.
pub(crate) struct Setup {
    pub(crate) workflows: HashMap<WorkflowType, Arc<dyn Definition>>,
    pub(crate) activities: HashMap<ActivityName, ActivityDefinition>,
    pub(crate) state: SharedState,
    /// Whether anything is in it.
    pub(crate) shares: bool,
    pub(crate) codec: Arc<dyn PayloadCodec>,
    pub(crate) propagators: Vec<Arc<dyn ContextPropagator>>,
    pub(crate) interceptors: Vec<Arc<dyn Interceptor>>,
    pub(crate) options: WorkerOptions,
    pub(crate) time: Time,
    /// Whether a second machine follows each run.
    pub(crate) replays: bool,
    /// How often a closed run is replayed from its start, at most.
    pub(crate) whole_replays: usize,
}

impl Default for Setup {
    fn default() -> Self {
        let mut options = WorkerOptions::default();
        // One machine never dies unless the test says so, and then is known to be dead at once.
        (options.lease, options.claim_interval) = (NEVER, NEVER);
        options.workflow_threads = 1;
        Self {
            workflows: HashMap::new(),
            activities: HashMap::new(),
            state: SharedState::default(),
            shares: false,
            codec: Arc::new(Plain),
            propagators: Vec::new(),
            interceptors: Vec::new(),
            options,
            time: Time::Jumps,
            replays: true,
            whole_replays: WHOLE_REPLAYS,
        }
    }
}

impl Setup {
    /// The second machine for each run, unless it is switched off.
    pub(crate) fn follower(&self) -> Option<Arc<Follower>> {
        let codec = Arc::new(self.codec.clone());
        let around = |(served, code): (&WorkflowType, &Arc<dyn Definition>)| {
            (served.clone(), intercepted(code.clone(), self.interceptors.iter().cloned()))
        };
        let workflows = self.workflows.iter().map(around).collect();
        let follower = || Follower::new(workflows, codec, self.options.panics, self.whole_replays);
        self.replays.then(|| Arc::new(follower()))
    }

    /// Whether a worker runs this activity: its code, or a fake.
    pub(crate) fn serves(&self, activity: &ActivityName, fakes: &Fakes) -> bool {
        self.activities.contains_key(activity) || fakes.names().contains(activity)
    }

    /// Registers what belongs to a client too: the code of workflows, and what stands around calls.
    pub(crate) fn register_client(&self, orchestrator: Orchestrator) -> Orchestrator {
        let orchestrator = orchestrator.codec(self.codec.clone());
        let workflows = self.workflows.values().cloned();
        let orchestrator = workflows.fold(orchestrator, Orchestrator::workflow_definition);
        let orchestrator = self.propagators.iter().cloned().fold(orchestrator, Orchestrator::propagate);
        self.interceptors.iter().cloned().fold(orchestrator, Orchestrator::intercept)
    }

    /// Registers all of it.
    pub(crate) fn register(&self, orchestrator: Orchestrator, fakes: &Arc<Fakes>) -> Orchestrator {
        let mut names = fakes.names();
        names.extend(self.activities.keys().cloned());
        names.sort();
        names.dedup();
        let orchestrator = self.register_client(orchestrator);
        let orchestrator = orchestrator.shared_state(self.state.clone()).options(self.options.clone());
        let for_steps = fakes.clone();
        let orchestrator = orchestrator.step_hook(move |step| {
            // Nothing in a step's name says whether it is faked: the fakes are asked when it runs.
            for_steps.definition(step.name().clone(), Some(step))
        });
        names.into_iter().fold(orchestrator, |orchestrator, name| {
            let code = self.activities.get(&name).cloned();
            orchestrator.activity_definition(fakes.definition(name, code))
        })
    }
}

/// # Setting up
impl Tester {
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
    pub fn workflow<W: Workflow, M>(self, workflow: impl NamesWorkflow<W, M>) -> Self {
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
    pub fn activity<A: Activity, M>(self, activity: impl NamesActivity<A, M>) -> Self {
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
        self.set(|setup| {
            setup.state.insert(value);
            setup.shares = true;
        })
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
        self.set(|setup| setup.codec = Arc::new(codec))
    }

    /// Carries context of the program along with calls, as [`Orchestrator::propagate`] does.
    ///
    /// # Panics
    /// After the first start.
    #[must_use]
    #[track_caller]
    pub fn propagate(self, propagator: impl ContextPropagator) -> Self {
        self.set(|setup| setup.propagators.push(Arc::new(propagator)))
    }

    /// Puts an interceptor around calls, workflows and activities, as [`Orchestrator::intercept`] does; fakes are called
    /// within it too. The second machine has it around each workflow, so that one which does not replay is found.
    ///
    /// # Panics
    /// After the first start.
    #[must_use]
    #[track_caller]
    pub fn intercept(self, interceptor: impl Interceptor) -> Self {
        self.set(|setup| setup.interceptors.push(Arc::new(interceptor)))
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
    pub(super) fn set(self, change: impl FnOnce(&mut Setup)) -> Self {
        assert!(!self.inner.has_begun(), "a tester is set up before its first run starts");
        change(&mut lock(&self.inner.setup));
        self
    }
}
