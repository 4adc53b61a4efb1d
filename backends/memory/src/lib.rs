//! The store that keeps everything in memory: one lock around plain maps.
//!
//! Nothing survives the process. It is for tests, for the tester, and for whoever writes a store: each promise in its
//! plainest form, the model that `retell-conformance` compares other stores with. Imports the seam and nothing above.

mod activity;
mod answer;
mod claim;
mod commit;
mod identity;
mod lease;
mod message;
mod read;
mod remove;
mod run;
mod start;
mod state;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use retell::backend::{
    AnswerKey, Answered, Backend, Changes, Claim, Claimed, Interest, ListRequest, Mark, Page, QueuedActivity,
    Renewal, Renewed, RunInfo, StoreError, StoreStats,
};
use retell::clock::Clock;
use retell::history::Record;
use retell::vocabulary::{EventId, Namespace, RunKey, Timestamp};
use retell::write::{Batch, Outcome, Target};

use crate::state::{Heard, State};

/// A store in memory. Share it as an `Arc`: each handle then is what another process's would be.
///
/// `claim` looks at every open run of the store; it is meant for thousands of them, not for millions.
pub struct Memory {
    state: Mutex<State>,
    changes: Changes,
}

impl Memory {
    /// An empty store on the system's clocks.
    #[cfg(feature = "system-clock")]
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(retell::clock::SystemClock::default()))
    }

    /// An empty store on this clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { state: Mutex::new(State::new(clock)), changes: Changes::default() }
    }

    // Between its conditions and its last write no member can panic, so that a poisoned lock guards whole state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does one thing under the lock, then wakes whoever waits for what it changed.
    fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let (answer, heard) = {
            let mut state = self.state();
            let answer = act(&mut state);
            (answer, std::mem::take(&mut state.heard))
        };
        let Heard { work, closings, answers } = heard;
        if work {
            self.changes.announce(Interest::Work);
        }
        if closings {
            self.changes.announce(Interest::Closings);
        }
        if answers {
            self.changes.announce(Interest::Answers);
        }
        answer
    }
}

#[cfg(feature = "system-clock")]
impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for Memory {
    async fn apply(&self, batch: Batch) -> Result<Vec<Outcome>, StoreError> {
        Ok(self.change(|state| batch.iter().map(|write| state.apply(write)).collect()))
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        self.state().claim(claim)
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        self.change(|state| state.renew(renewal))
    }

    async fn history(
        &self,
        run: &RunKey,
        after: EventId,
        bytes_max: usize,
    ) -> Result<Vec<Record>, StoreError> {
        Ok(self.state().history(run, after, bytes_max))
    }

    async fn describe(&self, targets: &[Target]) -> Result<Vec<Option<RunInfo>>, StoreError> {
        let state = self.state();
        Ok(targets.iter().map(|target| state.describe(target)).collect())
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, StoreError> {
        Ok(self.state().list(request))
    }

    async fn queued(&self, run: &RunKey) -> Result<Vec<QueuedActivity>, StoreError> {
        Ok(self.state().queued(run))
    }

    async fn answers(&self, asked: &[AnswerKey]) -> Result<Vec<Option<Answered>>, StoreError> {
        let state = self.state();
        Ok(asked.iter().map(|key| state.answers.find(key)).collect())
    }

    async fn stats(&self, namespace: &Namespace) -> Result<StoreStats, StoreError> {
        Ok(self.state().stats(namespace))
    }

    async fn closed_before(
        &self,
        namespace: &Namespace,
        before: Timestamp,
        max: usize,
    ) -> Result<Vec<RunKey>, StoreError> {
        Ok(self.state().closed_before(namespace, before, max))
    }

    async fn changed(&self, interest: Interest, seen: Mark) -> Mark {
        self.changes.wait(interest, seen).await
    }
}
