//! The plainest value of everything that is written.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use futures::channel::oneshot;
use futures::future::{Either, select};
use retell::backend::{Backend, Claim, Claimed, Interest, LeaseAction, Mark, Renewal, StoreError};
use retell::vocabulary::{
    Attributes, EventId, FencingToken, Memo, Namespace, Position, RequestId, RunId, RunKey, SemanticsVersion,
    TaskQueue, Timestamp, WorkerId, WorkflowId, WorkflowName, WorkflowType, WorkflowVersion,
};
use retell::write::{
    Applied, CloseStatus, Commit, Hold, IdConflictPolicy, IdReusePolicy, NewMessage, NewRecord, Next,
    OpenRun, Outcome, Send, Shown, Start, Write,
};
use retell_sqlite::Sqlite;
use tempfile::TempDir;

/// After so long a test is not slow but hangs.
const HUNG: Duration = Duration::from_secs(30);
/// Longer than any test.
pub(crate) const LEASE: Duration = Duration::from_secs(600);

pub(crate) fn folder() -> TempDir {
    TempDir::new().unwrap()
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    futures::executor::block_on(future)
}

/// A runtime for an engine.
pub(crate) fn on_a_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

/// Waits for work to change, and panics if that takes for ever.
pub(crate) fn work_changed(store: &Sqlite, seen: Mark) -> Mark {
    let (alarm, hung) = oneshot::channel::<()>();
    let (done, waiting) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        // Dropping the alarm sounds it: when the test is done nobody hears it.
        let _ = waiting.recv_timeout(HUNG);
        drop(alarm);
    });
    match block_on(select(store.changed(Interest::Work, seen), hung)) {
        Either::Left((mark, _)) => {
            drop(done);
            mark
        }
        Either::Right(_) => panic!("nothing has changed for {HUNG:?}"),
    }
}

pub(crate) fn worker(store: &Sqlite) -> WorkerId {
    let worker = WorkerId::fresh();
    let action = LeaseAction::Register { identity: "test".to_owned(), lease: LEASE };
    block_on(store.renew(&Renewal { worker, action })).unwrap();
    worker
}

pub(crate) fn order() -> WorkflowType {
    WorkflowType { name: WorkflowName::new("order").unwrap(), version: WorkflowVersion(1) }
}

/// A run that is due at once; held from the start if there is an owner.
pub(crate) fn start(id: &str, owner: Option<WorkerId>) -> Start {
    Start {
        run: RunKey {
            namespace: Namespace::default(),
            workflow_id: WorkflowId::new(id).unwrap(),
            run_id: RunId::fresh(),
        },
        request_id: RequestId::fresh(),
        workflow: order(),
        semantics: SemanticsVersion::CURRENT,
        task_queue: TaskQueue::default(),
        priority: 0,
        fairness_key: None,
        attributes: Attributes::new(),
        memo: Memo::new(),
        record: record(1, 20),
        copied: Vec::new(),
        conflict: IdConflictPolicy::Reject,
        reuse: IdReusePolicy::Allow,
        owner,
        inbox: Vec::new(),
        wake_at: Timestamp::EPOCH,
        dependents: false,
    }
}

pub(crate) fn record(count: u32, bytes: usize) -> NewRecord {
    NewRecord { count, at: Timestamp::EPOCH, bytes: Bytes::from(vec![7; bytes]) }
}

/// A task of one event that keeps its run.
pub(crate) fn commit(run: &RunKey, worker: WorkerId, token: u64, head: u64, bytes: usize) -> Commit {
    Commit {
        run: run.clone(),
        worker,
        token: FencingToken(token),
        expected_head: EventId(head),
        request_id: None,
        record: Some(record(1, bytes)),
        taken_in: Position(0),
        schedule: Vec::new(),
        ended: Vec::new(),
        cancelled: Vec::new(),
        cancel_requested: Vec::new(),
        outgoing: Vec::new(),
        answers: Vec::new(),
        shown: Shown::default(),
        next: Next::Open(OpenRun {
            wake_at: None,
            rowless: true,
            dependents: false,
            paused: false,
            hold: Hold::Keep,
            failure: None,
        }),
    }
}

pub(crate) fn closing(commit: Commit) -> Commit {
    let outcome = Bytes::from_static(b"done");
    Commit { next: Next::Closed { status: CloseStatus::Completed, outcome }, ..commit }
}

/// The run then waits for a message, and nothing else.
pub(crate) fn sleeping(commit: Commit) -> Commit {
    let open = OpenRun {
        wake_at: None,
        rowless: false,
        dependents: false,
        paused: false,
        hold: Hold::Keep,
        failure: None,
    };
    Commit { next: Next::Open(open), ..commit }
}

pub(crate) fn send(run: &RunKey) -> Send {
    let message = NewMessage { request_id: RequestId::fresh(), body: Bytes::from_static(b"hello") };
    Send { target: run.clone().into(), message, at: Timestamp::EPOCH }
}

pub(crate) fn claim(worker: WorkerId) -> Claim {
    Claim {
        worker,
        number: 0,
        namespace: Namespace::default(),
        task_queue: TaskQueue::default(),
        workflows: vec![order()],
        semantics: SemanticsVersion::CURRENT,
        runs_max: usize::MAX,
        activities: Vec::new(),
    }
}

pub(crate) fn claimed(store: &Sqlite, worker: WorkerId) -> Claimed {
    block_on(store.claim(&claim(worker))).unwrap()
}

pub(crate) fn write(write: impl Into<AnyWrite>) -> Write {
    write.into().0
}

pub(crate) struct AnyWrite(Write);

impl From<Start> for AnyWrite {
    fn from(start: Start) -> Self {
        Self(Write::Start(Box::new(start)))
    }
}

impl From<Commit> for AnyWrite {
    fn from(commit: Commit) -> Self {
        Self(Write::Commit(Box::new(commit)))
    }
}

impl From<Send> for AnyWrite {
    fn from(send: Send) -> Self {
        Self(Write::Send(send))
    }
}

pub(crate) async fn try_apply(store: &Sqlite, one: impl Into<AnyWrite>) -> Result<Outcome, StoreError> {
    let mut outcomes = store.apply(Arc::new([write(one)])).await?;
    Ok(outcomes.pop().unwrap())
}

pub(crate) fn apply(store: &Sqlite, one: impl Into<AnyWrite>) -> Applied {
    block_on(try_apply(store, one)).unwrap().unwrap()
}

/// The IDs of all events of a run, which must have no gap.
pub(crate) fn events(store: &Sqlite, run: &RunKey) -> u64 {
    let records = block_on(store.history(run, EventId(0), usize::MAX)).unwrap();
    records.iter().fold(0, |last, record| {
        assert_eq!(record.first.0, last + 1, "a gap in the history of {run}");
        record.last().0
    })
}
