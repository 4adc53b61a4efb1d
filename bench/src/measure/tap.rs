//! A tap on a store: counts what the engine asks of it, and changes nothing.

use std::ops::Sub;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use retell::backend::{
    AnswerKey, Answered, Backend, Claim, Claimed, Interest, ListRequest, Mark, Page, QueuedActivity, Renewal,
    Renewed, RunInfo, StoreError, StoreStats,
};
use retell::history::Record;
use retell::vocabulary::{EventId, Namespace, RunKey, Timestamp};
use retell::write::{Batch, Errand, NewRecord, Next, Outcome, Start, Target, Write};

/// A store that is counted.
#[derive(Debug)]
pub(crate) struct Tap {
    inner: Arc<dyn Backend>,
    counters: Counters,
}

/// What was asked of a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Calls of `apply`.
    pub(crate) batches: u64,
    /// Writes in them.
    pub(crate) writes: u64,
    /// Runs started.
    pub(crate) starts: u64,
    /// Runs closed by their code.
    pub(crate) closings: u64,
    /// Records: the events of one workflow task are one.
    pub(crate) records: u64,
    /// Bytes of their events.
    pub(crate) record_bytes: u64,
    /// Activities that needed a row in a queue.
    pub(crate) queued: u64,
    /// Messages into inboxes.
    pub(crate) messages: u64,
    /// Calls of `claim`.
    pub(crate) claims: u64,
}

#[derive(Debug, Default)]
struct Counters {
    batches: AtomicU64,
    writes: AtomicU64,
    starts: AtomicU64,
    closings: AtomicU64,
    records: AtomicU64,
    record_bytes: AtomicU64,
    queued: AtomicU64,
    messages: AtomicU64,
    claims: AtomicU64,
}

impl Tap {
    pub(crate) fn new(inner: Arc<dyn Backend>) -> Self {
        Self::continuing(inner, Counts::default())
    }

    /// Counts on from what another tap has counted.
    pub(crate) fn continuing(inner: Arc<dyn Backend>, counts: Counts) -> Self {
        let counters = Counters {
            batches: counts.batches.into(),
            writes: counts.writes.into(),
            starts: counts.starts.into(),
            closings: counts.closings.into(),
            records: counts.records.into(),
            record_bytes: counts.record_bytes.into(),
            queued: counts.queued.into(),
            messages: counts.messages.into(),
            claims: counts.claims.into(),
        };
        Self { inner, counters }
    }

    pub(crate) fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            batches: of(&self.counters.batches),
            writes: of(&self.counters.writes),
            starts: of(&self.counters.starts),
            closings: of(&self.counters.closings),
            records: of(&self.counters.records),
            record_bytes: of(&self.counters.record_bytes),
            queued: of(&self.counters.queued),
            messages: of(&self.counters.messages),
            claims: of(&self.counters.claims),
        }
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            batches: self.batches - before.batches,
            writes: self.writes - before.writes,
            starts: self.starts - before.starts,
            closings: self.closings - before.closings,
            records: self.records - before.records,
            record_bytes: self.record_bytes - before.record_bytes,
            queued: self.queued - before.queued,
            messages: self.messages - before.messages,
            claims: self.claims - before.claims,
        }
    }
}

impl Counters {
    fn count(&self, batch: &Batch) {
        let mut sum = Counts { batches: 1, writes: batch.len() as u64, ..Counts::default() };
        batch.iter().for_each(|write| sum.see(write));
        for (counter, more) in [
            (&self.batches, sum.batches),
            (&self.writes, sum.writes),
            (&self.starts, sum.starts),
            (&self.closings, sum.closings),
            (&self.records, sum.records),
            (&self.record_bytes, sum.record_bytes),
            (&self.queued, sum.queued),
            (&self.messages, sum.messages),
        ] {
            counter.fetch_add(more, Ordering::Relaxed);
        }
    }
}

impl Counts {
    fn see(&mut self, write: &Write) {
        match write {
            Write::Start(start) => self.see_start(start),
            Write::Commit(commit) => {
                commit.record.iter().for_each(|record| self.see_record(record));
                self.queued += commit.schedule.len() as u64;
                commit.outgoing.iter().for_each(|outgoing| self.see_errand(&outgoing.errand));
                self.closings +=
                    u64::from(matches!(commit.next, Next::Closed { .. } | Next::Continued { .. }));
            }
            Write::Send(_) => self.messages += 1,
            Write::Terminate(_) | Write::Activity(_) | Write::Remove(_) => {}
        }
    }

    fn see_errand(&mut self, errand: &Errand) {
        match errand {
            Errand::Send(_) => self.messages += 1,
            Errand::Start(start) => self.see_start(start),
            Errand::Terminate(_) => {}
        }
    }

    fn see_start(&mut self, start: &Start) {
        self.starts += 1;
        self.see_record(&start.record);
    }

    fn see_record(&mut self, record: &NewRecord) {
        self.records += 1;
        self.record_bytes += record.bytes.len() as u64;
    }
}

#[async_trait]
impl Backend for Tap {
    async fn apply(&self, batch: Batch) -> Result<Vec<Outcome>, StoreError> {
        self.counters.count(&batch);
        self.inner.apply(batch).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        self.counters.claims.fetch_add(1, Ordering::Relaxed);
        self.inner.claim(claim).await
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        self.inner.renew(renewal).await
    }

    async fn history(
        &self,
        run: &RunKey,
        after: EventId,
        bytes_max: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.inner.history(run, after, bytes_max).await
    }

    async fn describe(&self, targets: &[Target]) -> Result<Vec<Option<RunInfo>>, StoreError> {
        self.inner.describe(targets).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, StoreError> {
        self.inner.list(request).await
    }

    async fn queued(&self, run: &RunKey) -> Result<Vec<QueuedActivity>, StoreError> {
        self.inner.queued(run).await
    }

    async fn answers(&self, asked: &[AnswerKey]) -> Result<Vec<Option<Answered>>, StoreError> {
        self.inner.answers(asked).await
    }

    async fn stats(&self, namespace: &Namespace) -> Result<StoreStats, StoreError> {
        self.inner.stats(namespace).await
    }

    async fn closed_before(
        &self,
        namespace: &Namespace,
        before: Timestamp,
        max: usize,
    ) -> Result<Vec<RunKey>, StoreError> {
        self.inner.closed_before(namespace, before, max).await
    }

    async fn changed(&self, interest: Interest, seen: Mark) -> Mark {
        self.inner.changed(interest, seen).await
    }

    fn nudge(&self) {
        self.inner.nudge();
    }
}
