//! Which machine this thread is inside of, and what it does there.
//!
//! A wake-up, a poll or a drop is the machine's own only if it happens here; commands exist only while it polls.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells one machine of this process from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MachineId(u64);

impl MachineId {
    pub(crate) fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Routes an event and wakes those that it concerns.
    Applying,
    /// Runs the user's code.
    Polling,
    /// Drops the user's futures: at the end, at eviction, after a failure.
    Dropping,
    /// Asks the user's code something, which changes nothing.
    Querying,
}

thread_local! {
    static PRESENT: Cell<Option<(MachineId, Doing)>> = const { Cell::new(None) };
}

/// Until it is dropped, this thread is inside a machine.
#[derive(Debug)]
pub(crate) struct Stay {
    before: Option<(MachineId, Doing)>,
}

pub(crate) fn enter(machine: MachineId, doing: Doing) -> Stay {
    Stay { before: PRESENT.replace(Some((machine, doing))) }
}

/// What this thread does inside that machine, if it is inside.
pub(crate) fn doing(machine: MachineId) -> Option<Doing> {
    PRESENT.get().filter(|(present, _)| *present == machine).map(|(_, doing)| doing)
}

impl Drop for Stay {
    fn drop(&mut self) {
        PRESENT.set(self.before);
    }
}
