//! Signals: taken by the code, or left for it.

use std::task::Waker;

use super::super::operations::{Kind, Slot};
use super::{Aftermath, Manner, Received, Released, State};
use crate::command::CommandKind;
use crate::history::{SignalReceived, SignalSetAside};
use crate::vocabulary::{EventId, SignalName};

impl State {
    /// Polls a wait for a signal for the first time: takes the first message, or stands in line.
    pub(in crate::replay) fn receive(
        &mut self,
        name: &SignalName,
        manner: &Manner,
        waker: &Waker,
    ) -> Result<SignalReceived, Slot> {
        if let Some(message) = self.take_signal(name) {
            return Ok(message);
        }
        let slot = self.insert(Kind::Signal(name.clone()), EventId(0), manner, Some(waker));
        self.mailboxes.wait(name, self.operations.operation(slot).first_polled, slot);
        Err(slot)
    }

    /// Polls a wait for a signal again.
    pub(in crate::replay) fn receive_again(
        &mut self,
        slot: Slot,
        waker: &Waker,
    ) -> (Option<Received>, Released) {
        let operation = self.operations.operation(slot);
        if let Some(resolution) = operation.outcome.take() {
            self.see(&resolution);
            return (Some(Received::Cancelled), Released::operation(self.release(slot)));
        }
        let first_polled = operation.first_polled;
        let Kind::Signal(name) = &operation.kind else { return (None, Released::default()) };
        if let Some(message) = self.mailboxes.take(name, Some(first_polled)) {
            self.payload_bytes -= message.input.data.len();
            self.waiting -= 1;
            let released = Released::operation(self.release(slot));
            return (Some(Received::Message(message)), released);
        }
        self.mailboxes.wait(name, first_polled, slot);
        (None, self.remember(slot, waker))
    }

    /// Takes the first message of a name, if there is one.
    pub(in crate::replay) fn take_signal(&mut self, name: &SignalName) -> Option<SignalReceived> {
        let message = self.mailboxes.take(name, None)?;
        self.payload_bytes -= message.input.data.len();
        Some(message)
    }

    /// The code has taken a message that is not of its type.
    pub(in crate::replay) fn set_signal_aside(&mut self, body: SignalSetAside, manner: &Manner) {
        self.command(CommandKind::SetSignalAside(body), Some(manner.location));
    }

    pub(super) fn put(&mut self, message: SignalReceived) -> Option<Slot> {
        self.payload_bytes += message.input.data.len();
        let arrival = self.arrival();
        self.mailboxes.put(arrival, message)
    }

    /// Wakes for messages that those who were woken for them have not taken though all rests: whoever waits behind.
    pub(in crate::replay) fn wake_overlooked(&mut self, aftermath: &mut Aftermath) {
        for slot in self.mailboxes.overlooked() {
            self.wake(slot, aftermath);
        }
    }
}
