//! What a case works with: a store, its clock, and the plainest value of everything that is written.

mod new;
mod value;

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join, join_all};
use retell::backend::{
    Backend, Claim, Claimed, ClaimedRun, InboxMessage, LeaseAction, ListRequest, QueuedActivity, Renewal,
    Renewed, RunInfo, StoreError, StoreStats,
};
use retell::clock::{Clock, ManualClock};
use retell::history::Record;
use retell::vocabulary::{
    EventId, FencingToken, Namespace, Position, RequestId, RunKey, Timestamp, WorkerId,
};
use retell::write::{Applied, Commit, Outcome, Refusal, Start, Target, Write};

pub(crate) use new::sleeping;
pub(crate) use value::{
    activity_name, charge, claim_all, closing_event, committed_at, list_all, message, open_run_of, order,
    texts, workflow_id, workflow_type,
};

use crate::StoreUnderTest;

/// How long leases last.
pub(crate) const LEASE: Duration = Duration::from_secs(10);
/// The smallest step of time.
pub(crate) const TICK: Duration = Duration::from_micros(1);
/// One second.
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// When every case begins: at no round time, so that rounding shows.
pub(crate) fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_micros(1_800_000_000_123_457))
}

/// A store under test, opened once, and its clock.
pub struct World {
    subject: Arc<dyn StoreUnderTest>,
    pub(crate) clock: ManualClock,
    pub(crate) store: Arc<dyn Backend>,
    pub(crate) namespace: Namespace,
}

/// A run as its holder knows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Held {
    pub(crate) run: RunKey,
    pub(crate) worker: WorkerId,
    pub(crate) token: FencingToken,
    pub(crate) head: EventId,
    pub(crate) taken_in: Position,
}

/// All that can be read of a store without changing it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) runs: Vec<(RunInfo, Vec<Record>, Vec<QueuedActivity>)>,
    pub(crate) stats: StoreStats,
}

impl World {
    pub(crate) async fn open(subject: Arc<dyn StoreUnderTest>, clock: ManualClock) -> Self {
        let store = subject.open().await.expect("an empty store opens");
        Self { subject, clock, store, namespace: Namespace::default() }
    }

    /// One more handle, as another process would have.
    pub(crate) async fn another_process(&self) -> Self {
        let store = self.subject.open().await.expect("a store opens twice");
        let (subject, clock) = (self.subject.clone(), self.clock.clone());
        Self { subject, clock, store, namespace: self.namespace.clone() }
    }

    /// Ends this process and starts a new one; every lease is over by then.
    pub(crate) async fn restart(self) -> Self {
        let Self { subject, clock, store, namespace } = self;
        drop(store);
        clock.advance(LEASE);
        let store = subject.open().await.expect("a store opens again");
        Self { subject, clock, store, namespace }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    // Writes.

    pub(crate) async fn apply(&self, write: impl Into<Write>) -> Outcome {
        let mut outcomes = self.apply_all([write.into()]).await;
        outcomes.pop().expect("apply_all checked that there is one")
    }

    pub(crate) async fn apply_all(&self, writes: impl IntoIterator<Item = Write>) -> Vec<Outcome> {
        let batch: Arc<[Write]> = writes.into_iter().collect();
        let outcomes = self.store.apply(batch.clone()).await.expect("the store is there");
        assert_eq!(outcomes.len(), batch.len(), "one outcome for each write");
        outcomes
    }

    /// Applies what must be accepted.
    pub(crate) async fn applied(&self, write: impl Into<Write>) -> Applied {
        self.apply(write).await.expect("the write is accepted")
    }

    /// Applies a write that must be refused and must leave no trace.
    pub(crate) async fn refused(&self, write: impl Into<Write>) -> Refusal {
        let before = self.snapshot().await;
        let refusal = self.apply(write).await.expect_err("the write is refused");
        assert_eq!(self.snapshot().await, before, "a refused write leaves nothing: {refusal}");
        refusal
    }

    /// Commits what must be accepted, and moves the holder's knowledge on; answers the inbox's end.
    pub(crate) async fn commit(&self, held: &mut Held, commit: Commit) -> Position {
        let count = commit.record.as_ref().map_or(0, |record| u64::from(record.count));
        let taken_in = commit.taken_in;
        match self.applied(commit).await {
            Applied::Committed { inbox, .. } => {
                held.head = EventId(held.head.0 + count);
                held.taken_in = taken_in;
                inbox
            }
            other => panic!("a commit was answered with {other:?}"),
        }
    }

    // Whole scenes.

    /// Starts a run that nobody holds.
    pub(crate) async fn started(&self, id: &str) -> RunKey {
        let start = self.new_start(id);
        let run = start.run.clone();
        assert_eq!(self.applied(start).await, Applied::Started { run: run.clone(), owned: false });
        run
    }

    /// Starts a run that this worker holds.
    pub(crate) async fn started_by(&self, worker: WorkerId, id: &str) -> Held {
        let start = Start { owner: Some(worker), ..self.new_start(id) };
        let held = Held::from_start(&start, worker);
        assert_eq!(self.applied(start).await, Applied::Started { run: held.run.clone(), owned: true });
        held
    }

    /// Starts a run that this worker holds, with one queued activity, scheduled by event 2.
    pub(crate) async fn with_task(&self, worker: WorkerId, id: &str) -> Held {
        let mut held = self.started_by(worker, id).await;
        let commit = Commit { schedule: vec![self.new_task(2)], ..self.new_commit(&held) };
        self.commit(&mut held, commit).await;
        held
    }

    /// Sends a message that must be accepted; answers its identity.
    pub(crate) async fn sent(&self, run: &RunKey, text: &str) -> RequestId {
        let send = self.new_send(run.clone(), text);
        let request_id = send.message.request_id;
        assert_eq!(self.applied(send).await, Applied::Sent(run.clone()));
        request_id
    }

    // Workers.

    /// A new worker with a lease.
    pub(crate) async fn worker(&self) -> WorkerId {
        let worker = WorkerId::fresh();
        self.register(worker).await.expect("a new worker registers");
        worker
    }

    pub(crate) async fn register(&self, worker: WorkerId) -> Result<Renewed, StoreError> {
        let action = LeaseAction::Register { identity: "conformance".to_owned(), lease: LEASE };
        self.store.renew(&Renewal { worker, action }).await
    }

    pub(crate) async fn renew(&self, worker: WorkerId) -> Result<Renewed, StoreError> {
        self.store.renew(&Renewal { worker, action: LeaseAction::Renew { lease: LEASE } }).await
    }

    pub(crate) async fn retire(&self, worker: WorkerId) {
        let renewal = Renewal { worker, action: LeaseAction::Retire };
        self.store.renew(&renewal).await.expect("retiring is never refused");
    }

    /// Claims all that a worker of `order` and `charge` can get.
    pub(crate) async fn claim(&self, worker: WorkerId) -> Claimed {
        self.claim_as(&claim_all(worker)).await
    }

    pub(crate) async fn claim_as(&self, claim: &Claim) -> Claimed {
        self.store.claim(claim).await.expect("the worker is alive")
    }

    /// Claims what came for the one held run that anything came for.
    pub(crate) async fn unread(&self, held: &Held) -> Vec<InboxMessage> {
        let mut unread = self.claim(held.worker).await.unread;
        unread.retain(|unread| unread.run == held.run && unread.token == held.token);
        assert!(unread.len() <= 1, "one answer for each run");
        unread.pop().map_or(Vec::new(), |unread| unread.messages)
    }

    /// Claims the one run that there is to claim.
    pub(crate) async fn claim_one(&self, worker: WorkerId) -> (Held, ClaimedRun) {
        let mut claimed = self.claim(worker).await;
        assert_eq!(claimed.runs.len(), 1, "one run is to be claimed");
        let run = claimed.runs.remove(0);
        (Held::of(worker, &run), run)
    }

    // Reads.

    pub(crate) async fn info(&self, target: impl Into<Target>) -> RunInfo {
        let infos = self.store.describe(&[target.into()]).await.expect("the store is there");
        let [info] = <[_; 1]>::try_from(infos).expect("one answer for each target");
        info.expect("the run exists")
    }

    pub(crate) async fn history(&self, run: &RunKey) -> Vec<Record> {
        let mut records: Vec<Record> = Vec::new();
        loop {
            let after = records.last().map_or(EventId(0), Record::last);
            let page = self.store.history(run, after, 1 << 20).await.expect("the store is there");
            if page.is_empty() {
                return records;
            }
            records.extend(page);
        }
    }

    pub(crate) async fn list(&self, request: ListRequest) -> Vec<RunInfo> {
        let mut request = request;
        let mut runs = Vec::new();
        loop {
            let page = self.store.list(&request).await.expect("the store is there");
            assert!(page.runs.len() <= request.page_size, "a page is no larger than asked for");
            runs.extend(page.runs);
            match page.next {
                Some(next) => request.after = Some(next),
                None => return runs,
            }
        }
    }

    pub(crate) async fn stats(&self) -> StoreStats {
        self.store.stats(&self.namespace).await.expect("the store is there")
    }

    pub(crate) async fn snapshot(&self) -> Snapshot {
        let all = ListRequest { namespace: self.namespace.clone(), ..list_all() };
        // At once: a store on a server reads together what waits together, and one after the other is a minute's work
        // on a busy machine.
        let whole = async |info: RunInfo| {
            let queued = async { self.store.queued(&info.run).await.expect("the store is there") };
            let (history, queued) = join(self.history(&info.run), queued).await;
            (info, history, queued)
        };
        let runs = join_all(self.list(all).await.into_iter().map(whole)).await;
        Snapshot { runs, stats: self.stats().await }
    }
}

impl Held {
    /// A run as it is known to the worker that started it.
    pub(crate) fn from_start(start: &Start, worker: WorkerId) -> Self {
        let run = start.run.clone();
        let copied: u64 = start.copied.iter().map(|record| u64::from(record.count)).sum();
        Self { run, worker, token: FencingToken(1), head: EventId(1 + copied), taken_in: Position(0) }
    }

    pub(crate) fn of(worker: WorkerId, claimed: &ClaimedRun) -> Self {
        Self {
            run: claimed.run.clone(),
            worker,
            token: claimed.token,
            head: claimed.head,
            taken_in: claimed.taken_in,
        }
    }
}
