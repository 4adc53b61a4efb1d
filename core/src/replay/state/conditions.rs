//! Conditions that the code waits for: asked again whenever it has moved and rests.

use std::task::Waker;

use super::super::operations::{Kind, Reach, Resolution, Slot};
use super::{Aftermath, Manner, Released, State};
use crate::vocabulary::EventId;

impl State {
    /// A condition that is not met is waited for.
    pub(in crate::replay) fn await_condition(&mut self, manner: &Manner, waker: &Waker) -> Slot {
        let slot = self.insert(Kind::Condition, EventId(0), manner, Some(waker));
        self.conditions.insert(self.operations.operation(slot).first_polled, slot);
        slot
    }

    /// Whether the wait is over because it was cancelled; otherwise remembers whom to wake.
    pub(in crate::replay) fn condition_cancelled(
        &mut self,
        slot: Slot,
        waker: &Waker,
    ) -> (Option<Reach>, Released) {
        match self.operations.operation(slot).outcome.take() {
            Some(resolution) => {
                self.see(&resolution);
                let reach = match resolution {
                    Resolution::Cancelled(reach) => reach,
                    _ => Reach::Run,
                };
                (Some(reach), Released::operation(self.release(slot)))
            }
            None => (None, self.remember(slot, waker)),
        }
    }

    /// A condition is met: what follows may meet others.
    pub(in crate::replay) fn condition_met(&mut self, slot: Slot) -> Released {
        self.conditions_met = true;
        self.let_go(slot)
    }

    /// Whether one was met since this was last asked.
    pub(in crate::replay) fn take_conditions_met(&mut self) -> bool {
        std::mem::take(&mut self.conditions_met)
    }

    /// Wakes all who wait for a condition, in the order in which they began to.
    pub(in crate::replay) fn wake_conditions(&mut self, aftermath: &mut Aftermath) {
        let waiting: Vec<Slot> = self.conditions.values().copied().collect();
        waiting.into_iter().for_each(|slot| self.wake(slot, aftermath));
    }
}
