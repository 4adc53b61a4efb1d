//! The plainest writes, and a runtime to apply them on.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use retell::backend::{Backend, Claim, Claimed, LeaseAction, Renewal, StoreError};
use retell::vocabulary::{
    Attributes, EventId, FencingToken, Memo, Namespace, Position, RequestId, RunId, RunKey, SemanticsVersion,
    TaskQueue, Timestamp, WorkerId, WorkflowId, WorkflowName, WorkflowType, WorkflowVersion,
};
use retell::write::{
    Applied, CloseStatus, Commit, Hold, IdConflictPolicy, IdReusePolicy, NewMessage, NewRecord, Next,
    OpenRun, Outcome, Send, Shown, Start, Target, Write,
};

/// How long a test may take on a machine that has much else to do.
const TEST_TIME_MAX: Duration = Duration::from_secs(120);

/// Runs a test to its end.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(TEST_TIME_MAX, test).await.expect("the test hangs") })
}

/// Runs what blocks beside the test.
pub(crate) async fn blocking<T: std::marker::Send + 'static>(
    act: impl FnOnce() -> T + std::marker::Send + 'static,
) -> T {
    tokio::task::spawn_blocking(act).await.unwrap()
}

pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}

fn workflow() -> WorkflowType {
    WorkflowType { name: WorkflowName::new("order").unwrap(), version: WorkflowVersion(1) }
}

pub(crate) fn message(text: &str) -> NewMessage {
    NewMessage { request_id: RequestId::fresh(), body: Bytes::copy_from_slice(text.as_bytes()) }
}

pub(crate) fn start(id: &str, owner: Option<WorkerId>) -> Start {
    let run = RunKey {
        namespace: Namespace::default(),
        workflow_id: WorkflowId::new(id).unwrap(),
        run_id: RunId::fresh(),
    };
    Start {
        run,
        request_id: RequestId::fresh(),
        workflow: workflow(),
        semantics: SemanticsVersion(1),
        task_queue: TaskQueue::default(),
        priority: 0,
        fairness_key: None,
        attributes: Attributes::new(),
        memo: Memo::new(),
        record: record(1),
        copied: Vec::new(),
        conflict: IdConflictPolicy::Reject,
        reuse: IdReusePolicy::Allow,
        owner,
        inbox: Vec::new(),
        wake_at: now(),
        dependents: false,
    }
}

fn record(count: u32) -> NewRecord {
    NewRecord { count, at: now(), bytes: Bytes::from_static(b"events") }
}

/// One event, after which the run waits for messages.
pub(crate) fn commit(run: &RunKey, worker: WorkerId, token: u64, head: u64) -> Commit {
    let open = OpenRun {
        wake_at: None,
        rowless: false,
        dependents: false,
        paused: false,
        hold: Hold::Keep,
        failure: None,
    };
    Commit {
        run: run.clone(),
        worker,
        token: FencingToken(token),
        expected_head: EventId(head),
        request_id: None,
        record: Some(record(1)),
        taken_in: Position(0),
        schedule: Vec::new(),
        ended: Vec::new(),
        cancelled: Vec::new(),
        cancel_requested: Vec::new(),
        outgoing: Vec::new(),
        answers: Vec::new(),
        shown: Shown::default(),
        next: Next::Open(open),
    }
}

/// As `commit`, and nobody holds the run afterwards.
pub(crate) fn release(run: &RunKey, worker: WorkerId, token: u64, head: u64) -> Commit {
    let mut commit = commit(run, worker, token, head);
    if let Next::Open(open) = &mut commit.next {
        open.hold = Hold::Release;
        open.wake_at = Some(now());
    }
    commit
}

pub(crate) fn close(run: &RunKey, worker: WorkerId, token: u64, head: u64) -> Commit {
    let next = Next::Closed { status: CloseStatus::Completed, outcome: Bytes::from_static(b"done") };
    Commit { next, ..commit(run, worker, token, head) }
}

pub(crate) fn send(target: impl Into<Target>, text: &str) -> Send {
    Send { target: target.into(), message: message(text), at: now() }
}

/// Applies one write.
pub(crate) async fn try_apply(store: &dyn Backend, write: impl Into<Write>) -> Result<Outcome, StoreError> {
    let batch: Arc<[Write]> = Arc::from([write.into()]);
    store.apply(batch).await.map(|outcomes| outcomes.into_iter().next().unwrap())
}

/// Applies one write that must be accepted.
pub(crate) async fn apply(store: &dyn Backend, write: impl Into<Write>) -> Applied {
    try_apply(store, write).await.unwrap().unwrap()
}

/// Applies one write as the engine does: again and again until there is an answer.
pub(crate) async fn apply_until(store: &dyn Backend, write: impl Into<Write>) -> Applied {
    let write = write.into();
    loop {
        match try_apply(store, write.clone()).await {
            Ok(outcome) => return outcome.unwrap(),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// A new worker with a lease that outlasts the test.
pub(crate) async fn worker(store: &dyn Backend) -> WorkerId {
    let worker = WorkerId::fresh();
    let action = LeaseAction::Register { identity: "test".to_owned(), lease: Duration::from_secs(600) };
    store.renew(&Renewal { worker, action }).await.unwrap();
    worker
}

pub(crate) fn claim_all(worker: WorkerId, number: u64) -> Claim {
    Claim {
        worker,
        number,
        namespace: Namespace::default(),
        task_queue: TaskQueue::default(),
        workflows: vec![workflow()],
        semantics: SemanticsVersion(9),
        runs_max: 1_000,
        activities: Vec::new(),
    }
}

pub(crate) async fn claimed(store: &dyn Backend, worker: WorkerId) -> Claimed {
    store.claim(&claim_all(worker, 0)).await.unwrap()
}

/// The bodies of a run's messages, for who claims it as a new worker.
pub(crate) async fn inbox_of(store: &dyn Backend, run: &RunKey) -> Vec<String> {
    let heir = worker(store).await;
    let claimed = claimed(store, heir).await;
    let run = claimed.runs.iter().find(|claimed| claimed.run == *run).expect("the run is free and due");
    run.inbox.iter().map(|message| String::from_utf8(message.body.to_vec()).unwrap()).collect()
}
