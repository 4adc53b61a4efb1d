//! How fast runs advance: `cargo run --release -p retell-sqlite --example commits -- [runs] [seconds] [full|normal]`.
//!
//! Each run commits one record of 300 bytes after another, as a step of a run that stays where it is does.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::try_join_all;
use retell::backend::{Backend, LeaseAction, Renewal, StoreError};
use retell::vocabulary::{
    Attributes, EventId, FencingToken, Memo, Namespace, Position, RequestId, RunId, RunKey, SemanticsVersion,
    TaskQueue, Timestamp, WorkerId, WorkflowId, WorkflowName, WorkflowType, WorkflowVersion,
};
use retell::write::{
    Applied, Commit, Hold, IdConflictPolicy, IdReusePolicy, NewRecord, Next, OpenRun, Shown, Start, Write,
};
use retell_sqlite::{Sqlite, Synchronous};

const RECORD_BYTES: usize = 300;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let runs: usize = arguments.next().as_deref().unwrap_or("200").parse()?;
    let seconds: u64 = arguments.next().as_deref().unwrap_or("3").parse()?;
    let synchronous = match arguments.next().as_deref() {
        Some("normal") => Synchronous::Normal,
        _ => Synchronous::Full,
    };
    let folder = tempfile::tempdir_in(".")?;
    let store = Sqlite::options(folder.path().join("commits.db")).synchronous(synchronous).open()?;
    futures::executor::block_on(measure(&store, runs, Duration::from_secs(seconds)))?;
    Ok(())
}

async fn measure(store: &Sqlite, runs: usize, time: Duration) -> Result<(), Box<dyn Error>> {
    let worker = WorkerId::fresh();
    let action = LeaseAction::Register { identity: "example".to_owned(), lease: time * 10 };
    store.renew(&Renewal { worker, action }).await?;
    let starts = (0..runs).map(|number| start(number, worker)).collect::<Result<Vec<_>, _>>()?;
    let keys: Vec<RunKey> = starts.iter().map(|start| start.run.clone()).collect();
    let began = Instant::now();
    store.apply(starts.into_iter().map(|start| Write::Start(Box::new(start))).collect()).await?;
    println!("{:>10.0} starts/s in one batch of {runs}", runs as f64 / began.elapsed().as_secs_f64());

    let (began, transactions) = (Instant::now(), store.commits());
    let commits: u64 =
        try_join_all(keys.iter().map(|run| advance(store, run, worker, began + time))).await?.iter().sum();
    let (elapsed, transactions) = (began.elapsed().as_secs_f64(), store.commits() - transactions);
    println!(
        "{:>10.0} commits/s of {runs} runs, {:.1} a transaction, {:.0} us each for its run",
        commits as f64 / elapsed,
        commits as f64 / transactions as f64,
        elapsed * 1e6 * runs as f64 / commits as f64,
    );
    Ok(())
}

/// Commits step after step until it is time; answers how many.
async fn advance(store: &Sqlite, run: &RunKey, worker: WorkerId, until: Instant) -> Result<u64, StoreError> {
    let mut head = 1;
    while Instant::now() < until {
        let outcomes = store.apply(Arc::new([Write::Commit(Box::new(step(run, worker, head)))])).await?;
        assert!(matches!(outcomes[..], [Ok(Applied::Committed { .. })]), "{outcomes:?}");
        head += 2;
    }
    Ok(head / 2)
}

fn step(run: &RunKey, worker: WorkerId, head: u64) -> Commit {
    Commit {
        run: run.clone(),
        worker,
        token: FencingToken(1),
        expected_head: EventId(head),
        request_id: None,
        record: Some(record(2)),
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

fn record(count: u32) -> NewRecord {
    NewRecord { count, at: Timestamp::EPOCH, bytes: Bytes::from_static(&[7; RECORD_BYTES]) }
}

fn start(number: usize, worker: WorkerId) -> Result<Start, Box<dyn Error>> {
    Ok(Start {
        run: RunKey {
            namespace: Namespace::default(),
            workflow_id: WorkflowId::new(format!("order-{number}"))?,
            run_id: RunId::fresh(),
        },
        request_id: RequestId::fresh(),
        workflow: WorkflowType { name: WorkflowName::new("order")?, version: WorkflowVersion(1) },
        semantics: SemanticsVersion::CURRENT,
        task_queue: TaskQueue::default(),
        priority: 0,
        fairness_key: None,
        attributes: Attributes::new(),
        memo: Memo::new(),
        record: record(1),
        copied: Vec::new(),
        conflict: IdConflictPolicy::Reject,
        reuse: IdReusePolicy::Allow,
        owner: Some(worker),
        inbox: Vec::new(),
        wake_at: Timestamp::EPOCH,
        dependents: false,
    })
}
