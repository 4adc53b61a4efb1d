//! What the machine and the code's futures share: the rules by which events and calls change it.
//!
//! Plain data behind the lock of [`World`](super::World). No code of the user runs in here: whom to wake and what to
//! drop is handed out as an [`Aftermath`], for when the lock is released.

use std::collections::{BTreeSet, VecDeque};
use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;

use super::mailboxes::Mailboxes;
use super::operations::{Kind, Operation, Operations, Resolution, Slot};
use super::random::Random;
use super::{Conclusion, SideEffect};
use crate::command::{Command, CommandKind};
use crate::history::{
    ActivityScheduled, EventKind, SignalReceived, WorkflowCancelRequested, WorkflowStarted,
};
use crate::vocabulary::{EventId, RunId, SignalName, Timestamp};

/// What is to be done once the lock is released: wake these in order, drop those.
#[derive(Default)]
pub(super) struct Aftermath {
    pub(super) wakers: Vec<Waker>,
    pub(super) dropped: Vec<Operation>,
}

/// What a call asks for.
pub(crate) enum Request {
    Activity(ActivityScheduled),
    SleepFor(std::time::Duration),
    SleepUntil(Timestamp),
    SideEffect(SideEffect),
}

/// What came of a wait for a signal.
pub(crate) enum Received {
    Message(SignalReceived),
    Cancelled,
}

/// How a call is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) location: &'static Location<'static>,
    /// Its await survives a cancel request.
    pub(crate) shielded: bool,
}

/// The cancel request that the run goes by: the first one.
struct Cancellation {
    arrival: u64,
    request: WorkflowCancelRequested,
    /// Whether an await of the code has returned because of it.
    seen: bool,
}

pub(super) struct State {
    pub(super) now: Timestamp,
    /// The event being applied.
    pub(super) event: EventId,
    pub(super) started: Option<Arc<WorkflowStarted>>,
    pub(super) random: Random,
    /// Where the code was last heard of.
    pub(super) location: Option<&'static Location<'static>>,
    /// How the main body has ended, until the run is closed for it.
    pub(super) conclusion: Option<Conclusion>,
    /// What the code has asked for since the last event, not matched or collected yet.
    pub(super) issued: VecDeque<Command>,
    /// The ID of the event that the next command becomes.
    next_id: EventId,
    operations: Operations,
    timers: BTreeSet<(Timestamp, EventId)>,
    mailboxes: Mailboxes,
    cancellation: Option<Cancellation>,
    /// Cancel requests that came after the code had ended.
    late_cancels: Vec<(u64, WorkflowCancelRequested)>,
    first_polls: u64,
    arrivals: u64,
    /// How many calls the code waits for.
    pub(super) waiting: usize,
    /// Bytes of the payloads that are kept.
    payload_bytes: usize,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            now: Timestamp::EPOCH,
            event: EventId(0),
            started: None,
            random: Random::from_seed(0),
            location: None,
            conclusion: None,
            issued: VecDeque::new(),
            next_id: EventId(1),
            operations: Operations::default(),
            timers: BTreeSet::new(),
            mailboxes: Mailboxes::default(),
            cancellation: None,
            late_cancels: Vec::new(),
            first_polls: 0,
            arrivals: 0,
            waiting: 0,
            payload_bytes: 0,
        }
    }

    /// Begins the step of an inbox event.
    pub(super) fn begin(&mut self, event: EventId, at: Timestamp) {
        self.event = event;
        self.now = at;
        self.next_id = event.next();
    }

    pub(super) fn start(&mut self, body: WorkflowStarted) {
        self.random = Random::from_seed(body.seed);
        self.started = Some(Arc::new(body));
    }

    /// Applies an inbox event other than the first; whom it concerns is woken afterwards.
    ///
    /// `Err` names an event of which this cannot be the outcome.
    pub(super) fn apply(&mut self, kind: EventKind, aftermath: &mut Aftermath) -> Result<(), EventId> {
        match kind {
            EventKind::ActivityCompleted(body) => {
                self.resolve(body.scheduled, Resolution::Value(body.result), aftermath)
            }
            EventKind::ActivityFailed(body) => {
                self.resolve(body.scheduled, Resolution::Failed(body.failure), aftermath)
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
            _ => Ok(()),
        }
    }

    /// Takes an inbox event in that comes after the code has ended.
    pub(super) fn absorb(&mut self, kind: EventKind) {
        match kind {
            EventKind::SignalReceived(body) => {
                self.put(body);
            }
            EventKind::WorkflowCancelRequested(body) => {
                let arrival = self.arrival();
                self.late_cancels.push((arrival, body));
            }
            _ => {}
        }
    }

    /// Whether calls of this manner are over because the run is cancelled.
    pub(super) fn cancels(&self, manner: Manner) -> bool {
        self.cancellation.is_some() && !manner.shielded
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancellation.is_some()
    }

    /// An await of the code has returned because of the cancel request.
    pub(super) fn saw_cancel(&mut self) {
        if let Some(cancellation) = &mut self.cancellation {
            cancellation.seen = true;
        }
    }

    /// Issues the command of a call. A waker says that a future waits for the outcome.
    pub(super) fn issue(&mut self, request: Request, manner: Manner, waker: Option<&Waker>) -> Slot {
        let event = self.next_id;
        let (kind, command) = match request {
            Request::Activity(body) => (Kind::Activity(None), CommandKind::ScheduleActivity(body)),
            Request::SleepFor(duration) => self.timer(self.now + duration, event),
            Request::SleepUntil(due) => self.timer(due, event),
            Request::SideEffect(closure) => {
                (Kind::SideEffect(Some(closure)), CommandKind::ScheduleSideEffect)
            }
        };
        self.command(command, Some(manner.location));
        self.insert(kind, event, manner, waker)
    }

    fn timer(&mut self, due: Timestamp, event: EventId) -> (Kind, CommandKind) {
        self.timers.insert((due, event));
        (Kind::Timer(due), CommandKind::StartTimer { due })
    }

    fn insert(&mut self, kind: Kind, event: EventId, manner: Manner, waker: Option<&Waker>) -> Slot {
        let first_polled = self.first_polls;
        self.first_polls += 1;
        self.waiting += usize::from(waker.is_some());
        self.operations.insert(Operation {
            kind,
            event,
            location: manner.location,
            shielded: manner.shielded,
            first_polled,
            attached: waker.is_some(),
            waker: waker.cloned(),
            outcome: None,
        })
    }

    /// Takes the outcome of a call and frees it, or remembers whom to wake. What is handed out is dropped unlocked.
    pub(super) fn poll(&mut self, slot: Slot, waker: &Waker) -> (Option<Resolution>, Option<Waker>) {
        let Some(resolution) = self.operations.operation(slot).outcome.take() else {
            return (None, self.remember(slot, waker));
        };
        if matches!(resolution, Resolution::Cancelled) {
            self.saw_cancel();
        }
        (Some(resolution), self.operations.remove(slot).waker)
    }

    /// Remembers whom to wake; hands the one before out.
    fn remember(&mut self, slot: Slot, waker: &Waker) -> Option<Waker> {
        let held = &mut self.operations.operation(slot).waker;
        match held {
            Some(held) if held.will_wake(waker) => None,
            _ => held.replace(waker.clone()),
        }
    }

    /// The code lets go of a call; cancels it if its outcome is still to come.
    pub(super) fn let_go(&mut self, slot: Slot, aftermath: &mut Aftermath) {
        let operation = self.operations.operation(slot);
        let (event, location, waits) = (operation.event, operation.location, operation.waits());
        self.waiting -= usize::from(waits);
        if self.operations.close(event).is_some() {
            self.cancel_command(slot, event, location);
        }
        let operation = self.operations.remove(slot);
        if let Kind::Signal(name) = &operation.kind
            && waits
            && let Some(next) = self.mailboxes.leave(name, operation.first_polled)
        {
            self.wake(next, aftermath);
        }
        aftermath.dropped.push(operation);
    }

    /// The code no longer waits for a call that goes on. What is handed out is dropped unlocked.
    #[must_use]
    pub(super) fn detach(&mut self, slot: Slot) -> (Option<Operation>, Option<Waker>) {
        let operation = self.operations.operation(slot);
        self.waiting -= usize::from(operation.waits());
        operation.attached = false;
        let waker = operation.waker.take();
        let ended = operation.outcome.is_some();
        (ended.then(|| self.operations.remove(slot)), waker)
    }

    /// All calls, for good: the code has ended, or is thrown away. Dropped unlocked.
    #[must_use]
    pub(super) fn abandon(&mut self) -> Vec<Option<Operation>> {
        self.timers.clear();
        self.waiting = 0;
        self.operations.take_all()
    }

    /// The earliest time that this event can have: when its timer is due.
    pub(super) fn not_before(&mut self, kind: &EventKind) -> Timestamp {
        let EventKind::TimerFired(body) = kind else { return Timestamp::EPOCH };
        match self.operations.open(body.started).map(|slot| &self.operations.operation(slot).kind) {
            Some(Kind::Timer(due)) => *due,
            _ => Timestamp::EPOCH,
        }
    }

    pub(super) fn next_due(&self) -> Option<(Timestamp, EventId)> {
        self.timers.first().copied()
    }

    /// Activities whose outcome is still to come, in the order in which they were scheduled.
    pub(super) fn is_open(&self, scheduled: EventId) -> bool {
        self.operations.open(scheduled).is_some()
    }

    pub(super) fn open_activities(&mut self) -> Vec<(EventId, ActivityScheduled)> {
        let open = self.operations.all_open().into_iter();
        open.filter_map(|(event, slot)| match &self.operations.operation(slot).kind {
            Kind::Activity(Some(body)) => Some((event, body.clone())),
            _ => None,
        })
        .collect()
    }

    /// Side effects whose value is still to come, in the order in which they were scheduled.
    pub(super) fn open_side_effects(&mut self) -> Vec<EventId> {
        let open = self.operations.all_open().into_iter();
        open.filter(|(_, slot)| matches!(self.operations.operation(*slot).kind, Kind::SideEffect(_)))
            .map(|(event, _)| event)
            .collect()
    }

    pub(super) fn take_side_effect(&mut self, event: EventId) -> Option<SideEffect> {
        match &mut self.operations.operation(self.operations.open(event)?).kind {
            Kind::SideEffect(closure) => closure.take(),
            _ => None,
        }
    }

    /// Messages that the code has not read, in the order of arrival.
    pub(super) fn unread(&self) -> Vec<EventKind> {
        let signals = self.mailboxes.unread().into_iter();
        let mut unread: Vec<_> =
            signals.map(|(arrival, message)| (arrival, message.clone().into())).collect();
        let unseen = self.cancellation.iter().filter(|cancellation| !cancellation.seen);
        unread.extend(unseen.map(|unseen| (unseen.arrival, unseen.request.clone().into())));
        unread.extend(self.late_cancels.iter().map(|(arrival, request)| (*arrival, request.clone().into())));
        unread.sort_by_key(|(arrival, _)| *arrival);
        unread.into_iter().map(|(_, message)| message).collect()
    }

    /// About how many bytes this takes.
    pub(super) fn bytes_estimate(&self) -> usize {
        self.payload_bytes
            + self.operations.capacity() * size_of::<Option<Operation>>()
            + self.timers.len() * size_of::<(Timestamp, EventId)>()
            + self.issued.capacity() * size_of::<Command>()
    }

    fn resolve(
        &mut self,
        event: EventId,
        resolution: Resolution,
        aftermath: &mut Aftermath,
    ) -> Result<(), EventId> {
        // An outcome that comes after its call was let go of concerns nobody.
        let Some(slot) = self.operations.open(event) else { return Ok(()) };
        match (&self.operations.operation(slot).kind, &resolution) {
            (Kind::Activity(_), Resolution::Value(_) | Resolution::Failed(_))
            | (Kind::Timer(_), Resolution::Fired)
            | (Kind::SideEffect(_), Resolution::Recorded(_)) => {}
            _ => return Err(event),
        }
        self.operations.close(event);
        self.forget(slot, event);
        let operation = self.operations.operation(slot);
        if operation.attached {
            operation.outcome = Some(resolution);
            self.waiting -= 1;
            self.wake(slot, aftermath);
        } else {
            aftermath.dropped.push(self.operations.remove(slot));
        }
        Ok(())
    }

    /// Forgets what belongs to an open call of this kind.
    fn forget(&mut self, slot: Slot, event: EventId) {
        match &self.operations.operation(slot).kind {
            Kind::Timer(due) => {
                self.timers.remove(&(*due, event));
            }
            Kind::Activity(Some(body)) => self.payload_bytes -= body.input.data.len(),
            Kind::Activity(None) | Kind::SideEffect(_) | Kind::Signal(_) => {}
        }
    }

    fn wake(&mut self, slot: Slot, aftermath: &mut Aftermath) {
        aftermath.wakers.extend(self.operations.operation(slot).waker.take());
    }

    fn command(&mut self, kind: CommandKind, location: Option<&'static Location<'static>>) {
        self.issued.push_back(Command { kind, location });
        self.next_id = self.next_id.next();
    }

    fn cancel_command(&mut self, slot: Slot, event: EventId, location: &'static Location<'static>) {
        self.forget(slot, event);
        let command = match &self.operations.operation(slot).kind {
            Kind::Activity(_) => CommandKind::CancelActivity { scheduled: event },
            Kind::Timer(_) => CommandKind::CancelTimer { started: event },
            // Nothing needs to be undone: its value will be recorded, or not, and read by nobody.
            Kind::SideEffect(_) | Kind::Signal(_) => return,
        };
        self.command(command, Some(location));
    }

    fn cancel_run(&mut self, request: WorkflowCancelRequested, aftermath: &mut Aftermath) {
        if self.cancellation.is_some() {
            return;
        }
        self.cancellation = Some(Cancellation { arrival: self.arrival(), request, seen: false });
        for slot in self.operations.all_cancellable() {
            let operation = self.operations.operation(slot);
            let (event, location, first_polled) =
                (operation.event, operation.location, operation.first_polled);
            operation.outcome = Some(Resolution::Cancelled);
            self.waiting -= 1;
            match &operation.kind {
                Kind::Signal(name) => {
                    let name = name.clone();
                    if let Some(next) = self.mailboxes.leave(&name, first_polled) {
                        self.wake(next, aftermath);
                    }
                }
                _ => {
                    self.operations.close(event);
                    self.cancel_command(slot, event, location);
                }
            }
            self.wake(slot, aftermath);
        }
    }

    /// The code has ended: cancels what is open, in the order in which it was issued, and closes the run.
    pub(super) fn conclude(&mut self, conclusion: Conclusion) {
        for (event, slot) in self.operations.all_open() {
            self.operations.close(event);
            let location = self.operations.operation(slot).location;
            self.cancel_command(slot, event, location);
        }
        let command = match conclusion {
            Conclusion::Completed(result) => CommandKind::CompleteWorkflow { result },
            Conclusion::Failed(failure) => CommandKind::FailWorkflow { failure },
            Conclusion::Cancelled => CommandKind::CancelWorkflow,
            Conclusion::ContinueAsNew { workflow, input } => {
                CommandKind::ContinueAsNew { workflow, input, new_run_id: self.new_run_id() }
            }
        };
        self.command(command, None);
    }

    /// A UUIDv7 of this event's time, its random part from the run's numbers.
    fn new_run_id(&mut self) -> RunId {
        let millis = u64::try_from(self.now.as_micros().max(0) / 1_000).unwrap_or_default();
        let mut random = [0; 10];
        random.copy_from_slice(&self.random.next_bytes()[..10]);
        RunId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// An activity's command has become an event: as long as it is open, what the event says is kept.
    pub(super) fn recorded(&mut self, event: EventId, body: impl FnOnce() -> ActivityScheduled) {
        let Some(slot) = self.operations.open(event) else { return };
        if let Kind::Activity(held) = &mut self.operations.operation(slot).kind {
            let body = held.insert(body());
            self.payload_bytes += body.input.data.len();
        }
    }

    /// Polls a wait for a signal for the first time: takes the first message, or stands in line.
    pub(super) fn receive(
        &mut self,
        name: &SignalName,
        manner: Manner,
        waker: &Waker,
    ) -> Result<SignalReceived, Slot> {
        if let Some(message) = self.mailboxes.take(name, None) {
            self.payload_bytes -= message.input.data.len();
            return Ok(message);
        }
        let slot = self.insert(Kind::Signal(name.clone()), EventId(0), manner, Some(waker));
        self.mailboxes.wait(name, self.operations.operation(slot).first_polled, slot);
        Err(slot)
    }

    /// Polls a wait for a signal again. What is handed out besides is dropped unlocked.
    pub(super) fn receive_again(&mut self, slot: Slot, waker: &Waker) -> (Option<Received>, Option<Waker>) {
        let operation = self.operations.operation(slot);
        if operation.outcome.is_some() {
            let operation = self.operations.remove(slot);
            self.saw_cancel();
            return (Some(Received::Cancelled), operation.waker);
        }
        let first_polled = operation.first_polled;
        let Kind::Signal(name) = &operation.kind else { return (None, None) };
        if let Some(message) = self.mailboxes.take(name, Some(first_polled)) {
            self.payload_bytes -= message.input.data.len();
            self.waiting -= 1;
            return (Some(Received::Message(message)), self.operations.remove(slot).waker);
        }
        self.mailboxes.wait(name, first_polled, slot);
        (None, self.remember(slot, waker))
    }

    fn put(&mut self, message: SignalReceived) -> Option<Slot> {
        self.payload_bytes += message.input.data.len();
        let arrival = self.arrival();
        self.mailboxes.put(arrival, message)
    }

    fn arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }
}
