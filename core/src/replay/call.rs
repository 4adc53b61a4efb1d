//! The future behind every call that becomes a command.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::operations::{Reach, Resolution, Slot};
use super::state::{Manner, Request};
use super::world::World;

/// A lazy call: issues its command when it is first polled, and cancels it when it is dropped before its outcome.
///
/// A drop counts only while the machine polls the code, and not while a panic unwinds it.
pub(crate) struct Call {
    world: World,
    manner: Manner,
    stage: Stage,
}

enum Stage {
    Unpolled(Request),
    /// A child that has started, whose end was not asked for yet.
    Held(Slot),
    Issued(Slot),
    Ended,
}

impl Call {
    pub(crate) fn new(world: World, manner: Manner, request: Request) -> Self {
        Self { world, manner, stage: Stage::Unpolled(request) }
    }

    /// The wait for the end of a child that is held.
    pub(super) fn held(world: World, manner: Manner, slot: Option<Slot>) -> Self {
        Self { world, manner, stage: slot.map_or(Stage::Ended, Stage::Held) }
    }

    /// What will be asked for, until it has been.
    pub(crate) fn request(&mut self) -> Option<&mut Request> {
        match &mut self.stage {
            Stage::Unpolled(request) => Some(request),
            Stage::Held(_) | Stage::Issued(_) | Stage::Ended => None,
        }
    }

    /// Issues the command at once, if polling has not, and lets go without cancelling. `None` if the run is cancelled.
    pub(crate) fn detach(mut self) -> Option<()> {
        if !self.world.is_polled_here(self.manner.location) {
            return Some(());
        }
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Unpolled(request) => self.issue(request, None).map(|_| ()),
            Stage::Issued(slot) => {
                let released = self.world.state().detach(slot);
                drop(released);
                Some(())
            }
            Stage::Held(slot) => {
                super::child::unhold(&self.world, &self.manner, slot);
                Some(())
            }
            Stage::Ended => Some(()),
        }
    }

    fn poll_issued(&mut self, slot: Slot, cx: &Context<'_>) -> Poll<Resolution> {
        let (resolution, released) = self.world.state().poll(slot, cx.waker());
        drop(released);
        match resolution {
            Some(resolution) => Poll::Ready(resolution),
            None => {
                self.stage = Stage::Issued(slot);
                Poll::Pending
            }
        }
    }

    fn issue(&self, mut request: Request, cx: Option<&Context<'_>>) -> Option<Slot> {
        let mut state = self.world.state();
        state.location = Some(self.manner.location);
        if state.cancels(&self.manner) {
            // Released first: the request may hold a closure of the user, which is dropped here.
            drop(state);
            return None;
        }
        state.carry(&self.manner, &mut request);
        if let Some(around) = state.around.clone() {
            // Code of the user runs in there.
            drop(state);
            around.outbound(&self.world, &self.manner, &mut request);
            state = self.world.state();
        }
        Some(state.issue(request, &self.manner, cx.map(Context::waker)))
    }
}

impl Future for Call {
    type Output = Resolution;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Resolution> {
        if !self.world.is_polled_here(self.manner.location) {
            return Poll::Pending;
        }
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Unpolled(request) => match self.issue(request, Some(cx)) {
                Some(slot) => {
                    self.stage = Stage::Issued(slot);
                    Poll::Pending
                }
                None => Poll::Ready(Resolution::Cancelled(Reach::Run)),
            },
            Stage::Held(slot) => {
                self.world.state().attach(slot, &self.manner, cx.waker());
                self.poll_issued(slot, cx)
            }
            Stage::Issued(slot) => self.poll_issued(slot, cx),
            Stage::Ended => panic!("a call was polled after it had ended"),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        match self.stage {
            Stage::Issued(slot) => let_go(&self.world, &self.manner, slot),
            Stage::Held(slot) => super::child::unhold(&self.world, &self.manner, slot),
            Stage::Unpolled(_) | Stage::Ended => {}
        }
    }
}

/// Lets go of what a future stood for, as far as its drop counts.
pub(super) fn let_go(world: &World, manner: &Manner, slot: Slot) {
    if std::thread::panicking() || !world.is_polled_here(manner.location) {
        return;
    }
    let released = world.state().let_go(slot);
    drop(released);
}
