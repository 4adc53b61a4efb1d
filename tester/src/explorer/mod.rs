//! The explorer: every order of what can happen to a workflow, and what must hold in each.
//!
//! A schedule is run from the start in a world of its own; whenever that is at rest, one of the things that can happen
//! next is chosen. Schedules are tried by the length of the script that tells them from the default course, so that
//! the first failure that is found has the shortest script.

mod action;
mod choice;
mod ending;
mod gate;
mod laws;
mod report;
mod search;
mod shrink;
mod stage;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use retell::vocabulary::{Payload, SignalName, UpdateName, WorkflowId};
use serde::Serialize;

use crate::tester::Tester;

pub use ending::Ending;
pub use report::{Exploration, Violation};

use action::{Action, Message};

/// Runs all orders of what can happen to a workflow: completions, failures, signals, cancellations, timers, crashes of
/// the worker between commits, deliveries that come twice.
///
/// - An attempt of an activity ends when the explorer lets it, whenever that is; in one of the ways that its fake
///   allows ([`one_of`](crate::Fake::one_of)). One that [`takes`](crate::Fake::takes) its time ends when that has passed.
///   What it does to the world it does when it begins, or when its time has passed: failing or dying, it has done it.
/// - Time passes when the explorer lets it, to where something is next due, also while attempts run.
/// - An action from outside happens at any time or never; one that a run cannot do without happens at the end.
///
/// By default nothing dies, fails or comes twice; [`crashes`](Self::crashes), [`failures`](Self::failures) and
/// [`duplicates`](Self::duplicates) say how often that may happen in one schedule.
///
/// What must hold in each schedule: no workflow task fails, nothing is still open when nothing can happen any more, what
/// was accepted is in history once, the expectations of fakes are met, and what [`always`](Self::always) says.
///
/// # Examples
/// ```
/// use retell::prelude::*;
/// use retell_tester::Explorer;
///
/// #[retell::activity]
/// async fn reserve(_cx: ActivityContext) -> Result<(), ActivityError> {
///     Ok(())
/// }
///
/// #[retell::activity]
/// async fn release(_cx: ActivityContext) -> Result<(), ActivityError> {
///     Ok(())
/// }
///
/// #[retell::workflow]
/// async fn booking(cx: WorkflowContext) -> WorkflowResult<bool> {
///     cx.activity(reserve, &()).await?;
///     if cx.signal::<bool>("confirmed").await? {
///         return Ok(true);
///     }
///     cx.shielded().activity(release, &()).await?;
///     Ok(false)
/// }
///
/// let explored = Explorer::new(|tester| {
///     let tester = tester.workflow(booking).activity(reserve).activity(release);
///     tester.start(booking, "booking-1", ());
///     tester
/// })
/// .signal("booking-1", "confirmed", &false)
/// .crashes(1)
/// .always("what was not confirmed is released", |ending| ending.calls().count("release") >= 1)
/// .run();
/// assert!(explored.complete());
/// ```
#[derive(Clone)]
#[must_use = "an explorer explores nothing until it is run"]
pub struct Explorer {
    setup: Arc<dyn Fn(Tester) -> Tester + Send + Sync>,
    actions: Vec<Action>,
    invariants: Vec<Invariant>,
    limits: Limits,
    place: &'static Location<'static>,
}

/// What must hold at the end of each schedule.
#[derive(Clone)]
struct Invariant {
    name: String,
    holds: Arc<dyn Fn(&Ending<'_>) -> bool + Send + Sync>,
}

/// How far an explorer goes.
#[derive(Debug, Clone, Copy)]
struct Limits {
    failures: usize,
    duplicates: usize,
    crashes: usize,
    steps_max: usize,
    schedules_max: usize,
    samples: usize,
    seed: Option<u64>,
    may_stay_open: bool,
    all_orders: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            failures: 0,
            duplicates: 0,
            crashes: 0,
            steps_max: 200,
            schedules_max: 20_000,
            samples: 2_000,
            seed: None,
            may_stay_open: false,
            all_orders: false,
        }
    }
}

impl Explorer {
    /// An explorer of the world that this sets up: it registers code and fakes with the tester that it is given, starts
    /// runs, and gives it back. It is called once for each schedule, on several threads: what a schedule changes is to be
    /// made in here.
    #[track_caller]
    pub fn new(setup: impl Fn(Tester) -> Tester + Send + Sync + 'static) -> Self {
        Self {
            setup: Arc::new(setup),
            actions: Vec::new(),
            invariants: Vec::new(),
            limits: Limits::default(),
            place: Location::caller(),
        }
    }

    /// A signal that may come at any time. It may come again if [`duplicates`](Self::duplicates) are allowed.
    ///
    /// # Panics
    /// If an ID or a name is none, or the value does not encode.
    #[track_caller]
    pub fn signal<T: Serialize + ?Sized>(self, workflow_id: &str, signal: &str, value: &T) -> Self {
        let value = Payload::encode(value).unwrap_or_else(|error| panic!("{error}"));
        let signal = SignalName::new(signal).unwrap_or_else(|error| panic!("{error}"));
        self.message(workflow_id, &format!("signal {signal}"), Message::Signal(signal, value))
    }

    /// An update that may come at any time. It may come again if [`duplicates`](Self::duplicates) are allowed.
    ///
    /// Once no run of the workflow ID is open, it has its answer, which [`Ending::answer`] tells: completed, failed,
    /// refused, or that the run ended first. Anything else is a violation.
    ///
    /// # Panics
    /// If an ID or a name is none, or the argument does not encode.
    #[track_caller]
    pub fn update<T: Serialize + ?Sized>(self, workflow_id: &str, update: &str, argument: &T) -> Self {
        let argument = Payload::encode(argument).unwrap_or_else(|error| panic!("{error}"));
        let update = UpdateName::new(update).unwrap_or_else(|error| panic!("{error}"));
        self.message(workflow_id, &format!("update {update}"), Message::Update(update, argument))
    }

    /// A cancel request that may come at any time.
    ///
    /// # Panics
    /// If the ID is none.
    #[track_caller]
    pub fn cancel(self, workflow_id: &str) -> Self {
        self.message(workflow_id, "cancel", Message::Cancel)
    }

    /// A termination that may come at any time.
    ///
    /// # Panics
    /// If the ID is none.
    #[track_caller]
    pub fn terminate(self, workflow_id: &str) -> Self {
        self.message(workflow_id, "terminate", Message::Terminate)
    }

    /// Something else that may be done from outside at any time, under a name for scripts; it says whether it was
    /// accepted.
    pub fn action(
        mut self,
        name: impl Into<String>,
        action: impl Fn(&Tester) -> bool + Send + Sync + 'static,
    ) -> Self {
        let name = self.unused(name.into());
        self.actions.push(Action::custom(name, Arc::new(action)));
        self
    }

    /// How many attempts of activities may fail in one schedule, beside what their fakes allow. The failure can be
    /// tried again.
    pub fn failures(mut self, count: usize) -> Self {
        self.limits.failures = count;
        self
    }

    /// How many messages may be delivered a second time in one schedule, under the same request ID.
    pub fn duplicates(mut self, count: usize) -> Self {
        self.limits.duplicates = count;
        self
    }

    /// How often the worker may die in one schedule: at rest, between a commit and hearing of it, or between two
    /// commits of what one thing leads to.
    pub fn crashes(mut self, count: usize) -> Self {
        self.limits.crashes = count;
        self
    }

    /// The longest schedule; one that is longer is cut there, not asked whether anything is still open, and the
    /// exploration is not [`complete`](Exploration::complete). 200 unless set.
    pub fn steps_max(mut self, count: usize) -> Self {
        self.limits.steps_max = count;
        self
    }

    /// The most schedules that are tried one after another, the shortest scripts first; 20,000 unless set. If there are
    /// more, so many `samples` are drawn beyond, 2,000 unless set.
    pub fn schedules_max(mut self, count: usize, samples: usize) -> Self {
        (self.limits.schedules_max, self.limits.samples) = (count, samples);
        self
    }

    /// The seed of the samples; a new one each time unless set, and printed with what they find.
    pub fn seed(mut self, seed: u64) -> Self {
        self.limits.seed = Some(seed);
        self
    }

    /// Allows runs that are still open when nothing can happen any more.
    pub fn may_stay_open(mut self) -> Self {
        self.limits.may_stay_open = true;
        self
    }

    /// Tries both orders also of what concerns different workflow IDs that exchange no message and whose activities share
    /// no state: for fakes that share something of their own.
    pub fn all_orders(mut self) -> Self {
        self.limits.all_orders = true;
        self
    }

    /// What must hold at the end of each schedule, in words.
    pub fn always(
        mut self,
        invariant: impl Into<String>,
        holds: impl Fn(&Ending<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.invariants.push(Invariant { name: invariant.into(), holds: Arc::new(holds) });
        self
    }

    /// Explores.
    ///
    /// # Panics
    /// With the first [`Violation`]: what does not hold, the shortest script that leads there, and a test to paste.
    #[track_caller]
    pub fn run(&self) -> Exploration {
        match self.try_run() {
            Ok(exploration) => exploration,
            Err(violation) => panic!("{violation}"),
        }
    }

    /// As [`run`](Self::run), but gives the violation back.
    ///
    /// # Errors
    /// [`Violation`].
    pub fn try_run(&self) -> Result<Exploration, Box<Violation>> {
        search::explore(self)
    }

    /// Follows a script, then the default course: the test that a violation prints. A step that is not possible where
    /// it stands is passed over, and said so, since mended code may not come to it.
    ///
    /// # Panics
    /// With the [`Violation`], if there is one.
    #[track_caller]
    pub fn follow(&self, script: &[&str]) {
        if let Err(violation) = self.try_follow(script) {
            panic!("{violation}");
        }
    }

    /// As [`follow`](Self::follow), but gives the violation back.
    ///
    /// # Errors
    /// [`Violation`].
    pub fn try_follow(&self, script: &[&str]) -> Result<(), Box<Violation>> {
        search::follow(self, script)
    }

    #[track_caller]
    fn message(mut self, workflow_id: &str, what: &str, message: Message) -> Self {
        let workflow_id = WorkflowId::new(workflow_id).unwrap_or_else(|error| panic!("{error}"));
        let name = self.unused(format!("{workflow_id}: {what}"));
        self.actions.push(Action::message(name, workflow_id, message));
        self
    }

    /// The name, or with a number if there is an action of that name.
    fn unused(&self, name: String) -> String {
        let taken = |name: &String| self.actions.iter().any(|action| action.name() == name);
        if !taken(&name) {
            return name;
        }
        (2..).map(|number| format!("{name} ({number})")).find(|name| !taken(name)).unwrap_or(name)
    }
}

impl fmt::Debug for Explorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let actions: Vec<_> = self.actions.iter().map(Action::name).collect();
        f.debug_struct("Explorer")
            .field("actions", &actions)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// How often progress is shown when it takes long.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);
