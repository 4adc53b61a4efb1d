//! How fast runs advance, and what a run takes up:
//! `cargo run --release -p retell-redis --example commits -- URL [runs] [seconds]`, on a database that nobody else uses.
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
use retell_redis::Redis;

const RECORD_BYTES: usize = 300;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("which URL?")?;
    let runs: usize = arguments.next().as_deref().unwrap_or("200").parse()?;
    let seconds: u64 = arguments.next().as_deref().unwrap_or("3").parse()?;
    let store = Redis::open(&url).await?;
    measure(&store, &url, runs, Duration::from_secs(seconds)).await
}

async fn measure(store: &Redis, url: &str, runs: usize, time: Duration) -> Result<(), Box<dyn Error>> {
    let worker = WorkerId::fresh();
    let action = LeaseAction::Register { identity: "example".to_owned(), lease: time * 100 };
    store.renew(&Renewal { worker, action }).await?;
    let starts = (0..runs).map(|number| start(number, worker)).collect::<Result<Vec<_>, _>>()?;
    let keys: Vec<RunKey> = starts.iter().map(|start| start.run.clone()).collect();
    let (began, before) = (Instant::now(), memory(url).await?);
    store.apply(starts.into_iter().map(|start| Write::Start(Box::new(start))).collect()).await?;
    println!("{:>10.0} starts/s in one batch of {runs}", runs as f64 / began.elapsed().as_secs_f64());
    println!(
        "{:>10} bytes of memory for each run with one event",
        (memory(url).await? - before) / runs as u64
    );

    let (began, requests) = (Instant::now(), store.requests());
    let commits: u64 =
        try_join_all(keys.iter().map(|run| advance(store, run, worker, began + time))).await?.iter().sum();
    let (elapsed, requests) = (began.elapsed().as_secs_f64(), store.requests() - requests);
    println!(
        "{:>10.0} commits/s of {runs} runs, {:.2} requests each, {:.0} us each for its run",
        commits as f64 / elapsed,
        requests as f64 / commits as f64,
        elapsed * 1e6 * runs as f64 / commits as f64,
    );
    Ok(())
}

/// What the server's memory holds.
async fn memory(url: &str) -> Result<u64, Box<dyn Error>> {
    let mut connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    let info: String = redis::cmd("INFO").arg("memory").query_async(&mut connection).await?;
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory_dataset:"));
    Ok(used.ok_or("the server tells nothing of its memory")?.parse()?)
}

/// Commits step after step until it is time; answers how many.
async fn advance(store: &Redis, run: &RunKey, worker: WorkerId, until: Instant) -> Result<u64, StoreError> {
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
