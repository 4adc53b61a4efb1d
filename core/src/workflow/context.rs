//! The context: all that a workflow may ask of the engine.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::calls::{ActivityCall, SideEffectCall, Sleep};
use super::names::NamesSignal;
use super::signals::{Signal, Signals};
use super::{CallError, NamesWorkflow, Workflow, WorkflowError, WorkflowResult, definition};
use crate::activity::{Activity, NamesActivity};
use crate::history::ActivityScheduled;
use crate::replay::{Call, Manner, Request, Scope, World};
use crate::vocabulary::{
    ActivityName, Attempt, EventId, Failure, Headers, Payload, RunId, RunKey, TaskQueue, Timestamp,
    WorkflowType,
};

/// A workflow's view of its run. Cheap to clone; clones stand for the same run.
///
/// What it gives is for the workflow's own code, while the engine polls it: used from another thread, it fails the
/// workflow task.
#[derive(Debug, Clone)]
pub struct WorkflowContext {
    world: World,
    shielded: bool,
    scope: Option<Scope>,
    /// What its calls carry, if that is not what the run does.
    headers: Option<Headers>,
}

/// What a workflow may know of its run. See [`WorkflowContext::info`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkflowInfo {
    /// The run.
    pub run: RunKey,
    /// The code that it is bound to.
    pub workflow: WorkflowType,
    /// The queue on which its tasks are picked up.
    pub task_queue: TaskQueue,
    /// The run that continued as this one.
    pub continued_from: Option<RunId>,
    /// The run that it is a child of, or whose child it continues.
    pub parent: Option<RunKey>,
    /// The event being applied: how long the history is.
    pub history_length: EventId,
    /// About how many bytes the history takes, up to the event being applied.
    pub history_bytes: u64,
    /// Whether the history has become so long that the run had better
    /// [continue as new](WorkflowContext::continue_as_new): from [`SUGGESTED_EVENTS`](super::SUGGESTED_EVENTS) events or
    /// [`SUGGESTED_BYTES`](super::SUGGESTED_BYTES) on.
    pub continue_as_new_suggested: bool,
    /// Which try this is, by the start's retry policy; the first is 1.
    pub attempt: Attempt,
    /// What the try before this one left.
    pub last_failure: Option<Failure>,
    /// The longest that this run may take, from when its code begins.
    pub run_timeout: Option<Duration>,
    /// When the workflow must have ended, with all runs that it continues as.
    pub execution_deadline: Option<Timestamp>,
}

/// From how many events on a run is told to continue as new. Part of the engine's semantics.
pub const SUGGESTED_EVENTS: u64 = 10_000;
/// From how many bytes of history on a run is told to continue as new. Part of the engine's semantics.
pub const SUGGESTED_BYTES: u64 = 16 * 1024 * 1024;

impl WorkflowContext {
    pub(crate) fn new(world: World) -> Self {
        Self { world, shielded: false, scope: None, headers: None }
    }

    /// The context that a call of this manner was made through.
    pub(crate) fn of(world: World, manner: &Manner) -> Self {
        let Manner { shielded, scope, headers, .. } = manner.clone();
        Self { world, shielded, scope, headers }
    }

    pub(super) fn world(&self) -> &World {
        &self.world
    }

    /// Calls an activity: awaited, gives what it returns. Set options on what this returns, before it is awaited.
    ///
    /// The input is encoded here; nothing is called before the first poll. Dropping the call before its outcome cancels
    /// the activity; [`detach`](ActivityCall::detach) lets go without that.
    ///
    /// # Errors
    /// The await gives [`CallError::Failed`] when the retry policy has given up, [`CallError::Cancelled`] when the run
    /// is asked to cancel, [`CallError::Payload`] if the input does not encode or the result is of another type.
    ///
    /// # Determinism
    /// Persists the name, the input and the options when first polled, and the outcome. Replay compares name and input,
    /// byte for byte, and gives the recorded outcome.
    #[track_caller]
    pub fn activity<A: Activity, M>(
        &self,
        activity: impl NamesActivity<A, M>,
        input: &A::Input,
    ) -> ActivityCall<A::Output> {
        // It names the type.
        let _ = activity;
        // Taken here: inside of a closure, the caller would be this function.
        let manner = self.manner(Location::caller());
        let call = |body| Call::new(self.world.clone(), manner, Request::Activity(Arc::new(body)));
        ActivityCall::new(scheduled(A::NAME, input).map(call))
    }

    /// Sleeps for at least this long, on the store's wall clock.
    ///
    /// The timer starts when this is first polled, and outlives every restart. Dropping it cancels the timer.
    ///
    /// # Errors
    /// The await gives [`CallError::Cancelled`] when the run is asked to cancel.
    ///
    /// # Determinism
    /// Persists when the timer is due: [`now`](Self::now) and the duration, cut to whole microseconds. Replay compares
    /// it, and wakes where history does.
    #[track_caller]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        let manner = self.manner(Location::caller());
        Sleep::new(Call::new(self.world.clone(), manner, Request::SleepFor(duration)))
    }

    /// Sleeps until an instant; ends soon if it has passed.
    ///
    /// # Errors
    /// As for [`sleep`](Self::sleep).
    ///
    /// # Determinism
    /// As for [`sleep`](Self::sleep).
    #[track_caller]
    pub fn sleep_until(&self, due: Timestamp) -> Sleep {
        let manner = self.manner(Location::caller());
        Sleep::new(Call::new(self.world.clone(), manner, Request::SleepUntil(due)))
    }

    /// Waits for the next signal of a [type](super::SignalType), or of a name.
    ///
    /// Signals wait, in order and without limit, until the code takes them, also those that came before it first
    /// listened. One is taken when this is polled ready: dropped before that, this leaves it to the next who waits.
    /// One that is no `T` is set aside, which history shows, and the wait goes on.
    ///
    /// # Errors
    /// The await gives [`CallError::Cancelled`] when the run is asked to cancel.
    ///
    /// # Determinism
    /// Persists nothing itself: signals are events of their own, and so is setting one aside.
    #[track_caller]
    pub fn signal<T: DeserializeOwned>(&self, signal: impl NamesSignal<T>) -> Signal<T> {
        let manner = self.manner(Location::caller());
        Signal::new(self.world.clone(), manner, signal.signal_name())
    }

    /// The signals of a [type](super::SignalType), or of a name, one after another: a stream, and what can be
    /// [drained](Signals::drain) without waiting.
    ///
    /// # Errors
    /// Yields [`CallError::Cancelled`] when the run is asked to cancel, and then ends.
    ///
    /// # Determinism
    /// As for [`signal`](Self::signal).
    #[track_caller]
    pub fn signals<T: DeserializeOwned>(&self, signal: impl NamesSignal<T>) -> Signals<T> {
        let manner = self.manner(Location::caller());
        Signals::new(self.world.clone(), manner, signal.signal_name())
    }

    /// Runs a short closure that is not deterministic, and records its value: a random secret, a setting, a host name.
    ///
    /// It runs after the commit that holds everything before it, and again if the process dies before its value is
    /// stored; what must not happen twice is an activity. A closure that blocks holds up a thread of the worker.
    ///
    /// # Errors
    /// The await gives [`CallError::Cancelled`] when the run is asked to cancel, and [`CallError::Payload`] if the
    /// recorded value is no `T`.
    ///
    /// # Determinism
    /// Persists that it was asked for, then the value. Replay gives the recorded value and does not run the closure.
    #[track_caller]
    pub fn side_effect<T, F>(&self, closure: F) -> SideEffectCall<T>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> T + Send + 'static,
    {
        let manner = self.manner(Location::caller());
        let closure = Box::new(move || Payload::encode(&closure()));
        SideEffectCall::new(Call::new(self.world.clone(), manner, Request::SideEffect(closure)))
    }

    /// Whether the run was asked to cancel, or the [scope](Self::scope) that this context belongs to was cancelled.
    ///
    /// # Determinism
    /// True from the event of the request on, or from the cancelling of the scope, live and at replay.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.world.is_cancelled() || self.scope.as_ref().is_some_and(Scope::is_cancelled)
    }

    pub(super) fn headers_here(&self) -> Option<&Headers> {
        self.headers.as_ref()
    }

    pub(crate) fn carrying(&self, headers: Headers) -> Self {
        Self { headers: Some(headers), ..self.clone() }
    }

    pub(super) fn scope_here(&self) -> Option<&Scope> {
        self.scope.as_ref()
    }

    /// This context under a shield, or in another scope.
    pub(super) fn moved(&self, shielded: bool, scope: Option<Scope>) -> Self {
        Self { world: self.world.clone(), shielded, scope, headers: self.headers.clone() }
    }

    pub(super) fn is_shielded(&self) -> bool {
        self.shielded
    }

    /// The time: that of the event being applied.
    ///
    /// # Determinism
    /// Stands still between two events, and is the same at each replay.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// Whether the code does now what it has done before. For logging only.
    ///
    /// # Determinism
    /// Differs between live and replay by its nature: what it decides must leave no trace in the calls of the code.
    #[must_use]
    pub fn is_replaying(&self) -> bool {
        self.world.replaying()
    }

    /// The run.
    ///
    /// # Determinism
    /// The same for as long as the run lives; a run that continues as new is another one.
    #[must_use]
    pub fn run(&self) -> &RunKey {
        self.world.run()
    }

    /// What the code may know of its run.
    ///
    /// # Determinism
    /// From event 1 and the event being applied: the same at each replay.
    #[must_use]
    pub fn info(&self) -> WorkflowInfo {
        let started = self.world.started().expect("code runs only after event 1 was taken in");
        let (history_length, history_bytes) = (self.world.event(), self.world.history_bytes());
        WorkflowInfo {
            run: self.world.run().clone(),
            workflow: started.workflow.clone(),
            task_queue: started.task_queue.clone(),
            continued_from: started.continued_from,
            parent: started.parent.as_ref().map(|parent| parent.parent(self.world.run())),
            history_length,
            history_bytes,
            continue_as_new_suggested: history_length.0 >= SUGGESTED_EVENTS
                || history_bytes >= SUGGESTED_BYTES,
            attempt: started.attempt,
            last_failure: started.last_failure.as_deref().cloned(),
            run_timeout: started.run_timeout,
            execution_deadline: started.execution_deadline,
        }
    }

    /// Ends this run, to go on as a new one of this workflow ID with an empty history: return what this returns.
    ///
    /// What the code has not read, signals and a cancel request, goes to the new run in order, and so do the
    /// [headers](Self::headers). Open activities and timers are cancelled.
    ///
    /// # Errors
    /// Always: the error is what says so. If the input does not encode, it fails the run.
    ///
    /// # Determinism
    /// Persists the workflow, the input and the new run's ID, which is drawn from this run's random numbers. Replay
    /// compares the name and the input.
    pub fn continue_as_new<W: Workflow, T, M>(
        &self,
        workflow: impl NamesWorkflow<W, M>,
        input: &W::Input,
    ) -> WorkflowResult<T> {
        // It names the type.
        let _ = workflow;
        let (workflow, input) = (definition::workflow_type::<W>()?, Payload::encode(input)?);
        Err(WorkflowError::continue_as_new(workflow, input, self.headers()))
    }

    pub(super) fn manner(&self, location: &'static Location<'static>) -> Manner {
        let (scope, headers) = (self.scope.clone(), self.headers.clone());
        Manner { location, shielded: self.shielded, scope, headers }
    }
}

pub(super) fn scheduled<I: Serialize>(name: &str, input: &I) -> Result<ActivityScheduled, CallError> {
    Ok(ActivityScheduled::new(ActivityName::new(name)?, Payload::encode(input)?))
}
