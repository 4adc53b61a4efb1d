//! What a case works with: a store, its clock, and the plainest value of everything that is written.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use retell::backend::{
    ActivityRequest, Backend, Claim, Claimed, ClaimedRun, InboxMessage, LeaseAction, ListRequest,
    QueuedActivity, Renewal, Renewed, RunInfo, StatusFilter, StoreError, StoreStats,
};
use retell::clock::{Clock, ManualClock};
use retell::history::Record;
use retell::vocabulary::{
    ActivityName, Attempt, Attributes, EventId, FencingToken, Namespace, Payload, Position, RequestId,
    RetryPolicy, RunId, RunKey, SemanticsVersion, TaskQueue, Timestamp, WorkerId, WorkflowId, WorkflowName,
    WorkflowType, WorkflowVersion,
};
use retell::write::{
    ActivityReport, ActivityVerdict, Applied, CloseStatus, ClosingEvent, Commit, Hold, IdConflictPolicy,
    IdReusePolicy, NewActivityTask, NewMessage, NewRecord, Next, OpenRun, Outcome, Outgoing, Refusal, Send,
    Start, Target, Terminate, Write,
};

use crate::StoreUnderTest;

/// How long leases last.
pub(crate) const LEASE: Duration = Duration::from_secs(10);
/// The smallest step of time.
pub(crate) const TICK: Duration = Duration::from_micros(1);
/// One second.
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// When every case begins.
pub(crate) fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000))
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

    /// A start of a run of `order` that is due now and that nobody holds.
    pub(crate) fn new_start(&self, id: &str) -> Start {
        Start {
            run: RunKey {
                namespace: self.namespace.clone(),
                workflow_id: workflow_id(id),
                run_id: RunId::fresh(),
            },
            request_id: RequestId::fresh(),
            workflow: order(),
            semantics: SemanticsVersion::CURRENT,
            task_queue: TaskQueue::default(),
            priority: 0,
            fairness_key: None,
            attributes: Attributes::new(),
            record: self.record(1, "started"),
            conflict: IdConflictPolicy::Reject,
            reuse: IdReusePolicy::Allow,
            owner: None,
            inbox: Vec::new(),
            wake_at: self.now(),
        }
    }

    /// A record of so many events that holds this text.
    pub(crate) fn record(&self, count: u32, text: &str) -> NewRecord {
        NewRecord { count, at: self.now(), bytes: Bytes::copy_from_slice(text.as_bytes()) }
    }

    pub(crate) fn new_send(&self, target: impl Into<Target>, text: &str) -> Send {
        Send { target: target.into(), message: message(text), at: self.now() }
    }

    pub(crate) fn new_terminate(&self, target: impl Into<Target>) -> Terminate {
        Terminate {
            target: target.into(),
            request_id: RequestId::fresh(),
            closing: closing_event(),
            at: self.now(),
        }
    }

    /// A queued call of `charge`, visible now.
    pub(crate) fn new_task(&self, scheduled: u64) -> NewActivityTask {
        NewActivityTask {
            scheduled: EventId(scheduled),
            activity: charge(),
            task_queue: TaskQueue::default(),
            priority: 0,
            input: Payload::encode("input").expect("text encodes"),
            attempt: Attempt(1),
            visible_at: self.now(),
            retry: RetryPolicy::exponential(),
            start_to_close: Some(SECOND),
            last_failure: None,
        }
    }

    /// A report on attempt 1 of an activity.
    pub(crate) fn new_report(
        &self,
        held: &Held,
        scheduled: u64,
        worker: WorkerId,
        verdict: ActivityVerdict,
    ) -> ActivityReport {
        ActivityReport {
            run: held.run.clone(),
            scheduled: EventId(scheduled),
            attempt: Attempt(1),
            worker,
            request_id: RequestId::fresh(),
            at: self.now(),
            verdict,
        }
    }

    /// A commit of one event that keeps the run, which then sleeps.
    pub(crate) fn new_commit(&self, held: &Held) -> Commit {
        Commit { record: Some(self.record(1, "event")), ..self.new_hold(held, Hold::Keep) }
    }

    /// A commit without events that keeps the run or lets it go; it then sleeps.
    pub(crate) fn new_hold(&self, held: &Held, hold: Hold) -> Commit {
        Commit {
            run: held.run.clone(),
            worker: held.worker,
            token: held.token,
            expected_head: held.head,
            record: None,
            taken_in: held.taken_in,
            schedule: Vec::new(),
            ended: Vec::new(),
            cancelled: Vec::new(),
            messages: Vec::new(),
            next: Next::Open(OpenRun { wake_at: None, rowless: false, hold, failure: None }),
        }
    }

    /// A commit of one event that completes the run.
    pub(crate) fn new_close(&self, held: &Held) -> Commit {
        let next = Next::Closed { status: CloseStatus::Completed, outcome: Bytes::from_static(b"outcome") };
        Commit { next, ..self.new_commit(held) }
    }

    /// A commit of one event that continues the run as `successor`.
    pub(crate) fn new_continue(&self, held: &Held, successor: &Start) -> Commit {
        let next = Next::ContinuedAsNew {
            successor: Box::new(successor.clone()),
            outcome: Bytes::from_static(b"continued"),
        };
        Commit { next, ..self.new_commit(held) }
    }

    /// Commits what must be accepted, and moves the holder's knowledge on; answers the inbox's end.
    pub(crate) async fn commit(&self, held: &mut Held, commit: Commit) -> Position {
        let count = commit.record.as_ref().map_or(0, |record| u64::from(record.count));
        let taken_in = commit.taken_in;
        match self.applied(commit).await {
            Applied::Committed { inbox } => {
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
        let run = start.run.clone();
        assert_eq!(self.applied(start).await, Applied::Started { run: run.clone(), owned: true });
        Held { run, worker, token: FencingToken(1), head: EventId(1), taken_in: Position(0) }
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
        let mut runs = Vec::new();
        let all = ListRequest { namespace: self.namespace.clone(), ..list_all() };
        for info in self.list(all).await {
            let history = self.history(&info.run).await;
            let queued = self.store.queued(&info.run).await.expect("the store is there");
            runs.push((info, history, queued));
        }
        Snapshot { runs, stats: self.stats().await }
    }
}

impl Held {
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

pub(crate) fn workflow_id(id: &str) -> WorkflowId {
    WorkflowId::new(id).expect("the case's ID is valid")
}

/// The open run of a workflow ID, whichever it is.
pub(crate) fn open_run_of(id: &str) -> Target {
    Target { namespace: Namespace::default(), workflow_id: workflow_id(id), run_id: None }
}

/// The workflow type that cases use unless they say otherwise.
pub(crate) fn order() -> WorkflowType {
    workflow_type("order", 1)
}

pub(crate) fn workflow_type(name: &str, version: u32) -> WorkflowType {
    let name = WorkflowName::new(name).expect("the case's name is valid");
    WorkflowType { name, version: WorkflowVersion(version) }
}

/// The activity that cases use unless they say otherwise.
pub(crate) fn charge() -> ActivityName {
    activity_name("charge")
}

pub(crate) fn activity_name(name: &str) -> ActivityName {
    ActivityName::new(name).expect("the case's name is valid")
}

pub(crate) fn message(text: &str) -> NewMessage {
    NewMessage { request_id: RequestId::fresh(), body: Bytes::copy_from_slice(text.as_bytes()) }
}

pub(crate) fn closing_event() -> ClosingEvent {
    ClosingEvent {
        record: Bytes::from_static(b"terminated record"),
        outcome: Bytes::from_static(b"terminated"),
    }
}

/// Everything that a worker of `order` and `charge` can get.
pub(crate) fn claim_all(worker: WorkerId) -> Claim {
    Claim {
        worker,
        namespace: Namespace::default(),
        task_queue: TaskQueue::default(),
        workflows: vec![order()],
        semantics: SemanticsVersion::CURRENT,
        runs_max: 1_000,
        activities: vec![ActivityRequest { names: vec![charge()], max: 1_000 }],
    }
}

/// All runs of the namespace, some to a page.
pub(crate) fn list_all() -> ListRequest {
    ListRequest {
        namespace: Namespace::default(),
        workflow_id: None,
        workflow: None,
        status: StatusFilter::Any,
        page_size: 100,
        after: None,
    }
}

/// The texts of messages, in their order.
pub(crate) fn texts(messages: &[InboxMessage]) -> Vec<String> {
    messages.iter().map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect()
}

/// A message of a commit to another run, without an answer if it is refused.
pub(crate) fn outgoing(target: impl Into<Target>, text: &str) -> Outgoing {
    Outgoing { target: target.into(), message: message(text), if_refused: None }
}
