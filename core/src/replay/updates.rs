//! Updates on their way to their handlers, and what the handlers make of them.

use std::panic::Location;
use std::task::{Context, Poll, Waker};

use super::operations::Slot;
use super::state::Manner;
use super::world::World;
use crate::command::CommandKind;
use crate::history::{
    UpdateAccepted, UpdateCompleted, UpdateFailed, UpdateRefusal, UpdateRejected, UpdateRequested,
};
use crate::vocabulary::{Failure, Payload, RequestId, UpdateName};

/// Where the handler of a name waits for the next update.
pub(crate) struct Updates {
    world: World,
    manner: Manner,
    name: UpdateName,
    waiting: Option<Slot>,
}

impl Updates {
    /// Takes the updates of a name from now on; `None` if they are taken already.
    pub(crate) fn of(world: World, manner: Manner, name: UpdateName) -> Option<Self> {
        if world.is_polled_here(manner.location) && !world.state().handle_updates(&name) {
            return None;
        }
        Some(Self { world, manner, name, waiting: None })
    }

    /// The next update.
    pub(crate) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<UpdateRequested> {
        if !self.world.is_polled_here(self.manner.location) {
            return Poll::Pending;
        }
        let mut state = self.world.state();
        let (update, released) = state.next_update(&self.name, &mut self.waiting, &self.manner, cx.waker());
        drop(state);
        drop(released);
        update.map_or(Poll::Pending, Poll::Ready)
    }
}

impl World {
    /// Says that an update was let in.
    pub(crate) fn accept_update(&self, location: &'static Location<'static>, update: &UpdateRequested) {
        let request_id = update.request_id;
        self.decide(location, CommandKind::AcceptUpdate(UpdateAccepted { request_id }));
    }

    /// Says that an update was not let in.
    pub(crate) fn reject_update(
        &self,
        location: &'static Location<'static>,
        update: &UpdateRequested,
        refusal: UpdateRefusal,
        failure: Failure,
    ) {
        let request_id = update.request_id;
        self.decide(location, CommandKind::RejectUpdate(UpdateRejected { request_id, refusal, failure }));
    }

    /// Says what came of an update that was let in.
    pub(crate) fn end_update(
        &self,
        location: &'static Location<'static>,
        request_id: RequestId,
        outcome: Result<Payload, Failure>,
    ) {
        let command = match outcome {
            Ok(result) => CommandKind::CompleteUpdate(UpdateCompleted { request_id, result }),
            Err(failure) => CommandKind::FailUpdate(UpdateFailed { request_id, failure }),
        };
        self.decide(location, command);
    }

    /// Whether handlers run, or are about to; the waker is woken when they have ended.
    pub(crate) fn handlers_run(&self, waker: &Waker) -> bool {
        self.state().handlers_run(waker)
    }

    /// A handler that answers nobody begins.
    pub(crate) fn handler_begins(&self, location: &'static Location<'static>) {
        if self.is_polled_here(location) {
            self.state().handler_begins();
        }
    }

    /// A handler that answers nobody has ended.
    pub(crate) fn handler_ends(&self, location: &'static Location<'static>) {
        if self.is_polled_here(location) {
            let woken = self.state().handler_ends();
            woken.into_iter().for_each(Waker::wake);
        }
    }

    fn decide(&self, location: &'static Location<'static>, command: CommandKind) {
        if self.is_polled_here(location) {
            let woken = self.state().decide(command, location);
            woken.into_iter().for_each(Waker::wake);
        }
    }
}
