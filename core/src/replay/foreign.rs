//! What did not come from the machine: wake-ups, polls and drops elsewhere, noted when they happen.

use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::TaskError;
use crate::vocabulary::Place;

/// Called when a rest is disturbed by a foreign wake-up, from the thread that woke.
pub type Alarm = Arc<dyn Fn() + Send + Sync>;

/// Shared by a machine, its world and its wakers.
pub(super) struct Lookout {
    found: AtomicBool,
    first: Mutex<Option<Foreign>>,
    at_rest: AtomicBool,
    alarm: Option<Alarm>,
}

/// What was done to the code's futures from outside of the machine.
#[derive(Debug, Clone, Copy)]
pub(super) enum Foreign {
    /// One of its tasks was woken.
    Woken,
    /// One of our futures or contexts was used.
    Used(&'static Location<'static>),
}

impl Lookout {
    pub(super) fn new(alarm: Option<Alarm>) -> Self {
        Self { found: AtomicBool::new(false), first: Mutex::new(None), at_rest: AtomicBool::new(true), alarm }
    }

    /// Notes it; the first one is reported. Raises the alarm if the machine rests and would not find it by itself.
    pub(super) fn note(&self, foreign: Foreign) {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(foreign);
        let first = !self.found.swap(true, Ordering::SeqCst);
        if let Some(alarm) = self.alarm.as_ref().filter(|_| first && self.at_rest.load(Ordering::SeqCst)) {
            alarm();
        }
    }

    /// The machine works: it will ask for itself when it is done.
    pub(super) fn work(&self) {
        self.at_rest.store(false, Ordering::SeqCst);
    }

    /// The machine rests. Ask [`found`](Self::found) after this, not before: what comes in between is found by one.
    pub(super) fn rest(&self) {
        self.at_rest.store(true, Ordering::SeqCst);
    }

    /// The machine is gone: nothing means anything any more.
    pub(super) fn retire(&self) {
        self.found.store(true, Ordering::SeqCst);
    }

    /// What was noted, as the error that it is; `near` is where the code was last heard of.
    pub(super) fn found(&self, near: Option<&'static Location<'static>>) -> Option<TaskError> {
        if !self.found.load(Ordering::SeqCst) {
            return None;
        }
        let foreign = (*self.first.lock().unwrap_or_else(PoisonError::into_inner))?;
        let (reason, location) = match foreign {
            Foreign::Woken => {
                ("a wake-up came from outside of the machine: another thread, runtime or workflow", near)
            }
            Foreign::Used(location) => ("a call of ours was used outside of its workflow", Some(location)),
        };
        Some(TaskError::ForeignAwait { reason: reason.to_owned(), place: location.map(Place::of) })
    }
}

impl fmt::Debug for Lookout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookout").field("found", &self.found).finish_non_exhaustive()
    }
}
