//! The future behind every wait for a signal, and what can be done with signals without waiting.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::call::let_go;
use super::operations::Slot;
use super::state::{Manner, Received};
use super::world::World;
use crate::history::{SignalReceived, SignalSetAside};
use crate::vocabulary::{PayloadError, SignalName};

/// Takes the next message of a name when it is polled ready; dropped before that, it takes none.
pub(crate) struct Receive {
    world: World,
    manner: Manner,
    name: SignalName,
    stage: Stage,
}

enum Stage {
    Unpolled,
    Waiting(Slot),
    Ended,
}

impl Receive {
    pub(crate) fn new(world: World, manner: Manner, name: SignalName) -> Self {
        Self { world, manner, name, stage: Stage::Unpolled }
    }

    fn first_poll(&mut self, cx: &Context<'_>) -> Poll<Received> {
        let mut state = self.world.state();
        state.location = Some(self.manner.location);
        if state.cancels(&self.manner) {
            return Poll::Ready(Received::Cancelled);
        }
        match state.receive(&self.name, &self.manner, cx.waker()) {
            Ok(message) => Poll::Ready(Received::Message(message)),
            Err(slot) => {
                self.stage = Stage::Waiting(slot);
                Poll::Pending
            }
        }
    }
}

impl World {
    /// Takes the first message of a name, if there is one.
    pub(crate) fn take_signal(&self, name: &SignalName, manner: &Manner) -> Option<SignalReceived> {
        if !self.is_polled_here(manner.location) {
            return None;
        }
        let mut state = self.state();
        state.location = Some(manner.location);
        state.take_signal(name)
    }

    /// Notes in history that a message was taken that is not of the type asked for.
    pub(crate) fn set_signal_aside(&self, message: &SignalReceived, error: &PayloadError, manner: &Manner) {
        let (signal, request_id) = (message.signal.clone(), message.request_id);
        let reason = error.to_string().into();
        self.state().set_signal_aside(SignalSetAside { signal, request_id, reason }, manner);
    }
}

impl Future for Receive {
    type Output = Received;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Received> {
        if !self.world.is_polled_here(self.manner.location) {
            return Poll::Pending;
        }
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Unpolled => self.first_poll(cx),
            Stage::Waiting(slot) => {
                let (received, released) = self.world.state().receive_again(slot, cx.waker());
                drop(released);
                match received {
                    Some(received) => Poll::Ready(received),
                    None => {
                        self.stage = Stage::Waiting(slot);
                        Poll::Pending
                    }
                }
            }
            Stage::Ended => panic!("a wait for a signal was polled after it had ended"),
        }
    }
}

impl Drop for Receive {
    fn drop(&mut self) {
        if let Stage::Waiting(slot) = self.stage {
            let_go(&self.world, &self.manner, slot);
        }
    }
}
