//! A child that was started and is not awaited: what stands for it, until its result is awaited or it is let go of.

use super::call::Call;
use super::operations::Slot;
use super::state::Manner;
use super::world::World;
use crate::vocabulary::{RunId, WorkflowId};

/// A started child. Dropping it lets go of the child without cancelling it.
pub(crate) struct HeldChild {
    world: World,
    manner: Manner,
    slot: Option<Slot>,
}

/// What is known of a child that has started.
#[derive(Debug)]
pub(crate) struct StartedChild {
    pub(super) slot: Slot,
    pub(crate) workflow_id: WorkflowId,
    pub(crate) run_id: RunId,
}

impl HeldChild {
    pub(crate) fn new(world: World, manner: Manner, started: &StartedChild) -> Self {
        Self { world, manner, slot: Some(started.slot) }
    }

    /// The wait for how it ends.
    pub(crate) fn call(mut self, manner: Manner) -> Call {
        Call::held(self.world.clone(), manner, self.slot.take())
    }
}

impl Drop for HeldChild {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            unhold(&self.world, &self.manner, slot);
        }
    }
}

/// Lets go of a held child as far as that counts.
pub(super) fn unhold(world: &World, manner: &Manner, slot: Slot) {
    if std::thread::panicking() || !world.is_polled_here(manner.location) {
        return;
    }
    let released = world.state().unhold(slot);
    drop(released);
}
