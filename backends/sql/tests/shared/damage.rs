//! H10: rows that somebody else's hand was at stop their own run only. The same for each store on a SQL server: `subject`
//! says which.

use std::sync::Arc;

use bytes::Bytes;
use retell::Orchestrator;
use retell::backend::{ActivityRequest, Backend, Claim, ListRequest, StatusFilter};
use retell::vocabulary::{ActivityName, Attempt, EventId, FencingToken, Namespace, TaskQueue, Timestamp};
use retell::workflow::{WorkflowContext, WorkflowResult};
use retell::write::{Commit, NewActivityTask, Refusal, Start, TaskFailureKind, Write};
use retell_servers::{Endpoint, shared};

use crate::server::{apply, claim, commit, send, start, worker};
use crate::subject::{DAMAGE, GARBAGE, KIND, Store, open};

/// What a hand may do to the run of the workflow ID `bad` on every server.
const DAMAGE_ANYWHERE: &[&str] = &[
    "update runs set head = -5 where workflow_id = 'bad'",
    "update runs set token = -5 where workflow_id = 'bad'",
    "update runs set taken_in = -5 where workflow_id = 'bad'",
];

/// Two runs with a message each, both with a workflow task that failed before.
struct Damaged {
    database: Endpoint,
    store: Store,
    bad: Start,
    good: Start,
}

impl Damaged {
    async fn by(statements: &[&str]) -> Self {
        let database = shared(KIND).unwrap().fresh_database().unwrap();
        let store = open(database.url()).await.unwrap();
        let (bad, good) = (start("bad"), start("good"));
        for start in [&bad, &good] {
            apply(&store, start.clone()).await.unwrap();
            apply(&store, send(&start.run)).await.unwrap();
        }
        database.query("update runs set parked = 1").unwrap();
        for statement in statements {
            database.query(statement).unwrap();
        }
        Self { database, store, bad, good }
    }
}

fn list() -> ListRequest {
    ListRequest {
        namespace: Namespace::default(),
        workflow_id: None,
        workflow: None,
        status: StatusFilter::Any,
        attributes: Vec::new(),
        page_size: 10,
        after: None,
    }
}

/// The good run is claimed; the bad one is parked and says why, and no claim meets it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_row_parks_its_run_only() {
    for damage in DAMAGE_ANYWHERE.iter().chain(DAMAGE) {
        let Damaged { database, store, good, .. } = Damaged::by(&[damage]).await;
        let worker = worker(&store).await;
        let runs = store.claim(&claim(worker, 1, 10)).await.unwrap().runs;
        assert_eq!(runs.iter().map(|run| &run.run).collect::<Vec<_>>(), [&good.run], "{damage}");
        apply(&store, commit(&good.run, worker, FencingToken(1), 1)).await.unwrap();
        assert!(store.claim(&claim(worker, 2, 10)).await.unwrap().runs.is_empty(), "{damage}");
        let parked = "select count(*) from runs where parked = 1 and wake_at is null and owner = 0";
        assert_eq!(database.query(parked).unwrap(), "1", "{damage}");
        let page = store.list(&list()).await.unwrap();
        let bad = page.runs.iter().find(|info| info.run.workflow_id.as_str() == "bad");
        // One whose own ID is gone can be shown to nobody.
        if let Some(bad) = bad {
            let failure = bad.failure.as_ref().unwrap();
            assert_eq!(failure.kind, TaskFailureKind::History, "{damage}");
            assert!(failure.message.contains("damaged"), "{}", failure.message);
        } else {
            assert!(damage.contains("set run_id"), "{damage}");
        }
    }
}

/// What comes for a run that its worker holds, and cannot be read, keeps nothing from other runs of the worker.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_message_for_a_held_run_keeps_nothing_from_others() {
    let Some(damage) = DAMAGE.iter().find(|damage| damage.contains("inbox")) else { return };
    let Damaged { database, store, bad, good } = Damaged::by(&[]).await;
    let worker = worker(&store).await;
    assert_eq!(store.claim(&claim(worker, 1, 10)).await.unwrap().runs.len(), 2);
    for run in [&bad.run, &good.run] {
        apply(&store, send(run)).await.unwrap();
    }
    database.query(damage).unwrap();
    let unread = store.claim(&claim(worker, 2, 10)).await.unwrap().unread;
    assert_eq!(unread.iter().map(|unread| &unread.run).collect::<Vec<_>>(), [&good.run]);
    let refused = apply(&store, commit(&bad.run, worker, FencingToken(1), 1)).await;
    assert_eq!(refused, Err(Refusal::LeaseLost), "its holder hears that it has it no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_to_a_damaged_run_spares_its_batch() {
    let damaged =
        Damaged::by(&["update runs set inbox_last = -5, shown = -5 where workflow_id = 'bad'"]).await;
    let batch: Arc<[Write]> =
        Arc::new([start("before").into(), send(&damaged.bad.run).into(), send(&damaged.good.run).into()]);
    let outcomes = damaged.store.apply(batch).await.unwrap();
    assert!(matches!(outcomes[..], [Ok(_), Err(Refusal::Invalid(_)), Ok(_)]), "{outcomes:?}");
}

/// Activities that cannot be read, one whose run is gone among them, are put aside; the sound one is run.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_activity_is_put_aside() {
    let Damaged { database, store, .. } = Damaged::by(&[]).await;
    let worker = worker(&store).await;
    let runs = store.claim(&claim(worker, 1, 10)).await.unwrap().runs;
    let started = [start("details"), start("orphan")];
    for start in &started {
        apply(&store, Start { owner: Some(worker), ..start.clone() }).await.unwrap();
    }
    let task = NewActivityTask {
        scheduled: EventId(2),
        activity: ActivityName::new("charge").unwrap(),
        task_queue: TaskQueue::default(),
        priority: 0,
        call: Bytes::from_static(b"call"),
        attempt: Attempt(1),
        visible_at: Timestamp::EPOCH,
        close_by: None,
        last_failure: None,
        details: None,
        running: false,
    };
    for run in runs.iter().map(|run| &run.run).chain(started.iter().map(|start| &start.run)) {
        let scheduling = Commit { schedule: vec![task.clone()], ..commit(run, worker, FencingToken(1), 1) };
        apply(&store, scheduling).await.unwrap();
    }
    let of = |id: &str| format!("run = (select id from runs where workflow_id = '{id}')");
    for statement in [
        format!("update activities set attempt = -5 where {}", of("bad")),
        format!("update activities set details = {GARBAGE} where {}", of("details")),
        "delete from runs where workflow_id = 'orphan'".to_owned(),
    ] {
        database.query(&statement).unwrap();
    }
    let asked = |number| Claim {
        activities: vec![ActivityRequest { names: vec![task.activity.clone()], max: 10 }],
        ..claim(worker, number, 0)
    };
    let activities = store.claim(&asked(2)).await.unwrap().activities;
    let ids: Vec<_> = activities.iter().map(|activity| activity.run.workflow_id.as_str()).collect();
    assert_eq!(ids, ["good"]);
    assert!(store.claim(&asked(3)).await.unwrap().activities.is_empty());
    assert_eq!(database.query("select count(*) from activities where owner = -1").unwrap(), "3");
}

/// Names and workers that cannot be read keep nobody else from claiming.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_name_or_worker_keeps_nobody_from_claiming() {
    let Damaged { database, store, .. } = Damaged::by(&[]).await;
    let asking = worker(&store).await;
    worker(&store).await;
    // Some servers keep a worker's ID from losing its length.
    let _ = database
        .query(&format!("update workers set worker = {GARBAGE} where id = (select max(id) from workers)"));
    let kind = "insert into workflow_kinds (id, namespace, task_queue, name, version, semantics) \
                select 1000000, namespace, task_queue, '', version, semantics from workflow_kinds";
    database.query(kind).unwrap();
    assert_eq!(store.claim(&claim(asking, 1, 10)).await.unwrap().runs.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_beside_a_runs_key_hides_no_run() {
    let lost = "delete from run_details where run = (select id from runs where workflow_id = 'bad')";
    let garbled = format!("update run_details set attributes = {GARBAGE} where run in (select id from runs)");
    for damage in [lost, &garbled] {
        let Damaged { store, bad, .. } = Damaged::by(&[damage]).await;
        let found = store.describe(&[bad.run.into()]).await.unwrap();
        assert!(found[0].as_ref().unwrap().failure.is_some(), "{damage}");
        assert_eq!(store.list(&list()).await.unwrap().runs.len(), 2, "{damage}");
    }
}

#[retell::workflow]
async fn listening(cx: WorkflowContext, _: ()) -> WorkflowResult<u32> {
    Ok(cx.signal::<u32>("number").await?)
}

/// A record of a history that does not decode parks its run, which says so; others end.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_does_not_decode_parks_its_run_only() {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let engine = async || {
        let store = open(database.url()).await.unwrap();
        Orchestrator::new(store).workflow(listening).start().await.unwrap()
    };
    let first = engine().await;
    let started =
        [first.start(listening, "bad", ()).await.unwrap(), first.start(listening, "good", ()).await.unwrap()];
    drop(started);
    first.shutdown().await;
    let bad = "(select id from runs where workflow_id = 'bad')";
    database.query(&format!("update records set bytes = {GARBAGE} where run = {bad}")).unwrap();
    let second = engine().await;
    let [bad, good] = ["bad", "good"].map(|id| second.client().handle(listening, id).unwrap());
    bad.signal("number", &1_u32).await.unwrap();
    good.signal("number", &2_u32).await.unwrap();
    assert_eq!(good.result().await.unwrap(), 2);
    loop {
        let failure = bad.describe().await.unwrap().failure;
        if let Some(failure) = failure {
            assert_eq!(failure.kind, TaskFailureKind::History, "{failure:?}");
            break;
        }
        tokio::task::yield_now().await;
    }
    second.shutdown().await;
}
