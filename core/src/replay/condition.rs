//! The future behind every wait for a condition over state that branches share.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::call::let_go;
use super::operations::{Reach, Slot};
use super::state::Manner;
use super::world::World;

/// Asks whether it is so when it is polled, and is woken to ask again whenever the code has moved and rests.
pub(crate) struct Condition<F> {
    world: World,
    manner: Manner,
    is_so: F,
    stage: Stage,
}

enum Stage {
    Unpolled,
    Waiting(Slot),
    Ended,
}

/// Never pinned through.
impl<F> Unpin for Condition<F> {}

impl<F: FnMut() -> bool> Condition<F> {
    pub(crate) fn new(world: World, manner: Manner, is_so: F) -> Self {
        Self { world, manner, is_so, stage: Stage::Unpolled }
    }

    fn first_poll(&mut self, cx: &Context<'_>) -> Poll<Result<(), Reach>> {
        {
            let mut state = self.world.state();
            state.location = Some(self.manner.location);
            if state.cancels(&self.manner) {
                return Poll::Ready(Err(Reach::Run));
            }
        }
        if (self.is_so)() {
            return Poll::Ready(Ok(()));
        }
        self.stage = Stage::Waiting(self.world.state().await_condition(&self.manner, cx.waker()));
        Poll::Pending
    }

    fn poll_again(&mut self, slot: Slot, cx: &Context<'_>) -> Poll<Result<(), Reach>> {
        let (cancelled, released) = self.world.state().condition_cancelled(slot, cx.waker());
        drop(released);
        if let Some(reach) = cancelled {
            return Poll::Ready(Err(reach));
        }
        self.stage = Stage::Waiting(slot);
        if !(self.is_so)() {
            return Poll::Pending;
        }
        self.stage = Stage::Ended;
        let released = self.world.state().condition_met(slot);
        drop(released);
        Poll::Ready(Ok(()))
    }
}

impl<F: FnMut() -> bool> Future for Condition<F> {
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

impl<F> Drop for Condition<F> {
    fn drop(&mut self) {
        if let Stage::Waiting(slot) = self.stage {
            let_go(&self.world, &self.manner, slot);
        }
    }
}
