//! What only a store on a server can suffer: lost connections, lost answers, restarts, several processes at once. The same
//! for each of them: `subject` says which.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use retell::backend::{Backend, Claim, Interest, LeaseAction, Mark, Renewal, StoreErrorKind};
use retell::vocabulary::{
    Attributes, FencingToken, Memo, Namespace, Position, RequestId, RunId, RunKey, SemanticsVersion,
    TaskQueue, Timestamp, WorkerId, WorkflowId, WorkflowName, WorkflowType, WorkflowVersion,
};
use retell::write::{
    Applied, Commit, Hold, IdConflictPolicy, IdReusePolicy, NewMessage, NewRecord, Next, OpenRun, Refusal,
    Send, Shown, Start, Write,
};
use retell_servers::{Endpoint, Proxy, Server, shared};

use crate::subject::{FIRST_SCHEMA, KIND, Store, VERSION, id_of, open, open_with_one_lane};

const LEASE: Duration = Duration::from_secs(60);

pub(crate) fn order() -> WorkflowType {
    WorkflowType { name: WorkflowName::new("order").unwrap(), version: WorkflowVersion(1) }
}

pub(crate) fn start(id: &str) -> Start {
    let run = RunKey {
        namespace: Namespace::default(),
        workflow_id: WorkflowId::new(id).unwrap(),
        run_id: RunId::fresh(),
    };
    Start {
        run,
        request_id: RequestId::fresh(),
        workflow: order(),
        semantics: SemanticsVersion(1),
        task_queue: TaskQueue::default(),
        priority: 0,
        fairness_key: None,
        attributes: Attributes::new(),
        memo: Memo::new(),
        record: NewRecord { count: 1, at: Timestamp::EPOCH, bytes: Bytes::from_static(b"event") },
        copied: Vec::new(),
        conflict: IdConflictPolicy::Reject,
        reuse: IdReusePolicy::Allow,
        owner: None,
        inbox: Vec::new(),
        wake_at: Timestamp::EPOCH,
        dependents: false,
    }
}

pub(crate) fn send(run: &RunKey) -> Send {
    let message = NewMessage { request_id: RequestId::fresh(), body: Bytes::from_static(b"hello") };
    Send { target: run.clone().into(), message, at: Timestamp::EPOCH }
}

pub(crate) async fn apply(store: &Store, write: impl Into<Write>) -> retell::write::Outcome {
    let batch: Arc<[Write]> = Arc::new([write.into()]);
    store.apply(batch).await.unwrap().remove(0)
}

pub(crate) async fn worker(store: &Store) -> WorkerId {
    let worker = WorkerId::fresh();
    let action = LeaseAction::Register { identity: "test".to_owned(), lease: LEASE };
    store.renew(&Renewal { worker, action }).await.unwrap();
    worker
}

pub(crate) fn claim(worker: WorkerId, number: u64, runs_max: usize) -> Claim {
    Claim {
        worker,
        number,
        namespace: Namespace::default(),
        task_queue: TaskQueue::default(),
        workflows: vec![order()],
        semantics: SemanticsVersion(1),
        runs_max,
        activities: Vec::new(),
    }
}

pub(crate) fn commit(run: &RunKey, worker: WorkerId, token: FencingToken, head: u64) -> Commit {
    Commit {
        run: run.clone(),
        worker,
        token,
        expected_head: retell::vocabulary::EventId(head),
        request_id: None,
        record: Some(NewRecord { count: 1, at: Timestamp::EPOCH, bytes: Bytes::from_static(b"event") }),
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
            rowless: false,
            dependents: false,
            paused: false,
            hold: Hold::Keep,
            failure: None,
        }),
    }
}

/// A database of its own behind a proxy of its own.
fn behind_a_proxy() -> (Endpoint, Proxy) {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let proxy = Proxy::before(database.address().unwrap()).unwrap();
    (database.at(proxy.address()), proxy)
}

/// H13. Nobody knows whether a commit came through whose answer is lost: it is applied again, and changes nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_applied_once() {
    let (database, proxy) = behind_a_proxy();
    let store = open(database.url()).await.unwrap();
    let run = start("a");
    apply(&store, run.clone()).await.unwrap();
    let cut = proxy.cut_after(b"COMMIT");
    let sent = apply(&store, send(&run.run)).await;
    assert_eq!(sent, Ok(Applied::Sent(run.run.clone())));
    drop(cut);
    let cut = proxy.cut_before(b"COMMIT");
    let sent = apply(&store, send(&run.run)).await;
    assert_eq!(sent, Ok(Applied::Sent(run.run.clone())));
    drop(cut);
    let described = store.describe(&[run.run.into()]).await.unwrap();
    assert_eq!(described[0].as_ref().unwrap().inbox, 2);
}

/// H13. What a claim took is told though its first answer was lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_answer_is_lost_is_answered_again_from_its_rows() {
    let (database, proxy) = behind_a_proxy();
    let store = open(database.url()).await.unwrap();
    let worker = worker(&store).await;
    let run = start("a");
    apply(&store, run.clone()).await.unwrap();
    apply(&store, send(&run.run)).await.unwrap();
    let cut = proxy.cut_after(b"COMMIT");
    let claimed = store.claim(&claim(worker, 7, 10)).await.unwrap();
    drop(cut);
    assert_eq!(claimed.runs.len(), 1);
    assert_eq!((&claimed.runs[0].run, claimed.runs[0].inbox.len()), (&run.run, 1));
    let token = claimed.runs[0].token;
    assert!(
        apply(&store, commit(&run.run, worker, token, 1)).await.is_ok(),
        "the token told is the one that holds"
    );
    assert_eq!(store.claim(&claim(worker, 7, 10)).await.unwrap(), claimed);
    assert!(store.claim(&claim(worker, 8, 10)).await.unwrap().runs.is_empty());
}

/// H6, H13. A server that is killed loses nothing that was acknowledged; the store goes on by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_outlives_its_servers_kill() {
    let server = tokio::task::spawn_blocking(|| Server::start(KIND).unwrap()).await.unwrap();
    let database = server.fresh_database().unwrap();
    let store = open(database.url()).await.unwrap();
    let run = start("a");
    apply(&store, run.clone()).await.unwrap();
    let server = tokio::task::spawn_blocking(move || {
        server.kill();
        server
    });
    let server = server.await.unwrap();
    let batch: Arc<[Write]> = Arc::new([send(&run.run).into()]);
    assert_eq!(store.apply(batch.clone()).await.unwrap_err().kind, StoreErrorKind::Unavailable);
    let _server = tokio::task::spawn_blocking(move || {
        server.restart().unwrap();
        server
    })
    .await
    .unwrap();
    let sent = store.apply(batch).await.unwrap();
    assert_eq!(sent, [Ok(Applied::Sent(run.run.clone()))]);
    assert_eq!(store.describe(&[run.run.into()]).await.unwrap()[0].as_ref().unwrap().inbox, 1);
}

/// H12. Workers of several processes that claim at once share what there is, each run to one of them.
#[tokio::test(flavor = "multi_thread")]
async fn workers_that_claim_at_once_never_get_the_same_run() {
    const RUNS: usize = 60;
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let store = open(database.url()).await.unwrap();
    let starts: Arc<[Write]> = (0..RUNS).map(|n| start(&format!("run-{n}")).into()).collect();
    store.apply(starts).await.unwrap();
    let mut workers = Vec::new();
    for _ in 0..3 {
        let url = database.url().to_owned();
        workers.push(tokio::spawn(async move {
            let store = open(&url).await.unwrap();
            let worker = worker(&store).await;
            let mut got = Vec::new();
            for number in 1..=40 {
                got.extend(store.claim(&claim(worker, number, 5)).await.unwrap().runs);
            }
            got.into_iter().map(|run| run.run).collect::<Vec<_>>()
        }));
    }
    let mut got = Vec::new();
    for worker in workers {
        got.extend(worker.await.unwrap());
    }
    assert_eq!(got.len(), RUNS);
    assert_eq!(got.iter().collect::<HashSet<_>>().len(), RUNS);
}

/// A run ID that is asked for under two workflow IDs, as a run may ask for another's by mistake, is found under its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_not_mistaken_for_another_of_its_run_id() {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let (one, other) = (open(database.url()).await.unwrap(), open(database.url()).await.unwrap());
    let worker = worker(&one).await;
    let run = Start { owner: Some(worker), ..start("a") };
    apply(&one, run.clone()).await.unwrap();
    let elsewhere = RunKey { workflow_id: WorkflowId::new("b").unwrap(), ..run.run.clone() };
    let batch: Arc<[Write]> =
        Arc::new([send(&elsewhere).into(), commit(&run.run, worker, FencingToken(1), 1).into()]);
    let outcomes = other.apply(batch).await.unwrap();
    assert_eq!(outcomes[0], Err(Refusal::RunNotFound));
    assert!(outcomes[1].is_ok(), "{:?}", outcomes[1]);
}

/// Processes that start together make one schema.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_may_be_opened_by_many_at_once() {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let opening = (0..6).map(|_| {
        let url = database.url().to_owned();
        tokio::spawn(async move { open(&url).await.map(drop) })
    });
    for opened in futures::future::join_all(opening).await {
        opened.unwrap().unwrap();
    }
    assert_eq!(database.query("select max(version) from retell_versions").unwrap(), VERSION.to_string());
}

/// A schema of each version before is brought to this one by many processes at once, while a process of that version works
/// on: what it writes is taken, and nothing that was there is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_brought_up_by_many_at_once_while_the_version_before_runs() {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    for statement in [FIRST_SCHEMA, "insert into retell_versions (version) values (1)"] {
        database.query(statement).unwrap();
    }
    let running = std::sync::atomic::AtomicBool::new(true);
    let old = std::thread::scope(|scope| {
        let old = scope.spawn(|| {
            let mut written = 0;
            while written < 3 || running.load(std::sync::atomic::Ordering::SeqCst) {
                written += 1;
                let row = format!("{written}, {}, 'old', 1, 1", id_of(written));
                let columns = "id, worker, identity, expires_at, drained";
                database.query(&format!("insert into workers ({columns}) values ({row})")).unwrap();
            }
            written
        });
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let opening = (0..6).map(|_| {
                    let url = database.url().to_owned();
                    tokio::spawn(async move { open(&url).await.map(drop) })
                });
                for opened in futures::future::join_all(opening).await {
                    opened.unwrap().unwrap();
                }
            });
        });
        running.store(false, std::sync::atomic::Ordering::SeqCst);
        old.join().unwrap()
    });
    assert_eq!(database.query("select max(version) from retell_versions").unwrap(), VERSION.to_string());
    assert_eq!(database.query("select count(*) from workers").unwrap(), old.to_string());
    let store = open(database.url()).await.unwrap();
    apply(&store, start("a")).await.unwrap();
}

/// A schema of a newer program, and one of another, are refused untouched.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_newer_or_anothers_is_refused() {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    drop(open(database.url()).await.unwrap());
    database.query("insert into retell_versions (version) values (99)").unwrap();
    let error = open(database.url()).await.unwrap_err();
    assert!(matches!(error.kind, StoreErrorKind::Newer { found: 99, .. }), "{error:?}");
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    database.query("create table runs (distance int)").unwrap();
    let error = open(database.url()).await.unwrap_err();
    assert!(matches!(error.kind, StoreErrorKind::NotAStore(_)), "{error:?}");
}

/// Writes that wait while a batch is committed share the next transaction.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_writes_are_committed_together() {
    const WRITES: usize = 200;
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let store = Arc::new(open_with_one_lane(database.url()).await.unwrap());
    let writing = (0..WRITES).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { apply(&store, start(&format!("run-{n}"))).await.unwrap() })
    });
    futures::future::join_all(writing).await;
    let commits = store.commits();
    assert!(commits < WRITES as u64 / 2, "{WRITES} writes took {commits} commits");
}

/// What another process commits wakes those who wait here.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_another_process_is_heard() {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let (here, there) = (open(database.url()).await.unwrap(), open(database.url()).await.unwrap());
    apply(&there, start("a")).await.unwrap();
    let seen = here.changed(Interest::Work, Mark::default()).await;
    apply(&there, start("b")).await.unwrap();
    assert!(here.changed(Interest::Work, seen).await > seen);
}

/// A step of a workflow that stays where it is: one commit, in so many statements. What they cost is what a step costs.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_takes_few_statements() {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let store = open_with_one_lane(database.url()).await.unwrap();
    let worker = worker(&store).await;
    let run = Start { owner: Some(worker), ..start("a") };
    apply(&store, run.clone()).await.unwrap();
    let token = FencingToken(1);
    apply(&store, commit(&run.run, worker, token, 1)).await.unwrap();
    let mut counts = Vec::new();
    for write in [Write::from(commit(&run.run, worker, token, 2)), send(&run.run).into(), start("b").into()] {
        let before = store.statements();
        apply(&store, write).await.unwrap();
        counts.push(store.statements() - before);
    }
    store.claim(&claim(worker, 1, 0)).await.unwrap();
    let before = store.statements();
    store.claim(&claim(worker, 2, 0)).await.unwrap();
    counts.push(store.statements() - before);
    assert_eq!(
        counts,
        crate::subject::STATEMENTS,
        "of a step, a message, a start, and a claim that finds nothing"
    );
}

/// H2, H4. A step may be planned over what this process remembers of its run; what others have done to it since is found
/// all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_finds_what_other_processes_have_done_to_its_run() {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let (here, there) = (open(database.url()).await.unwrap(), open(database.url()).await.unwrap());
    let worker = worker(&here).await;
    let run = Start { owner: Some(worker), ..start("a") };
    apply(&here, run.clone()).await.unwrap();
    let token = FencingToken(1);
    apply(&here, commit(&run.run, worker, token, 1)).await.unwrap();
    apply(&there, send(&run.run)).await.unwrap();
    let told = apply(&here, commit(&run.run, worker, token, 2)).await;
    assert_eq!(told, Ok(Applied::Committed { inbox: Position(1), started: Vec::new() }));
    apply(&here, send(&run.run)).await.unwrap();
    assert_eq!(here.describe(&[run.run.clone().into()]).await.unwrap()[0].as_ref().unwrap().inbox, 2);
    apply(&here, commit(&run.run, worker, token, 3)).await.unwrap();
    there.renew(&Renewal { worker, action: LeaseAction::Retire }).await.unwrap();
    let refused = apply(&here, commit(&run.run, worker, token, 4)).await;
    assert_eq!(refused, Err(Refusal::LeaseLost));
    assert!(matches!(apply(&here, start("a")).await, Err(Refusal::IdTaken(_))));
}

/// H2. A step of a run whose row is gone is refused, and makes no row of what is remembered of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_a_run_that_is_gone_leaves_nothing() {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let store = open(database.url()).await.unwrap();
    let worker = worker(&store).await;
    let (gone, kept) =
        (Start { owner: Some(worker), ..start("a") }, Start { owner: Some(worker), ..start("b") });
    let token = FencingToken(1);
    for run in [&gone, &kept] {
        apply(&store, run.clone()).await.unwrap();
        apply(&store, commit(&run.run, worker, token, 1)).await.unwrap();
    }
    database.query("delete from runs where workflow_id = 'a'").unwrap();
    assert_eq!(apply(&store, commit(&gone.run, worker, token, 2)).await, Err(Refusal::LeaseLost));
    apply(&store, commit(&kept.run, worker, token, 2)).await.unwrap();
    assert_eq!(database.query("select count(*) from runs").unwrap(), "1");
    assert_eq!(database.query("select count(*) from records where first > 2").unwrap(), "1");
}
