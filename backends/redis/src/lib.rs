//! The Redis store of Retell: durable workflows on one Redis, behind sentinels, or on a cluster. Redis 7.0 and later.
//!
//! A workflow ID lies in one partition, with its runs, histories, inboxes, queued activities, and the part of every
//! queue, list and lease that concerns them: all under one hash tag, so in one slot. A write is one call of one script on
//! that slot, whole or not at all. What a commit asks of another partition goes by an outbox and is done before the
//! commit is answered, exactly once. The README says what Redis cannot promise. Imports the seam and nothing above.

/// The README's examples, which must compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

mod attribute;
mod claim;
mod fault;
mod key;
mod lane;
mod link;
mod list;
mod notice;
mod options;
mod outbox;
mod pack;
mod read;
mod remembered;
mod reply;
mod row;
mod schema;
mod script;
mod signs;
mod state;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use retell::backend::{
    AnswerKey, Answered, Backend, Claim, Claimed, Interest, LeaseAction, ListRequest, Mark, Page,
    QueuedActivity, Renewal, Renewed, RunInfo, StoreError, StoreErrorKind, StoreStats,
};
use retell::history::Record;
use retell::vocabulary::{EventId, Namespace, RunKey, Timestamp, WorkerId};
use retell::write::{Batch, Outcome, Target};
use tokio::task::AbortHandle;

pub use options::{Durability, Options};

use crate::link::Link;
use crate::reply::Reply;

/// A store in Redis. Opened and used on a tokio runtime.
///
/// Writes of many tasks go side by side down one connection for each server; what arrives together shares one `fsync`.
/// Dropping it closes its connections.
pub struct Redis {
    store: Arc<Store>,
    listener: AbortHandle,
    /// The last answer to a claim of each of this process's workers, and its number.
    answers: Mutex<HashMap<WorkerId, (u64, Claimed)>>,
}

/// What the calls share, and the tasks that outlive them.
pub(crate) struct Store {
    pub(crate) link: Link,
    /// One for each partition.
    pub(crate) lanes: Vec<lane::Lane>,
    pub(crate) remembered: remembered::Remembered,
    pub(crate) notices: notice::Notices,
    pub(crate) shown: signs::Shown,
}

impl Redis {
    /// Opens one Redis by its URL, with the defaults of [`Options`]: durable at each commit, under the prefix `retell`.
    ///
    /// # Errors
    /// As [`Options::open`].
    pub async fn open(url: impl AsRef<str>) -> Result<Self, StoreError> {
        Self::options(url).open().await
    }

    /// Ways to open a store otherwise than by the defaults, on a cluster or behind sentinels.
    #[must_use]
    pub fn options(url: impl AsRef<str>) -> Options {
        Options::new(url.as_ref())
    }

    /// How many requests this handle has sent. A figure for measurements: a commit is one.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.store.link.requests()
    }

    pub(crate) async fn start(options: Options) -> Result<Self, StoreError> {
        let link = schema::open(options).await?;
        let notices = notice::Notices::default();
        let lanes = link.keys.all().map(|_| lane::Lane::default()).collect();
        let (remembered, shown) = (remembered::Remembered::default(), signs::Shown::default());
        let store = Arc::new(Store { link, lanes, remembered, notices, shown });
        let listener = notice::listen(&store).await?;
        Ok(Self { store, listener, answers: Mutex::default() })
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<WorkerId, (u64, Claimed)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("link", &self.store.link).finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for Redis {
    async fn apply(&self, batch: Batch) -> Result<Vec<Outcome>, StoreError> {
        writer::apply(&self.store, batch).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        let (worker, number) = (claim.worker, claim.number);
        if let Some((_, first)) = self.answers().get(&worker).filter(|(last, _)| *last == number) {
            return Ok(first.clone());
        }
        let claimed = claim::claim(&self.store, claim).await?;
        if number > 0 {
            self.answers().insert(worker, (number, claimed.clone()));
        }
        Ok(claimed)
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        if renewal.action == LeaseAction::Retire {
            self.answers().remove(&renewal.worker);
        }
        let (action, lease) = match &renewal.action {
            LeaseAction::Register { lease, .. } => ("register", *lease),
            LeaseAction::Renew { lease } => ("renew", *lease),
            LeaseAction::Retire => ("retire", Duration::ZERO),
        };
        let packed = pack::renewal(renewal.worker, action, lease);
        let replies = self.store.link.call_all("renew", script::RENEW, packed).await?;
        let mut renewed = Renewed { now: Timestamp::from_micros(i64::MIN) };
        for reply in replies {
            if reply.is_text(b"lost") {
                self.store.shown.remove(renewal.worker);
                return Err(StoreError::new(StoreErrorKind::LeaseLost, "renew"));
            }
            let [heard, now, stale] = reply.fields("renew")?;
            self.store.notices.announce(&heard.bytes("renew")?);
            renewed.now = renewed.now.max(now.time("renew")?);
            outbox::move_later(&self.store, stale)?;
        }
        match renewal.action {
            LeaseAction::Retire => self.store.shown.remove(renewal.worker),
            LeaseAction::Register { .. } | LeaseAction::Renew { .. } => self.store.shown.add(renewal.worker),
        }
        Ok(renewed)
    }

    async fn history(
        &self,
        run: &RunKey,
        after: EventId,
        bytes_max: usize,
    ) -> Result<Vec<Record>, StoreError> {
        read::history(&self.store.link, run, after, bytes_max).await
    }

    async fn describe(&self, targets: &[Target]) -> Result<Vec<Option<RunInfo>>, StoreError> {
        read::describe(&self.store.link, targets).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, StoreError> {
        list::list(&self.store.link, request).await
    }

    async fn queued(&self, run: &RunKey) -> Result<Vec<QueuedActivity>, StoreError> {
        read::queued(&self.store.link, run).await
    }

    async fn answers(&self, asked: &[AnswerKey]) -> Result<Vec<Option<Answered>>, StoreError> {
        read::answers(&self.store.link, asked).await
    }

    async fn stats(&self, namespace: &Namespace) -> Result<StoreStats, StoreError> {
        read::stats(&self.store.link, namespace).await
    }

    async fn closed_before(
        &self,
        namespace: &Namespace,
        before: Timestamp,
        max: usize,
    ) -> Result<Vec<RunKey>, StoreError> {
        read::closed_before(&self.store.link, namespace, before, max).await
    }

    async fn changed(&self, interest: Interest, seen: Mark) -> Mark {
        self.store.notices.changes.wait(interest, seen).await
    }
}
