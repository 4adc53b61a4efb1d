//! The handle through which the machine and the code's futures meet.

use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::around::Around;
use super::foreign::{Foreign, Lookout};
use super::presence::{self, Doing, MachineId};
use super::state::State;
use super::tasks::Spawner;
use crate::history::WorkflowStarted;
use crate::vocabulary::{EventId, PatchId, Payload, RunKey, Timestamp};

/// A run as its code sees it; cheap to clone. Given to [`Definition::launch`](super::Definition::launch).
#[derive(Clone)]
pub struct World(Arc<Shared>);

struct Shared {
    machine: MachineId,
    run: RunKey,
    replaying: AtomicBool,
    lookout: Arc<Lookout>,
    spawner: Spawner,
    /// Never held while code of the user runs.
    state: Mutex<State>,
}

impl World {
    pub(super) fn new(machine: MachineId, run: RunKey, lookout: Arc<Lookout>, spawner: Spawner) -> Self {
        let (replaying, state) = (AtomicBool::new(true), Mutex::new(State::new(run.run_id)));
        Self(Arc::new(Shared { machine, run, replaying, lookout, spawner, state }))
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> &RunKey {
        &self.0.run
    }

    /// Whether the event being applied was stored before: what the code does now, it has done already.
    #[must_use]
    pub fn replaying(&self) -> bool {
        self.0.replaying.load(Ordering::Relaxed)
    }

    pub(super) fn set_replaying(&self, replaying: bool) {
        self.0.replaying.store(replaying, Ordering::Relaxed);
    }

    pub(super) fn machine(&self) -> MachineId {
        self.0.machine
    }

    pub(super) fn spawner(&self) -> &Spawner {
        &self.0.spawner
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this thread polls the run's code. If it is outside of the machine, that is noted.
    pub(crate) fn is_polled_here(&self, location: &'static Location<'static>) -> bool {
        match presence::doing(self.0.machine) {
            Some(doing) => doing == Doing::Polling,
            None => {
                self.0.lookout.note(Foreign::Used(location));
                false
            }
        }
    }

    /// The time of the event being applied.
    pub(crate) fn now(&self) -> Timestamp {
        self.state().now
    }

    /// The event being applied.
    pub(crate) fn event(&self) -> EventId {
        self.state().event
    }

    /// The run's first event, once it is taken in: for all code of the user.
    pub(crate) fn started(&self) -> Option<Arc<WorkflowStarted>> {
        self.state().started.clone()
    }

    /// What stands around the code from now on.
    pub(crate) fn surround(&self, around: Arc<dyn Around>) {
        self.state().around = Some(around);
    }

    /// What stands around the code, if anything does.
    pub(crate) fn around(&self) -> Option<Arc<dyn Around>> {
        self.state().around.clone()
    }

    /// Whether the run was asked to cancel.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.state().is_cancelled()
    }

    /// Whether the run goes the new way of a change.
    pub(crate) fn decide_patch(
        &self,
        patch: PatchId,
        deprecated: bool,
        location: &'static Location<'static>,
    ) -> bool {
        self.is_polled_here(location)
            && self.state().decide_patch(patch, deprecated, self.replaying(), location)
    }

    /// Shows this with the commit of the task; what the code shows again at a replay is stored.
    pub(crate) fn publish(&self, location: &'static Location<'static>, status: Payload) {
        if self.is_polled_here(location) && !self.replaying() {
            self.state().published = Some(status);
        }
    }

    /// Draws from the run's random numbers.
    #[track_caller]
    pub(crate) fn random<T>(&self, draw: impl FnOnce(&mut super::random::Random) -> T) -> T {
        self.is_polled_here(Location::caller());
        draw(&mut self.state().random)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("run", &self.0.run).finish_non_exhaustive()
    }
}
