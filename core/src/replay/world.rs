//! The handle through which the machine and the code's futures meet.

use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::around::Around;
use super::foreign::{Foreign, Lookout};
use super::presence::{self, Doing, MachineId};
use super::state::State;
use super::tasks::Spawner;
use crate::history::{AttributesUpserted, MemoUpserted, WorkflowStarted};
use crate::vocabulary::{AttributeValue, EventId, PatchId, Payload, RunId, RunKey, Timestamp};

/// A run as its code sees it; cheap to clone. Given to [`Definition::launch`](super::Definition::launch).
#[derive(Clone)]
pub struct World(Arc<Shared>);

struct Shared {
    machine: MachineId,
    run: RunKey,
    /// The runs that the code has seen as its own, in turn, where it was copied from others; all but the first.
    seen: OnceLock<Box<Seen>>,
    replaying: AtomicBool,
    lookout: Arc<Lookout>,
    spawner: Spawner,
    /// Never held while code of the user runs.
    state: Mutex<State>,
}

/// One link of the chain of runs that the code has seen as its own.
struct Seen {
    run: RunKey,
    next: OnceLock<Box<Seen>>,
}

impl World {
    pub(super) fn new(machine: MachineId, run: RunKey, lookout: Arc<Lookout>, spawner: Spawner) -> Self {
        let (replaying, state) = (AtomicBool::new(true), Mutex::new(State::new(run.run_id)));
        let seen = OnceLock::new();
        Self(Arc::new(Shared { machine, run, seen, replaying, lookout, spawner, state }))
    }

    /// The run, as its code sees it now: in the copied part of a history that was reset, the run that was copied.
    #[must_use]
    pub fn run(&self) -> &RunKey {
        let mut run = (&self.0.run, &self.0.seen);
        while let Some(seen) = run.1.get() {
            run = (&seen.run, &seen.next);
        }
        run.0
    }

    /// The code sees this run as its own from now on.
    pub(super) fn sees(&self, run_id: RunId) {
        let mut last = &self.0.seen;
        while let Some(seen) = last.get() {
            last = &seen.next;
        }
        let run = RunKey { run_id, ..self.0.run.clone() };
        // Only the machine does this, one event at a time.
        let _ = last.set(Box::new(Seen { run, next: OnceLock::new() }));
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

    /// How many bytes the history takes, up to the event being applied.
    pub(crate) fn history_bytes(&self) -> u64 {
        self.state().history_bytes
    }

    /// Changes what the run can be found by.
    pub(crate) fn upsert_attributes(&self, location: &'static Location<'static>, body: AttributesUpserted) {
        if self.is_polled_here(location) {
            self.state().upsert_attributes(location, body);
        }
    }

    /// Changes the run's memo.
    pub(crate) fn upsert_memo(&self, location: &'static Location<'static>, body: MemoUpserted) {
        if self.is_polled_here(location) {
            self.state().upsert_memo(location, body);
        }
    }

    /// An attribute of the run, as its code has left it.
    pub(crate) fn attribute(&self, name: &str) -> Option<AttributeValue> {
        self.state().shown.attributes.get(name).cloned()
    }

    /// An entry of the run's memo, as its code has left it.
    pub(crate) fn memo(&self, name: &str) -> Option<Payload> {
        self.state().shown.memo.get(name).cloned()
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
