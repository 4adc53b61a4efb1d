//! Calls that become commands: issued, polled, let go of, ended.

use std::panic::Location;
use std::task::Waker;

use super::super::operations::{Kind, Operation, Resolution, Slot};
use super::{Aftermath, Manner, Released, Request, State};
use crate::command::{Command, CommandKind};
use crate::history::{ActivityCancellation, ActivityScheduled};
use crate::vocabulary::{EventId, FailureKind, Timestamp};

impl State {
    /// Issues the command of a call. A waker says that a future waits for the outcome.
    pub(in crate::replay) fn issue(
        &mut self,
        request: Request,
        manner: Manner,
        waker: Option<&Waker>,
    ) -> Slot {
        let event = self.next_id;
        let (kind, command) = match request {
            Request::Activity(body) => (Kind::Activity(None), CommandKind::ScheduleActivity(*body)),
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

    pub(super) fn insert(
        &mut self,
        kind: Kind,
        event: EventId,
        manner: Manner,
        waker: Option<&Waker>,
    ) -> Slot {
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
            asked: false,
            waker: waker.cloned(),
            outcome: None,
        })
    }

    /// Takes the outcome of a call and frees it, or remembers whom to wake.
    pub(in crate::replay) fn poll(&mut self, slot: Slot, waker: &Waker) -> (Option<Resolution>, Released) {
        let Some(resolution) = self.operations.operation(slot).outcome.take() else {
            return (None, self.remember(slot, waker));
        };
        if matches!(resolution, Resolution::Cancelled) {
            self.saw_cancel();
        }
        (Some(resolution), Released::operation(self.operations.remove(slot)))
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
        self.waiting -= usize::from(self.operations.operation(slot).waits());
        if self.operations.close(event).is_some() {
            self.cancel_command(slot, event, location);
        }
        let operation = self.operations.remove(slot);
        if let Kind::Signal(name) = &operation.kind {
            self.mailboxes.leave(name, operation.first_polled);
        }
        Released::operation(operation)
    }

    /// The code no longer waits for a call that goes on.
    pub(in crate::replay) fn detach(&mut self, slot: Slot) -> Released {
        let operation = self.operations.operation(slot);
        self.waiting -= usize::from(operation.waits());
        if operation.outcome.is_some() {
            return Released::operation(self.operations.remove(slot));
        }
        operation.attached = false;
        Released::waker(operation.waker.take())
    }

    /// All calls, for good: the code has ended, or is thrown away. Dropped unlocked.
    #[must_use]
    pub(in crate::replay) fn abandon(&mut self) -> Vec<Option<Operation>> {
        self.timers.clear();
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
            (Kind::Activity(_), Resolution::Value(_) | Resolution::Failed(_) | Resolution::Cancelled)
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

    /// An activity that was asked to stop and says that it has is a call that was cancelled.
    fn or_cancelled(&mut self, slot: Slot, resolution: Resolution) -> Resolution {
        match &resolution {
            Resolution::Failed(failure)
                if failure.kind == FailureKind::Cancelled && self.operations.operation(slot).asked =>
            {
                Resolution::Cancelled
            }
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
            Kind::Activity(None) | Kind::SideEffect(_) | Kind::Signal(_) => {}
        }
    }

    pub(super) fn wake(&mut self, slot: Slot, aftermath: &mut Aftermath) {
        aftermath.wakers.extend(self.operations.operation(slot).waker.take());
    }

    pub(super) fn command(&mut self, kind: CommandKind, location: Option<&'static Location<'static>>) {
        self.issued.push_back(Command { kind, location });
        self.next_id = self.next_id.next();
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
            // Nothing needs to be undone: its value will be recorded, or not, and read by nobody.
            Kind::SideEffect(_) | Kind::Signal(_) => return,
        };
        self.command(command, Some(location));
    }

    /// An activity's command has become an event: as long as it is open, what the event says is kept.
    pub(in crate::replay) fn recorded(
        &mut self,
        event: EventId,
        at: Timestamp,
        body: impl FnOnce() -> ActivityScheduled,
    ) {
        let Some(slot) = self.operations.open(event) else { return };
        if let Kind::Activity(held) = &mut self.operations.operation(slot).kind {
            let body = held.insert(Box::new(body()));
            self.payload_bytes += body.input.data.len();
            self.limits.insert(event, at, body);
        }
    }
}
