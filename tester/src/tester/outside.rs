//! What a test does from outside: at times, when something is so, and to the worker itself.

use std::time::Duration;

use retell::vocabulary::Timestamp;

use super::inner::lock;
use super::plans::Trigger;
use super::wire::Death;
use super::{Tester, or_panic};

/// # Acting from outside
impl Tester {
    /// Does something when this much time has passed, before anything else that is due then.
    pub fn after(&self, wait: Duration, action: impl FnOnce(&Self) + Send + 'static) {
        self.at(self.now() + wait, action);
    }

    /// Does something at this time, before anything else that is due then.
    pub fn at(&self, time: Timestamp, action: impl FnOnce(&Self) + Send + 'static) {
        lock(&self.inner.plans).add(Trigger::At(time), Box::new(action));
    }

    /// Does something once, when this is so; looked at whenever nothing more can happen without time passing.
    pub fn when(
        &self,
        is_so: impl FnMut(&Self) -> bool + Send + 'static,
        action: impl FnOnce(&Self) + Send + 'static,
    ) {
        lock(&self.inner.plans).add(Trigger::When(Box::new(is_so)), Box::new(action));
    }

    /// Kills the worker where it stands and starts another, which takes its runs over at once. What ran without a row in
    /// the queue is tried again.
    ///
    /// # Panics
    /// With a [`Trouble`](crate::Trouble).
    #[track_caller]
    pub fn crash(&self) {
        self.stop_worker();
        self.start_worker();
    }

    /// Kills the worker when it has sent so many commits from now on and one more, which the store never hears of.
    /// Another takes over at once.
    pub fn crash_before_commit(&self, commits: usize) {
        *lock(&self.inner.death) = Some(Death::BeforeCommit(commits));
    }

    /// Kills the worker when so many commits from now on are stored, at least 1; it never hears of the last. Another
    /// takes over at once.
    pub fn crash_after_commit(&self, commits: usize) {
        *lock(&self.inner.death) = Some(Death::AfterCommit(commits.max(1)));
    }

    /// How many commits of workers the store has.
    #[must_use]
    pub fn commits(&self) -> u64 {
        lock(&self.inner.tally).commits
    }

    /// Kills the worker; nothing runs until [`start_worker`](Self::start_worker), or the next start of a run.
    pub fn stop_worker(&self) {
        self.inner.kill_worker();
    }

    /// Starts a worker, unless there is one.
    ///
    /// # Panics
    /// With a [`Trouble`](crate::Trouble).
    #[track_caller]
    pub fn start_worker(&self) {
        or_panic(self.inner.worker_client().map(drop));
    }
}
