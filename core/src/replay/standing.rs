//! Waiting for nothing of ours but a cancel request: what the code waits for by itself, and tasks of its own.

use std::panic::Location;
use std::task::Waker;

use futures::future::BoxFuture;

use super::operations::Slot;
use super::presence::{self, Doing};
use super::state::Manner;
use super::world::World;

/// A place in the order of what a cancel request ends.
pub(crate) struct Standing(Slot);

/// What a wait came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stood {
    Waits,
    Cancelled,
}

impl Stood {
    pub(crate) fn is_cancelled(self) -> bool {
        self == Self::Cancelled
    }
}

impl World {
    /// Takes a place among what a cancel request ends, or keeps it. The thread polls the code.
    pub(crate) fn stand(&self, manner: &Manner, standing: &mut Option<Standing>, waker: &Waker) -> Stood {
        let mut state = self.state();
        state.location = Some(manner.location);
        let (cancelled, released) = match standing.take() {
            None if state.cancels(manner) => return Stood::Cancelled,
            None => {
                *standing = Some(Standing(state.stand(manner, waker)));
                return Stood::Waits;
            }
            Some(Standing(slot)) => {
                let (cancelled, released) = state.stand_again(slot, waker);
                if !cancelled {
                    *standing = Some(Standing(slot));
                }
                (cancelled, released)
            }
        };
        drop(state);
        drop(released);
        if cancelled { Stood::Cancelled } else { Stood::Waits }
    }

    /// Gives the place up.
    pub(crate) fn sit_down(&self, manner: &Manner, standing: &mut Option<Standing>) {
        if let Some(Standing(slot)) = standing.take() {
            super::call::let_go(self, manner, slot);
        }
    }

    /// Adds a task to those of the run: it is polled after those that are woken already, and before the main body.
    pub(crate) fn spawn(&self, location: &'static Location<'static>, task: BoxFuture<'static, ()>) {
        if self.is_polled_here(location) {
            self.spawner().spawn(task);
        }
    }

    /// Whether the code may change what it shares: not in a query. Elsewhere than in the machine, that is noted.
    pub(crate) fn may_change(&self, location: &'static Location<'static>) -> bool {
        self.is_polled_here(location) || presence::doing(self.machine()) != Some(Doing::Querying)
    }
}
