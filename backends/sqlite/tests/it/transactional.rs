//! H5. Activities whose outcome commits with the user's own transaction: the effect on the user's data and the outcome are
//! exactly once.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use retell::block_on;
use retell::clock::ManualClock;
use retell::prelude::*;
use retell::vocabulary::{Failure, IdReusePolicy};
use retell::worker::WorkerOptions;
use retell::workflow::CallError;
use retell_sqlite::Sqlite;
use retell_sqlite::rusqlite::Connection;

use crate::kit::{folder, on_a_runtime};
use crate::process::{Process, say};

/// What an attempt does before it commits, by its number in the plan.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Commit,
    Fail,
    Panic,
    /// Commits without the outcome having been there before: what comes to pass by itself afterwards counts for nothing.
    CommitThenFail,
    /// Says that it has begun, and goes on when it is told to.
    Wait,
}

/// What the attempts of a test do, and who is told that one waits.
struct Plan {
    acts: Mutex<Vec<Act>>,
    waits: Mutex<Option<(Sender<()>, Receiver<()>)>>,
    /// By which one that waits can be ended.
    token: Mutex<Option<ActivityToken>>,
    /// What the commit of an attempt that waited came to.
    waited: Mutex<Vec<Result<u32, Failure>>>,
}

impl Plan {
    fn of(acts: &[Act]) -> Arc<Self> {
        let acts = Mutex::new(acts.iter().rev().copied().collect());
        let (waits, token, waited) = Default::default();
        Arc::new(Self { acts, waits, token, waited })
    }

    /// The ends of a wait: hears that an attempt has begun, and lets it go on.
    fn meet(&self) -> (Receiver<()>, Sender<()>) {
        let ((began, begun), (go, going)) = (channel(), channel());
        *self.waits.lock().unwrap() = Some((began, going));
        (begun, go)
    }

    fn next(&self) -> Act {
        self.acts.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or(Act::Commit)
    }
}

/// Attempts say how far they are, for a parent process that kills this one.
struct Loud;

#[retell::activity(transactional)]
fn transfer(cx: ActivityContext, cents: u32) -> Result<u32, ActivityError> {
    let (store, plan) = (cx.state::<Arc<Sqlite>>()?, cx.state::<Arc<Plan>>()?);
    let act = plan.next();
    if act == Act::Wait {
        *plan.token.lock().unwrap() = Some(block_on(cx.token())?);
        let waits = plan.waits.lock().unwrap().take();
        let (began, going) = waits.unwrap();
        began.send(()).unwrap();
        going.recv().unwrap();
    }
    let mut connection = store.connection()?;
    let tx = store.begin(&mut connection)?;
    tx.execute("INSERT INTO effects (cents, attempt) VALUES (?1, ?2)", [cents, cx.attempt().0])?;
    match act {
        Act::Fail => return Err(ActivityError::new("Declined", "not today")),
        Act::Panic => panic!("on purpose"),
        Act::Commit | Act::CommitThenFail | Act::Wait => {}
    }
    let loud = cx.state::<Loud>().is_ok();
    if loud {
        say("about to commit");
    }
    let done = block_on(cx.commit(tx, cents + cx.attempt().0));
    if loud {
        say("committed");
    }
    if act == Act::Wait {
        let done = done.as_ref().map(|done| *done).map_err(|error| error.failure().clone());
        plan.waited.lock().unwrap().push(done);
    }
    if act == Act::CommitThenFail {
        return Err(ActivityError::new("TooLate", "the outcome is there").non_retryable());
    }
    done
}

/// Not marked, so its calls have no row that could fence it.
#[retell::activity]
fn unmarked(cx: ActivityContext, cents: u32) -> Result<u32, ActivityError> {
    let store = cx.state::<Arc<Sqlite>>()?;
    let mut connection = store.connection()?;
    let tx = store.begin(&mut connection)?;
    tx.execute("INSERT INTO effects (cents, attempt) VALUES (?1, ?2)", [cents, cx.attempt().0])?;
    block_on(cx.commit(tx, cents))
}

#[retell::workflow]
async fn pay(cx: WorkflowContext, cents: u32) -> WorkflowResult<u32> {
    let policy = RetryPolicy::fixed(Duration::ZERO).attempts(4);
    Ok(cx.activity(transfer, &cents).retry(policy).await?)
}

/// As [`pay`], but the next attempt is in no hurry.
#[retell::workflow]
async fn pay_later(cx: WorkflowContext, cents: u32) -> WorkflowResult<u32> {
    let policy = RetryPolicy::fixed(Duration::from_millis(300));
    Ok(cx.activity(transfer, &cents).retry(policy).await?)
}

#[retell::workflow]
async fn pay_in_time(cx: WorkflowContext, cents: u32) -> WorkflowResult<u32> {
    let policy = RetryPolicy::fixed(Duration::ZERO).attempts(4);
    let call = cx.activity(transfer, &cents).start_to_close(Duration::from_secs(30));
    Ok(call.retry(policy).await?)
}

#[retell::workflow]
async fn pay_wrongly(cx: WorkflowContext, cents: u32) -> WorkflowResult<Vec<String>> {
    let mut told = Vec::new();
    for failed in [cx.activity(unmarked, &cents).await, cx.local_activity(transfer, &cents).await] {
        let Err(CallError::Failed(failure)) = failed else { return Err(WorkflowError::new("it went well")) };
        told.push(failure.error_type.to_string());
    }
    Ok(told)
}

fn open(path: &Path, clock: Option<&ManualClock>) -> Arc<Sqlite> {
    let options = Sqlite::options(path);
    let options = match clock {
        Some(clock) => options.clock(Arc::new(clock.clone())),
        None => options,
    };
    let store = Arc::new(options.open().unwrap());
    let effects = "CREATE TABLE IF NOT EXISTS effects (cents INTEGER NOT NULL, attempt INTEGER NOT NULL)";
    store.connection().unwrap().execute_batch(effects).unwrap();
    store
}

fn orchestrator(store: &Arc<Sqlite>, plan: &Arc<Plan>) -> Orchestrator {
    Orchestrator::new(store.clone())
        .workflow(pay)
        .workflow(pay_later)
        .workflow(pay_in_time)
        .workflow(pay_wrongly)
        .activity(transfer)
        .activity(unmarked)
        .state(store.clone())
        .state(plan.clone())
}

/// Waits while time passes by itself, a millisecond at a time.
async fn as_time_passes<T>(clock: &ManualClock, future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    loop {
        match select(future, std::pin::pin!(tokio::time::sleep(Duration::from_millis(1)))).await {
            Either::Left((output, _)) => return output,
            Either::Right((_, unfinished)) => future = unfinished,
        }
        clock.advance(Duration::from_millis(1));
    }
}

/// Each effect with the attempt that had it.
fn effects(store: &Sqlite) -> Vec<(u32, u32)> {
    let connection: Connection = store.connection().unwrap();
    let mut statement = connection.prepare("SELECT cents, attempt FROM effects ORDER BY cents").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

async fn paid(acts: &[Act]) -> (u32, Vec<(u32, u32)>) {
    let folder = folder();
    let store = open(&folder.path().join("shop.db"), None);
    let engine = orchestrator(&store, &Plan::of(acts)).start().await.unwrap();
    let paid = engine.start(pay, "pay-1", 100).await.unwrap().result().await.unwrap();
    engine.shutdown().await;
    (paid, effects(&store))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_effect_and_the_outcome_commit_together() {
    assert_eq!(paid(&[Act::Commit]).await, (101, vec![(100, 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_fails_or_panics_leaves_no_effect() {
    assert_eq!(paid(&[Act::Fail, Act::Panic, Act::Commit]).await, (103, vec![(100, 3)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_body_does_after_its_commit_changes_nothing() {
    assert_eq!(paid(&[Act::CommitThenFail]).await, (101, vec![(100, 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_commit_side_by_side() {
    let folder = folder();
    let store = open(&folder.path().join("shop.db"), None);
    let engine = orchestrator(&store, &Plan::of(&[])).start().await.unwrap();
    let mut runs = Vec::new();
    for cents in 0..50 {
        runs.push(engine.start(pay, format!("pay-{cents}"), cents).await.unwrap());
    }
    for (cents, run) in (0..50).zip(runs) {
        assert_eq!(run.result().await.unwrap(), cents + 1);
    }
    engine.shutdown().await;
    assert_eq!(effects(&store), (0..50).map(|cents| (cents, 1)).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_a_row_cannot_commit_and_says_why() {
    let folder = folder();
    let store = open(&folder.path().join("shop.db"), None);
    let engine = orchestrator(&store, &Plan::of(&[])).start().await.unwrap();
    let told = engine.start(pay_wrongly, "pay-1", 100).await.unwrap().result().await.unwrap();
    assert_eq!(told, ["NotTransactional", "NotTransactional"]);
    engine.shutdown().await;
    assert_eq!(effects(&store), []);
}

/// An attempt that took too long is over, whatever it still does: only the next one commits.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_timed_out_cannot_commit() {
    let folder = folder();
    let clock = ManualClock::default();
    let store = open(&folder.path().join("shop.db"), Some(&clock));
    let plan = Plan::of(&[Act::Wait, Act::Commit]);
    let (begun, go) = plan.meet();
    let engine = orchestrator(&store, &plan).clock(clock.clone());
    let engine =
        engine.options(WorkerOptions::default().lease(Duration::from_secs(600))).start().await.unwrap();
    let run = engine.start(pay_in_time, "pay-1", 100).await.unwrap();
    tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
    clock.advance(Duration::from_secs(31));
    assert_eq!(as_time_passes(&clock, run.result()).await.unwrap(), 102);
    go.send(()).unwrap();
    as_time_passes(&clock, engine.shutdown()).await;
    assert_eq!(effects(&store), [(100, 2)]);
    let waited = plan.waited.lock().unwrap();
    assert_eq!(&*waited[0].as_ref().unwrap_err().error_type, "AttemptLost");
}

/// H5. An attempt that somebody else has ended, behind its worker's back, cannot commit: the store tells it from the next.
#[test]
fn a_stale_attempt_is_refused_by_the_store_and_its_effect_rolled_back() {
    on_a_runtime(async {
        let folder = folder();
        let store = open(&folder.path().join("shop.db"), None);
        let plan = Plan::of(&[Act::Wait]);
        let (begun, go) = plan.meet();
        let engine = orchestrator(&store, &plan).start().await.unwrap();
        let run = engine.start(pay_later, "pay-1", 100).await.unwrap();
        tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
        let token = plan.token.lock().unwrap().take().unwrap();
        let given_up = ActivityError::new("GivenUp", "it takes too long");
        engine.client().fail_activity(&token, given_up).await.unwrap();
        go.send(()).unwrap();
        assert_eq!(run.result().await.unwrap(), 102);
        engine.shutdown().await;
        assert_eq!(effects(&store), [(100, 2)]);
        let waited = plan.waited.lock().unwrap();
        assert_eq!(&*waited[0].as_ref().unwrap_err().error_type, "AttemptLost");
    });
}

/// H2. A body whose worker has lost its lease, and the attempt with it to another process, changes nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_of_a_worker_that_lost_its_lease_cannot_commit() {
    const LEASE: Duration = Duration::from_secs(10);
    let folder = folder();
    let path = folder.path().join("shop.db");
    let clock = ManualClock::default();
    let (store, other) = (open(&path, Some(&clock)), open(&path, Some(&clock)));
    let plan = Plan::of(&[Act::Wait]);
    let (begun, go) = plan.meet();
    // Its own clock stands still, so that it does not renew its lease.
    let options = WorkerOptions::default().lease(LEASE);
    let stale = orchestrator(&store, &plan).clock(ManualClock::default()).options(options.clone());
    let stale = stale.start().await.unwrap();
    stale.start(pay, "pay-1", 100).await.unwrap();
    tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
    clock.advance(LEASE);
    let taking_over = orchestrator(&other, &Plan::of(&[])).clock(clock.clone()).options(options);
    let taking_over = taking_over.start().await.unwrap();
    let run = taking_over.handle(pay, "pay-1").unwrap();
    assert_eq!(as_time_passes(&clock, run.result()).await.unwrap(), 102);
    go.send(()).unwrap();
    while plan.waited.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let failure = plan.waited.lock().unwrap()[0].clone().unwrap_err();
    assert_eq!(&*failure.error_type, "AttemptLost");
    assert_eq!(effects(&store), [(100, 2)]);
    as_time_passes(&clock, taking_over.shutdown()).await;
}

/// How many payments the processes make that are killed one after the other.
const PAYMENTS: u32 = 24;

/// What a process does that is to be killed: goes on with the payments of those before it.
pub(crate) fn pay_until_killed(store: Sqlite) {
    let store = Arc::new(store);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let engine = orchestrator(&store, &Plan::of(&[])).state(Loud).start().await.unwrap();
        for cents in 0..PAYMENTS {
            let start = engine.start(pay, format!("pay-{cents}"), cents);
            let run = match start.id_conflict(IdConflict::UseExisting).id_reuse(IdReusePolicy::Reject).await {
                Ok(run) => run,
                Err(_) => engine.handle(pay, format!("pay-{cents}")).unwrap(),
            };
            run.result().await.unwrap();
            say("paid");
        }
        engine.shutdown().await;
        say("all paid");
    });
}

/// H6. Killed before, in and after the commit: each effect is there once, and it is the one that the outcome tells of.
#[test]
fn a_kill_at_any_point_leaves_each_effect_once() {
    on_a_runtime(async {
        let folder = folder();
        let path = folder.path().join("shop.db");
        drop(open(&path, None));
        for nth in 0.. {
            let mut process = Process::start(&path, "pay");
            let until = ["about to commit", "committed", "paid"][nth % 3];
            // Further on with each one, so that they come to an end.
            let mut heard = 0;
            let killed = loop {
                match process.line().as_deref() {
                    Some("all paid") => break false,
                    Some(line) if line == until => heard += 1,
                    Some(_) => {}
                    None => panic!("the process ended by itself"),
                }
                if heard > nth / 3 {
                    break true;
                }
            };
            process.kill();
            if !killed {
                break;
            }
        }
        let store = open(&path, None);
        let effects = effects(&store);
        assert_eq!(
            effects.iter().map(|(cents, _)| *cents).collect::<Vec<_>>(),
            (0..PAYMENTS).collect::<Vec<_>>()
        );
        let client = Orchestrator::new(store.clone()).client();
        for (cents, attempt) in effects {
            let run = client.handle(pay, format!("pay-{cents}")).unwrap();
            assert_eq!(run.result().await.unwrap(), cents + attempt);
        }
    });
}

/// A body can be tested without an engine: then it commits, and nobody hears of it.
#[test]
fn without_a_worker_the_transaction_is_all_that_commits() {
    use retell::activity::{ActivityInfo, CancelFlag, SharedState};
    use retell::vocabulary::{ActivityName, Attempt, EventId, Namespace, RunId, RunKey, WorkflowId};

    let folder = folder();
    let store = open(&folder.path().join("shop.db"), None);
    let info = ActivityInfo {
        run: RunKey {
            namespace: Namespace::default(),
            workflow_id: WorkflowId::new("pay-1").unwrap(),
            run_id: RunId::fresh(),
        },
        activity: ActivityName::new("transfer").unwrap(),
        scheduled: EventId(3),
        attempt: Attempt(1),
        last_failure: None,
        heartbeat_details: None,
    };
    let mut state = SharedState::default();
    state.insert(store.clone());
    state.insert(Plan::of(&[]));
    let cx = ActivityContext::new(info, Arc::new(state), CancelFlag::default());
    let paid = <transfer as BlockingActivity>::run(cx, 100);
    assert_eq!(paid.map_err(|error| error.to_string()), Ok(101));
    assert_eq!(effects(&store), [(100, 1)]);
}
