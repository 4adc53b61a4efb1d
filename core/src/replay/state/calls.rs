//! Calls that become commands: issued, polled, let go of, ended.

use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;

use super::super::operations::{Kind, Operation, Reach, Resolution, Slot};
use super::{Aftermath, Manner, Released, Request, State};
use crate::command::{Command, CommandKind};
use crate::history::{ActivityCancellation, ActivityScheduled, ChildWorkflowDropped};
use crate::vocabulary::{EventId, FailureKind, Timestamp};

impl State {
    /// Issues the command of a call. A waker says that a future waits for the outcome.
    pub(in crate::replay) fn issue(
        &mut self,
        request: Request,
        manner: &Manner,
        waker: Option<&Waker>,
    ) -> Slot {
        let event = self.next_id;
        let (mut step, mut cancellation) = (None, ActivityCancellation::default());
        // Nothing more will be heard of it, and nobody waits.
        let mut unheard = false;
        let (kind, command) = match request {
            Request::Activity(body) => {
                cancellation = body.cancellation;
                (Kind::Activity(None), CommandKind::ScheduleActivity(body))
            }
            Request::Step(body, does) => {
                step = Some(does);
                (Kind::Activity(None), CommandKind::ScheduleActivity(body))
            }
            Request::SleepFor(duration) => self.timer(self.now + duration, event),
            Request::SleepUntil(due) => self.timer(due, event),
            Request::SideEffect(closure) => {
                (Kind::SideEffect(Some(closure)), CommandKind::ScheduleSideEffect)
            }
            Request::Child(request) => {
                unheard = request.body.unheard;
                let (kind, command);
                (kind, cancellation, command) = self.schedule_child(*request, event);
                (kind, command)
            }
            Request::ExternalSignal(body) => {
                unheard = body.unheard;
                (Kind::External, CommandKind::SignalExternal(body))
            }
            Request::ExternalCancel(body) => {
                unheard = body.unheard;
                (Kind::External, CommandKind::CancelExternal(body))
            }
        };
        self.command(command, Some(manner.location));
        let slot = self.insert(kind, event, manner, waker);
        let operation = self.operations.operation(slot);
        (operation.step, operation.cancellation) = (step, cancellation);
        if unheard {
            self.operations.close(event);
            // Nothing of the user's is in it.
            drop(self.release(slot));
        }
        slot
    }

    /// Gives a call its headers: those of its context, else the run's own.
    pub(in crate::replay) fn carry(&self, manner: &Manner, request: &mut Request) {
        let headers = match request {
            Request::Activity(body) | Request::Step(body, _) => &mut Arc::make_mut(body).headers,
            Request::Child(child) => &mut child.body.headers,
            Request::ExternalSignal(body) => &mut body.headers,
            _ => return,
        };
        let of_run = || self.started.as_ref().map(|started| started.headers.clone());
        *headers = manner.headers.clone().or_else(of_run).unwrap_or_default();
    }

    fn timer(&mut self, due: Timestamp, event: EventId) -> (Kind, CommandKind) {
        self.timers.insert((due, event));
        (Kind::Timer(due), CommandKind::StartTimer { due })
    }

    pub(super) fn insert(
        &mut self,
        kind: Kind,
        event: EventId,
        manner: &Manner,
        waker: Option<&Waker>,
    ) -> Slot {
        let first_polled = self.first_polls;
        self.first_polls += 1;
        let slot = self.operations.insert(Operation {
            kind,
            event,
            location: manner.location,
            shielded: manner.shielded,
            scope: manner.scope.clone().filter(|_| waker.is_some()),
            first_polled,
            attached: waker.is_some(),
            asked: None,
            waker: waker.cloned(),
            outcome: None,
            step: None,
            cancellation: ActivityCancellation::default(),
        });
        let operation = self.operations.operation(slot);
        self.waiting += usize::from(operation.can_wake());
        if let Some(scope) = &operation.scope {
            scope.enter(first_polled, slot);
        }
        slot
    }

    /// Frees a slot that nothing refers to any more, as [`Operations::remove`](super::super::operations::Operations::remove).
    #[must_use]
    pub(super) fn release(&mut self, slot: Slot) -> Operation {
        let operation = self.operations.remove(slot);
        if let Some(scope) = &operation.scope {
            scope.leave(operation.first_polled);
        }
        operation
    }

    /// Takes the outcome of a call and frees it, or remembers whom to wake.
    pub(in crate::replay) fn poll(&mut self, slot: Slot, waker: &Waker) -> (Option<Resolution>, Released) {
        let Some(resolution) = self.operations.operation(slot).outcome.take() else {
            return (None, self.remember(slot, waker));
        };
        self.see(&resolution);
        let released = match &resolution {
            Resolution::Started(_) => self.hold(slot),
            _ => Released::operation(self.release(slot)),
        };
        (Some(resolution), released)
    }

    /// The code learns how an await has ended.
    pub(super) fn see(&mut self, resolution: &Resolution) {
        if matches!(resolution, Resolution::Cancelled(Reach::Run)) {
            self.saw_cancel();
        }
    }

    /// Remembers whom to wake; hands the one before out.
    pub(super) fn remember(&mut self, slot: Slot, waker: &Waker) -> Released {
        let held = &mut self.operations.operation(slot).waker;
        if held.as_ref().is_some_and(|held| held.will_wake(waker)) {
            return Released::default();
        }
        Released::waker(held.replace(waker.clone()))
    }

    /// The code lets go of a call; cancels it if its outcome is still to come.
    pub(in crate::replay) fn let_go(&mut self, slot: Slot) -> Released {
        let operation = self.operations.operation(slot);
        let (event, location) = (operation.event, operation.location);
        let open = self.operations.open(event) == Some(slot);
        if open && self.cancellation_of(slot) == ActivityCancellation::Abandon {
            return self.leave_running(slot);
        }
        self.waiting -= usize::from(self.operations.operation(slot).can_wake());
        if self.operations.close(event).is_some() {
            self.cancel_command(slot, event, location);
        }
        self.leave(slot);
        let operation = self.release(slot);
        Released::operation(operation)
    }

    /// A wait that is no call is over.
    pub(super) fn leave(&mut self, slot: Slot) {
        let operation = self.operations.operation(slot);
        match &operation.kind {
            Kind::Signal(name) => self.mailboxes.leave(name, operation.first_polled),
            Kind::Activity(_)
            | Kind::Timer(_)
            | Kind::SideEffect(_)
            | Kind::Updates
            | Kind::Standing
            | Kind::Child(_)
            | Kind::External => {}
        }
    }

    /// Takes a place in the order of first polls for what only the code itself can bring about.
    pub(in crate::replay) fn stand(&mut self, manner: &Manner, waker: &Waker) -> Slot {
        self.insert(Kind::Standing, EventId(0), manner, Some(waker))
    }

    /// Keeps the place, unless a cancellation has ended that.
    pub(in crate::replay) fn stand_again(&mut self, slot: Slot, waker: &Waker) -> (Option<Reach>, Released) {
        match self.operations.operation(slot).outcome.take() {
            Some(resolution) => {
                self.see(&resolution);
                let reach = match resolution {
                    Resolution::Cancelled(reach) => reach,
                    _ => unreachable!("nothing from outside resolves it"),
                };
                (Some(reach), Released::operation(self.release(slot)))
            }
            None => (None, self.remember(slot, waker)),
        }
    }

    /// The code no longer waits for a call that goes on.
    pub(in crate::replay) fn detach(&mut self, slot: Slot) -> Released {
        let operation = self.operations.operation(slot);
        self.waiting -= usize::from(operation.waits());
        if operation.outcome.is_some() {
            return Released::operation(self.release(slot));
        }
        operation.attached = false;
        let (first_polled, scope) = (operation.first_polled, operation.scope.take());
        let waker = operation.waker.take();
        if let Some(scope) = scope {
            scope.leave(first_polled);
        }
        Released::waker(waker)
    }

    /// All calls, for good: the code has ended, or is thrown away. Dropped unlocked.
    #[must_use]
    pub(in crate::replay) fn abandon(&mut self) -> Vec<Option<Operation>> {
        self.timers.clear();
        self.updates.close();
        self.limits.clear();
        self.waiting = 0;
        self.operations.take_all()
    }

    pub(super) fn resolve(
        &mut self,
        event: EventId,
        resolution: Resolution,
        aftermath: &mut Aftermath,
    ) -> Result<(), EventId> {
        // An outcome that comes after its call was let go of concerns nobody.
        let Some(slot) = self.operations.open(event) else { return Ok(()) };
        let resolution = self.or_cancelled(slot, resolution);
        match (&self.operations.operation(slot).kind, &resolution) {
            (Kind::Activity(_), Resolution::Value(_) | Resolution::Failed(_) | Resolution::Cancelled(_))
            | (Kind::Timer(_), Resolution::Fired)
            | (Kind::SideEffect(_), Resolution::Recorded(_))
            | (Kind::External, Resolution::Delivered | Resolution::Refused)
            | (
                Kind::Child(_),
                Resolution::Value(_)
                | Resolution::Failed(_)
                | Resolution::Cancelled(_)
                | Resolution::IdTaken(_)
                | Resolution::ChildCancelled
                | Resolution::Terminated(_)
                | Resolution::TimedOut,
            ) => {}
            _ => return Err(event),
        }
        let Some(resolution) = self.keep_for_later(slot, resolution, aftermath) else { return Ok(()) };
        self.operations.close(event);
        self.forget(slot, event);
        let operation = self.operations.operation(slot);
        if operation.attached {
            operation.outcome = Some(resolution);
            self.waiting -= 1;
            self.wake(slot, aftermath);
        } else {
            aftermath.dropped.push(self.release(slot));
        }
        Ok(())
    }

    /// An activity that was asked to stop and says that it has is a call that was cancelled.
    fn or_cancelled(&mut self, slot: Slot, resolution: Resolution) -> Resolution {
        match (&resolution, self.operations.operation(slot).asked) {
            (Resolution::Failed(failure), Some(reach)) if failure.kind == FailureKind::Cancelled => {
                Resolution::Cancelled(reach)
            }
            (Resolution::ChildCancelled, Some(reach)) => Resolution::Cancelled(reach),
            _ => resolution,
        }
    }

    /// Forgets what belongs to an open call of this kind.
    fn forget(&mut self, slot: Slot, event: EventId) {
        match &self.operations.operation(slot).kind {
            Kind::Timer(due) => {
                self.timers.remove(&(*due, event));
            }
            Kind::Activity(Some(body)) => {
                self.payload_bytes -= body.input.data.len();
                self.limits.remove(event, body);
            }
            Kind::Activity(None) | Kind::SideEffect(_) => {}
            Kind::Signal(_) | Kind::Updates | Kind::Standing | Kind::Child(_) | Kind::External => {}
        }
    }

    pub(super) fn wake(&mut self, slot: Slot, aftermath: &mut Aftermath) {
        aftermath.wakers.extend(self.operations.operation(slot).waker.take());
    }

    pub(super) fn command(&mut self, kind: CommandKind, location: Option<&'static Location<'static>>) {
        self.issued.push_back(Command { kind, location });
        self.next_id = self.patches.skip(self.next_id.next());
    }

    pub(super) fn cancel_command(
        &mut self,
        slot: Slot,
        event: EventId,
        location: &'static Location<'static>,
    ) {
        self.forget(slot, event);
        let command = match &self.operations.operation(slot).kind {
            Kind::Activity(_) => CommandKind::CancelActivity { scheduled: event },
            Kind::Timer(_) => CommandKind::CancelTimer { started: event },
            Kind::Child(child) => CommandKind::DropChild(ChildWorkflowDropped {
                scheduled: event,
                workflow_id: child.workflow_id.clone(),
                run_id: child.run_id,
            }),
            // Nothing needs to be undone: what comes of it will be recorded, or not, and read by nobody.
            Kind::External | Kind::SideEffect(_) | Kind::Signal(_) | Kind::Updates | Kind::Standing => {
                return;
            }
        };
        self.command(command, Some(location));
    }

    /// An activity's command has become an event: as long as it is open, what the event says is kept.
    pub(in crate::replay) fn recorded(
        &mut self,
        event: EventId,
        at: Timestamp,
        body: &Arc<ActivityScheduled>,
    ) {
        let Some(slot) = self.operations.open(event) else { return };
        if let Kind::Activity(held) = &mut self.operations.operation(slot).kind {
            let body = held.insert(body.clone());
            self.payload_bytes += body.input.data.len();
            self.limits.insert(event, at, body);
        }
    }
}
