//! What the machine and the code's futures share: the rules by which events and calls change it.
//!
//! Plain data behind the lock of [`World`](super::World). No code of the user runs in here: whom to wake and what to
//! drop is handed out as an [`Aftermath`], for when the lock is released.

mod calls;
mod cancellation;
mod children;
mod endings;
mod patches;
mod shown;
mod signals;
mod updates;
mod views;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::around::Around;
use super::limits::Limits;
use super::mailboxes::Mailboxes;
use super::operations::{Operation, Operations, Resolution};
use super::queries::QueryHandler;
use super::random::Random;
use super::scope::Scope;
use super::{Conclusion, SideEffect, Step};
use crate::command::Command;
use crate::history::{
    ActivityScheduled, EventKind, ExternalCancelRequested, ExternalSignalRequested, SignalReceived,
    WorkflowCancelRequested, WorkflowStarted,
};
use crate::vocabulary::{EventId, Headers, Payload, QueryName, RunId, Timestamp};
pub(crate) use children::ChildRequest;
pub(in crate::replay) use children::OpenChild;
use patches::Patches;
use shown::Shown;
use updates::Counter;

/// What is to be done once the lock is released: wake these in order, drop those.
#[derive(Default)]
pub(in crate::replay) struct Aftermath {
    pub(in crate::replay) wakers: Vec<Waker>,
    pub(in crate::replay) dropped: Vec<Operation>,
}

/// What a poll leaves to be dropped once the lock is released: wakers and closures are the user's.
#[derive(Default)]
pub(in crate::replay) struct Released {
    _operation: Option<Operation>,
    _waker: Option<Waker>,
}

/// What a call asks for.
pub(crate) enum Request {
    Activity(Arc<ActivityScheduled>),
    Step(Arc<ActivityScheduled>, Step),
    SleepFor(Duration),
    SleepUntil(Timestamp),
    SideEffect(SideEffect),
    Child(Box<ChildRequest>),
    ExternalSignal(Box<ExternalSignalRequested>),
    ExternalCancel(Box<ExternalCancelRequested>),
}

/// What came of a wait for a signal.
pub(crate) enum Received {
    Message(SignalReceived),
    Cancelled,
}

/// How a call is made.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    pub(crate) location: &'static Location<'static>,
    /// Its await survives a cancel request.
    pub(crate) shielded: bool,
    /// Its await ends with this one.
    pub(crate) scope: Option<Scope>,
    /// What travels with it, if that is not what travels with all that the run calls.
    pub(crate) headers: Option<Headers>,
}

/// The cancel request that the run goes by: the first one.
struct Cancellation {
    arrival: u64,
    request: WorkflowCancelRequested,
    /// Whether an await of the code has returned because of it.
    seen: bool,
}

pub(in crate::replay) struct State {
    run_id: RunId,
    pub(in crate::replay) now: Timestamp,
    /// The event being applied.
    pub(in crate::replay) event: EventId,
    pub(in crate::replay) started: Option<Arc<WorkflowStarted>>,
    /// What stands around the code.
    pub(in crate::replay) around: Option<Arc<dyn Around>>,
    pub(in crate::replay) random: Random,
    /// Where the code was last heard of.
    pub(in crate::replay) location: Option<&'static Location<'static>>,
    /// How the main body has ended, until the run is closed for it.
    pub(in crate::replay) conclusion: Option<Conclusion>,
    /// What the code has asked for since the last event, not matched or collected yet.
    pub(in crate::replay) issued: VecDeque<Command>,
    /// The ID of the event that the next command becomes.
    next_id: EventId,
    operations: Operations,
    timers: BTreeSet<(Timestamp, EventId)>,
    pub(in crate::replay) limits: Limits,
    mailboxes: Mailboxes,
    updates: Counter,
    pub(in crate::replay) shown: Shown,
    /// The size of the history, up to the last event.
    pub(in crate::replay) history_bytes: u64,
    /// What the code shows, until the driver takes it.
    pub(in crate::replay) published: Option<Payload>,
    /// Kept after the code's end: a closed run answers too.
    pub(in crate::replay) queries: BTreeMap<QueryName, QueryHandler>,
    cancellation: Option<Cancellation>,
    /// Requests to cancel, pause and resume that came after the code had ended.
    late_requests: Vec<(u64, EventKind)>,
    patches: Patches,
    first_polls: u64,
    arrivals: u64,
    /// How many calls and messages the code waits for.
    pub(in crate::replay) waiting: usize,
    /// Bytes of the payloads that are kept.
    payload_bytes: usize,
}

impl Released {
    fn operation(operation: Operation) -> Self {
        Self { _operation: Some(operation), _waker: None }
    }

    fn waker(waker: Option<Waker>) -> Self {
        Self { _operation: None, _waker: waker }
    }
}

impl State {
    pub(in crate::replay) fn new(run_id: RunId) -> Self {
        Self {
            run_id,
            now: Timestamp::EPOCH,
            event: EventId(0),
            started: None,
            around: None,
            random: Random::from_seed(0),
            location: None,
            conclusion: None,
            issued: VecDeque::new(),
            next_id: EventId(1),
            operations: Operations::default(),
            timers: BTreeSet::new(),
            limits: Limits::default(),
            mailboxes: Mailboxes::default(),
            updates: Counter::default(),
            shown: Shown::default(),
            history_bytes: 0,
            published: None,
            queries: BTreeMap::new(),
            cancellation: None,
            late_requests: Vec::new(),
            patches: Patches::default(),
            first_polls: 0,
            arrivals: 0,
            waiting: 0,
            payload_bytes: 0,
        }
    }

    /// Begins the step of an inbox event.
    pub(in crate::replay) fn begin(&mut self, event: EventId, at: Timestamp) {
        self.event = event;
        self.now = at;
        self.next_id = self.patches.skip(event.next());
    }

    pub(in crate::replay) fn start(&mut self, body: Arc<WorkflowStarted>) {
        self.random = Random::from_seed(body.seed);
        self.now = body.begins(self.now);
        self.shown.start(body.attributes.clone(), body.memo.clone());
        self.started = Some(body);
    }

    /// Applies an inbox event other than the first; whom it concerns is woken afterwards.
    ///
    /// `Err` names an event of which this cannot be the outcome.
    pub(in crate::replay) fn apply(
        &mut self,
        kind: EventKind,
        aftermath: &mut Aftermath,
    ) -> Result<(), EventId> {
        match kind {
            EventKind::ActivityCompleted(body) => {
                self.resolve(body.scheduled, Resolution::Value(body.result), aftermath)
            }
            EventKind::ActivityFailed(body) => {
                self.resolve(body.scheduled, Resolution::Failed(body.failure.clone()), aftermath)
            }
            EventKind::SideEffectRecorded(body) => {
                self.resolve(body.scheduled, Resolution::Recorded(body.value), aftermath)
            }
            EventKind::TimerFired(body) => self.resolve(body.started, Resolution::Fired, aftermath),
            EventKind::SignalReceived(body) => {
                if let Some(slot) = self.put(body) {
                    self.wake(slot, aftermath);
                }
                Ok(())
            }
            EventKind::WorkflowCancelRequested(body) => {
                self.cancel_run(body, aftermath);
                Ok(())
            }
            EventKind::UpdateRequested(body) => {
                self.put_update(body, aftermath);
                Ok(())
            }
            EventKind::ChildWorkflowStarted(body) => self.child_started(body.scheduled, aftermath),
            EventKind::ChildWorkflowRefused(body) => self.child_refused(body.scheduled, aftermath),
            EventKind::ChildWorkflowCompleted(body) => {
                self.resolve(body.scheduled, Resolution::Value(body.result), aftermath)
            }
            EventKind::ChildWorkflowFailed(body) => {
                self.resolve(body.scheduled, Resolution::Failed(body.failure.clone()), aftermath)
            }
            EventKind::ChildWorkflowCancelled(body) => {
                self.resolve(body.scheduled, Resolution::ChildCancelled, aftermath)
            }
            EventKind::ChildWorkflowTerminated(body) => {
                self.resolve(body.scheduled, Resolution::Terminated(body.reason), aftermath)
            }
            EventKind::ChildWorkflowTimedOut(body) => {
                self.resolve(body.scheduled, Resolution::TimedOut, aftermath)
            }
            EventKind::ExternalDelivered(body) => {
                self.resolve(body.requested, Resolution::Delivered, aftermath)
            }
            EventKind::ExternalRefused(body) => self.resolve(body.requested, Resolution::Refused, aftermath),
            _ => Ok(()),
        }
    }

    /// Takes an inbox event in that comes after the code has ended.
    pub(in crate::replay) fn absorb(&mut self, kind: EventKind) {
        match kind {
            EventKind::SignalReceived(body) => {
                self.put(body);
            }
            EventKind::WorkflowCancelRequested(_)
            | EventKind::WorkflowPaused(_)
            | EventKind::WorkflowResumed(_) => {
                let arrival = self.arrival();
                self.late_requests.push((arrival, kind));
            }
            EventKind::UpdateRequested(body) => self.put_update(body, &mut Aftermath::default()),
            _ => {}
        }
    }

    /// Whether calls of this manner are over because the run, or their scope, is cancelled. Such a call is never made;
    /// the code has seen why.
    pub(in crate::replay) fn cancels(&mut self, manner: &Manner) -> bool {
        if self.cancellation.is_some() && !manner.shielded {
            self.saw_cancel();
            return true;
        }
        manner.scope.as_ref().is_some_and(Scope::is_cancelled)
    }

    pub(in crate::replay) fn is_cancelled(&self) -> bool {
        self.cancellation.is_some()
    }

    /// An await of the code has returned because of the cancel request.
    fn saw_cancel(&mut self) {
        if let Some(cancellation) = &mut self.cancellation {
            cancellation.seen = true;
        }
    }

    /// Messages that the code has not read, in the order of arrival.
    pub(in crate::replay) fn unread(&self) -> Vec<EventKind> {
        let signals = self.mailboxes.unread().into_iter();
        let mut unread: Vec<_> =
            signals.map(|(arrival, message)| (arrival, message.clone().into())).collect();
        unread.extend(self.updates.unread().map(|(arrival, update)| (arrival, update.clone().into())));
        let unseen = self.cancellation.iter().filter(|cancellation| !cancellation.seen);
        unread.extend(unseen.map(|unseen| (unseen.arrival, unseen.request.clone().into())));
        unread.extend(self.late_requests.iter().cloned());
        unread.sort_by_key(|(arrival, _)| *arrival);
        unread.into_iter().map(|(_, message)| message).collect()
    }

    /// Counts an event of the history.
    pub(in crate::replay) fn measure(&mut self, kind: &EventKind) {
        self.history_bytes += kind.size();
    }

    fn arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }
}
