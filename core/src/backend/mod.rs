//! The seam: what a store must do, and the values that it speaks in.
//!
//! A store decides nothing and never looks inside an event. Written in terms of history and writes; nothing above
//! imports a store, and a store imports nothing above.

mod absence;
mod changes;
mod claim;
mod error;
mod read;
mod search;
mod transaction;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

pub use absence::Absences;
pub use changes::{Changes, Interest, Mark};
pub use claim::{
    ActivityRequest, Claim, Claimed, ClaimedActivity, ClaimedRun, InboxMessage, LeaseAction, Renewal,
    Renewed, UnreadInbox,
};
pub use error::{StoreError, StoreErrorKind};
pub use read::{
    AnswerKey, Answered, AttributeFilter, AttributeMatch, ListRequest, Page, PageToken, QueuedActivity,
    RunInfo, RunStatus, StatusFilter, StoreStats,
};
#[cfg(feature = "worker")]
pub(crate) use transaction::store_of;
pub use transaction::{InTransaction, OpenTransaction};

use crate::history::Record;
use crate::vocabulary::{EventId, Namespace, RunKey, Timestamp};
use crate::write::{Batch, Outcome, Target};

/// What an engine can be put on: a store, or one that is shared.
pub trait IntoBackend {
    /// The store, shared.
    fn into_backend(self) -> Arc<dyn Backend>;
}

impl<B: Backend> IntoBackend for B {
    fn into_backend(self) -> Arc<dyn Backend> {
        Arc::new(self)
    }
}

impl<B: Backend> IntoBackend for Arc<B> {
    fn into_backend(self) -> Arc<dyn Backend> {
        self
    }
}

impl IntoBackend for Arc<dyn Backend> {
    fn into_backend(self) -> Arc<dyn Backend> {
        self
    }
}

/// A store of runs. Used as `Arc<dyn Backend>`, from many threads and tasks at once.
///
/// A method that returns a [`StoreError`] may or may not have done its work: the engine calls it again with the same
/// values until it answers (promise H13). Dropping a method's future cancels nothing that may already be stored.
///
/// `retell-conformance` proves the promises H1 to H15 for an implementation.
#[async_trait]
pub trait Backend: fmt::Debug + Any + Send + Sync {
    /// Applies writes in order, durably, and answers one outcome for each.
    ///
    /// Calls that are waiting are committed together. Called by workers and clients, many times at once; a run has at
    /// most one commit under way for each holder.
    ///
    /// # Errors
    /// [`StoreError`] if the outcome is unknown or nothing could be stored; apply the same batch again.
    async fn apply(&self, batch: Batch) -> Result<Vec<Outcome>, StoreError>;

    /// Takes work for a worker: runs that need one, messages for runs that it holds, queued activities.
    ///
    /// Takes over what dead workers left. Oldest first; each at most once among living workers. Answers at once, also
    /// when there is nothing. Called by one task for each worker.
    ///
    /// What an answer holds is told once, so an answer that was lost must be told again: see [`Claim::number`].
    ///
    /// # Errors
    /// [`StoreErrorKind::LeaseLost`] if the worker is not alive; otherwise call again under the same number.
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError>;

    /// Registers a worker, prolongs its lease, or retires it. Called every 3 s by one task for each worker.
    ///
    /// A lease found expired is never renewed.
    ///
    /// # Errors
    /// [`StoreErrorKind::LeaseLost`] if the lease has expired; register again under a new worker ID.
    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError>;

    /// Reads records whose last event comes after `after`, in order: the first, and as many more as fit into
    /// `bytes_max` bytes with it. An empty answer is the history's end.
    async fn history(
        &self,
        run: &RunKey,
        after: EventId,
        bytes_max: usize,
    ) -> Result<Vec<Record>, StoreError>;

    /// Describes runs, in the order asked for; `None` where there is none. A target without a run ID means its open
    /// run, else its latest. Reads no history.
    async fn describe(&self, targets: &[Target]) -> Result<Vec<Option<RunInfo>>, StoreError>;

    /// Lists runs, newest start first, a page at a time.
    async fn list(&self, request: &ListRequest) -> Result<Page, StoreError>;

    /// The queued activities of a run, by the event that scheduled them.
    async fn queued(&self, run: &RunKey) -> Result<Vec<QueuedActivity>, StoreError>;

    /// The last answers to requests, in the order asked for; `None` where there is none, or no longer one.
    async fn answers(&self, asked: &[AnswerKey]) -> Result<Vec<Option<Answered>>, StoreError>;

    /// Counts what a namespace holds, without reading histories.
    async fn stats(&self, namespace: &Namespace) -> Result<StoreStats, StoreError>;

    /// Closed runs that closed before then, the longest closed first, at most so many; without those that are
    /// [unsettled](ClaimedRun::unsettled). For retention, which [removes](crate::write::Remove) them and asks again: a
    /// store finds them by an index, however many are open.
    async fn closed_before(
        &self,
        namespace: &Namespace,
        before: Timestamp,
        max: usize,
    ) -> Result<Vec<RunKey>, StoreError>;

    /// Resolves when something of `interest` may have changed after `seen`, also by another process.
    ///
    /// May resolve too often, never too seldom. Costs nothing while nothing happens in this process.
    async fn changed(&self, interest: Interest, seen: Mark) -> Mark;

    /// Looks now for what others have committed, not at the end of a pause: somebody knows that there is something. Called
    /// when a transaction of the user's own has committed; returns at once. A store that hears of everything by itself
    /// has nothing to do.
    fn nudge(&self) {}
}
