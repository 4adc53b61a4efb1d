//! Simulation: engines as they are, in a world that fails in every way that a seed can think of, and an oracle beside it.
//!
//! One schedule is one seed: a small world of one to three processes on one store, random programs as load, faults
//! between each process and the store, processes that are killed, paused and shut down, a wall clock that jumps. Then
//! the faults cease, all runs must end, and the oracle checks the promises H1 to H13 on what the store did. It runs on
//! one thread and reads no real clock: the same seed takes the same course.

mod code;
mod faults;
mod load;
mod oracle;
mod panics;
mod plan;
mod program;
mod report;
mod schedule;
mod stage;

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use retell::Orchestrator;
use retell::activity::{Activity, ActivityDefinition, NamesActivity};
use retell::client::Client;
use retell::vocabulary::InvalidId;
use retell::workflow::{NamesWorkflow, Workflow, WorkflowContext, WorkflowResult, definition};

pub use report::{Figures, Violation};

use code::Code;
use program::Interpreter;
use report::Broken;
use schedule::Schedule;
use stage::Stage;

/// A schedule to be simulated.
///
/// Without workflows of your own, its load is random programs: it tests the engine. With them
/// ([`workflow`](Self::workflow), [`start`](Self::start)), it tests your code: that every run replays and ends, whatever
/// befalls the processes.
///
/// # Examples
/// ```
/// use retell_tester::simulation::Simulation;
///
/// let figures = Simulation::new().seed(7).run().unwrap();
/// assert_eq!(figures, Simulation::new().seed(7).run().unwrap());
/// ```
#[derive(Clone)]
#[must_use = "nothing is simulated until it is run"]
pub struct Simulation {
    seed: u64,
    code: Code,
}

impl Default for Simulation {
    fn default() -> Self {
        Self::new()
    }
}

impl Simulation {
    /// The schedule of seed 0, with random programs as load.
    pub fn new() -> Self {
        let mut code = Code::default();
        let definition = definition::<Interpreter>().expect("its name is one");
        code.definitions.insert(definition.workflow_type().clone(), definition);
        Self { seed: 0, code }
    }

    /// What all is drawn from.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The most processes with workers; 3 unless set.
    pub fn processes_max(mut self, processes_max: u32) -> Self {
        self.code.limits.processes_max = processes_max;
        self
    }

    /// The most starts of random programs; 4 unless set.
    pub fn runs_max(mut self, runs_max: u32) -> Self {
        self.code.limits.runs_max = runs_max;
        self
    }

    /// The most operations of a random program, those within its joins and races counted roughly; 8 unless set.
    pub fn ops_max(mut self, ops_max: u32) -> Self {
        self.code.limits.ops_max = ops_max;
        self
    }

    /// Loses and delays nothing between processes and store.
    pub fn without_link_faults(mut self) -> Self {
        self.code.limits.link_faults = false;
        self
    }

    /// Kills, pauses and shuts down no process.
    pub fn without_process_faults(mut self) -> Self {
        self.code.limits.process_faults = false;
        self
    }

    /// Lets the wall clock run evenly.
    pub fn without_clock_jumps(mut self) -> Self {
        self.code.limits.clock_jumps = false;
        self
    }

    /// Registers a workflow of your own on every process.
    ///
    /// # Errors
    /// [`InvalidId`] if its name is none.
    pub fn workflow<W: Workflow, M>(mut self, workflow: impl NamesWorkflow<W, M>) -> Result<Self, InvalidId> {
        let _ = workflow;
        let definition = definition::<W>()?;
        self.code.definitions.insert(definition.workflow_type().clone(), definition);
        Ok(self)
    }

    /// Registers an activity of your own on every process. Its bodies run on the thread that simulates and must await
    /// nothing but what ends by itself: no runtime is entered, and time passes only as the schedule says.
    ///
    /// # Errors
    /// [`InvalidId`] if its name is none.
    pub fn activity<A: Activity, M>(mut self, activity: impl NamesActivity<A, M>) -> Result<Self, InvalidId> {
        let _ = activity;
        self.code.activities.push(ActivityDefinition::of::<A>()?);
        Ok(self)
    }

    /// Shares a value with the activities of every process.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        let share = move |orchestrator: Orchestrator| orchestrator.state(value.clone());
        self.code.states.push(Arc::new(share));
        self
    }

    /// Starts a run of your own workflow in every schedule, at some moment, from some process, instead of random
    /// programs. Half an hour after the last fault, runs that are still open are asked to cancel; within two, they must
    /// have ended.
    pub fn start<W: Workflow<Input: Clone + Sync>, M>(
        mut self,
        workflow: impl NamesWorkflow<W, M>,
        workflow_id: &str,
        input: W::Input,
    ) -> Self {
        let _ = workflow;
        let workflow_id = workflow_id.to_owned();
        self.code.starts.push(Arc::new(move |client: Client, stage: Arc<Stage>| {
            let call = client.start(Named::<W>(PhantomData), workflow_id.clone(), input.clone());
            Box::pin(async move {
                if let Ok(handle) = call.into_future().await {
                    load::started(handle, true, &stage).await;
                }
            })
        }));
        self
    }

    /// Goes through the schedule.
    ///
    /// # Errors
    /// The first [`Violation`] of a promise.
    pub fn run(&self) -> Result<Figures, Box<Violation>> {
        // The same course once more, this time with an eye on the links.
        self.attempt(false).map_err(|first| match self.attempt(true) {
            Err(violation) => violation,
            Ok(_) => Box::new(Violation {
                what: format!("{}; and it was not broken when the seed ran again", first.what),
                ..*first
            }),
        })
    }

    fn attempt(&self, keep_links: bool) -> Result<Figures, Box<Violation>> {
        let mut schedule = Schedule::new(self.seed, Arc::new(self.code.clone()), keep_links);
        let plan = schedule.describe();
        let (outcome, panics) = panics::gathered(|| catch_unwind(AssertUnwindSafe(|| schedule.run())));
        let broken = match (outcome, panics.into_iter().next()) {
            (_, Some(panic)) => Broken::new("engine", format!("a panic: {panic}")),
            (Ok(Ok(figures)), None) => return Ok(figures),
            (Ok(Err(broken)), None) => broken,
            (Err(_), None) => Broken::new("engine", "a panic without a message"),
        };
        let stage = schedule.stage().clone();
        // A world that has panicked may panic again while it is taken down.
        let _ = panics::gathered(|| catch_unwind(AssertUnwindSafe(|| drop(schedule))));
        let Broken { promise, what } = broken;
        let (histories, links) = (stage.oracle().histories(), stage.links());
        Err(Box::new(Violation { seed: self.seed, promise, what, histories, links, plan }))
    }
}

/// A workflow by its type alone, so that it can be started as often as there are schedules.
struct Named<W>(PhantomData<fn() -> W>);

impl<W: Workflow> Workflow for Named<W> {
    type Input = W::Input;
    type Output = W::Output;
    const NAME: &'static str = W::NAME;
    const VERSION: u32 = W::VERSION;

    fn run(
        cx: WorkflowContext,
        input: W::Input,
    ) -> impl Future<Output = WorkflowResult<W::Output>> + Send + 'static {
        W::run(cx, input)
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = &self.code.limits;
        f.debug_struct("Simulation").field("seed", &self.seed).field("limits", limits).finish_non_exhaustive()
    }
}
