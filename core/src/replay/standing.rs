//! Waiting for what only the code itself can bring about, or a cancel request; and tasks of its own.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::future::BoxFuture;

use super::Conclusion;
use super::operations::{Reach, Slot};
use super::presence::{self, Doing};
use super::state::Manner;
use super::world::World;
use crate::vocabulary::Failure;

/// What a [`Wait`] waits for.
pub(crate) trait Wanted {
    /// Whether it is so. If not, whoever may bring it about will wake this one.
    fn is_so(&mut self, waker: &Waker) -> bool;
}

/// Waits until it is so: asks when it is polled, and stands in the order of what a cancel request ends.
pub(crate) struct Wait<W> {
    world: World,
    manner: Manner,
    wanted: W,
    stage: Stage,
}

enum Stage {
    Unpolled,
    Waiting(Slot),
    Ended,
}

/// Never pinned through.
impl<W> Unpin for Wait<W> {}

impl<W: Wanted> Wait<W> {
    pub(crate) fn new(world: World, manner: Manner, wanted: W) -> Self {
        Self { world, manner, wanted, stage: Stage::Unpolled }
    }

    fn first_poll(&mut self, cx: &Context<'_>) -> Poll<Result<(), Reach>> {
        {
            let mut state = self.world.state();
            state.location = Some(self.manner.location);
            if state.cancels(&self.manner) {
                return Poll::Ready(Err(Reach::Run));
            }
        }
        if self.wanted.is_so(cx.waker()) {
            return Poll::Ready(Ok(()));
        }
        self.stage = Stage::Waiting(self.world.state().stand(&self.manner, cx.waker()));
        Poll::Pending
    }

    fn poll_again(&mut self, slot: Slot, cx: &Context<'_>) -> Poll<Result<(), Reach>> {
        let (cancelled, released) = self.world.state().stand_again(slot, cx.waker());
        drop(released);
        if let Some(reach) = cancelled {
            return Poll::Ready(Err(reach));
        }
        self.stage = Stage::Waiting(slot);
        if !self.wanted.is_so(cx.waker()) {
            return Poll::Pending;
        }
        self.stage = Stage::Ended;
        super::call::let_go(&self.world, &self.manner, slot);
        Poll::Ready(Ok(()))
    }
}

impl<W: Wanted> Future for Wait<W> {
    type Output = Result<(), Reach>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.world.is_polled_here(self.manner.location) {
            return Poll::Pending;
        }
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Unpolled => self.first_poll(cx),
            Stage::Waiting(slot) => self.poll_again(slot, cx),
            Stage::Ended => panic!("a wait for a condition was polled after it had ended"),
        }
    }
}

impl<W> Drop for Wait<W> {
    fn drop(&mut self) {
        if let Stage::Waiting(slot) = self.stage {
            super::call::let_go(&self.world, &self.manner, slot);
        }
    }
}

impl World {
    /// Adds a task to those of the run: it is polled after those that are woken already, and before the main body.
    pub(crate) fn spawn(&self, location: &'static Location<'static>, task: BoxFuture<'static, ()>) {
        if self.is_polled_here(location) {
            self.spawner().spawn(task);
        }
    }

    /// Fails the run, though its main body goes on: nothing of the code is polled any more.
    pub(crate) fn fail(&self, location: &'static Location<'static>, failure: Failure) {
        if self.is_polled_here(location) {
            self.state().conclusion.get_or_insert(Conclusion::Failed(failure));
            self.spawner().stop();
        }
    }

    /// Whether the code may change what it shares: not in a query. Elsewhere than in the machine, that is noted.
    pub(crate) fn may_change(&self, location: &'static Location<'static>) -> bool {
        self.is_polled_here(location) || presence::doing(self.machine()) != Some(Doing::Querying)
    }
}
