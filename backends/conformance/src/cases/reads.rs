//! What can be read without a history.

use std::collections::BTreeSet;

use bytes::Bytes;
use retell::backend::{
    AttributeFilter, AttributeMatch, ListRequest, RunInfo, RunStatus, StatusFilter, StoreStats,
};
use retell::vocabulary::{AttributeValue, Attributes, EventId, Namespace, RunId, TaskQueue};
use retell::write::{
    ActivityVerdict, CloseStatus, Commit, Hold, Next, OpenRun, Shown, Start, TaskFailure, TaskFailureKind,
};

use crate::world::{
    Held, SECOND, World, list_all, message, open_run_of, order, sleeping, workflow_id, workflow_type,
};

fn ids(runs: &[RunInfo]) -> Vec<&str> {
    runs.iter().map(|info| info.run.workflow_id.as_str()).collect()
}

/// All that a start says of its run is stored, priority, fairness key and queue included.
pub async fn a_run_is_described_as_it_was_started(world: World) {
    let start = Start {
        workflow: workflow_type("order", 7),
        task_queue: TaskQueue::new("slow").unwrap(),
        priority: -3,
        fairness_key: Some("tenant 5".into()),
        inbox: vec![message("one")],
        wake_at: world.now() + SECOND,
        ..world.new_start("a")
    };
    world.applied(start.clone()).await;
    let wanted = RunInfo {
        run: start.run.clone(),
        workflow: start.workflow,
        task_queue: start.task_queue,
        priority: -3,
        fairness_key: Some("tenant 5".into()),
        attributes: start.attributes,
        memo: start.memo,
        status: RunStatus::Running,
        started_at: world.now(),
        closed_at: None,
        head: EventId(1),
        inbox: 1,
        wake_at: Some(start.wake_at),
        owner: None,
        failure: None,
        outcome: None,
        continued_as: None,
        published: None,
        paused: false,
    };
    assert_eq!(world.info(start.run).await, wanted);
}

/// A result is read without its history, and for as long as the run is kept.
pub async fn a_closed_run_keeps_its_outcome(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    world.clock.advance(SECOND);
    let outcome = Bytes::from(vec![0, 255, 10]);
    let next = Next::Closed { status: CloseStatus::Failed, outcome: outcome.clone() };
    world.applied(Commit { next, ..world.new_close(&held) }).await;
    let closed_at = world.now();
    world.clock.advance(SECOND);
    let info = world.info(open_run_of("a")).await;
    assert_eq!((info.status, info.outcome), (RunStatus::Closed(CloseStatus::Failed), Some(outcome)));
    assert_eq!((info.closed_at, info.owner, info.wake_at), (Some(closed_at), None, None));
}

/// One read for many runs; an unknown one is `None` in its place.
pub async fn many_are_described_in_the_order_asked(world: World) {
    let (first, second) = (world.started("a").await, world.started("b").await);
    let unknown = retell::vocabulary::RunKey { run_id: RunId::fresh(), ..first.clone() };
    let targets = [second.clone().into(), unknown.into(), first.clone().into(), open_run_of("b")];
    let infos = world.store.describe(&targets).await.unwrap();
    let runs: Vec<_> = infos.into_iter().map(|info| info.map(|info| info.run)).collect();
    assert_eq!(runs, [Some(second.clone()), None, Some(first), Some(second)]);
    assert!(world.store.describe(&[]).await.unwrap().is_empty());
}

/// A workflow ID means its open run, else the one that was started last.
pub async fn a_target_without_a_run_id_is_the_open_run_or_the_latest(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    let second = world.new_start("a");
    world.applied(world.new_continue(&held, &second)).await;
    assert_eq!(world.info(open_run_of("a")).await.run, second.run);
    world.applied(world.new_terminate(second.run.clone())).await;
    assert_eq!(world.info(open_run_of("a")).await.run, second.run);
    assert_eq!(world.info(held.run.clone()).await.continued_as, Some(second.run.run_id));
}

/// Pages follow each other without a gap or a repetition, from the newest start to the oldest.
pub async fn lists_go_from_new_to_old_in_pages(world: World) {
    let mut wanted = Vec::new();
    for index in 0..25 {
        wanted.push(world.started(&format!("run-{index}")).await);
        world.clock.advance(SECOND);
    }
    wanted.reverse();
    for page_size in [1, 7, 25, 1_000] {
        let listed = world.list(ListRequest { page_size, ..list_all() }).await;
        let runs: Vec<_> = listed.into_iter().map(|info| info.run).collect();
        assert_eq!(runs, wanted, "{page_size} to a page");
    }
    let page = world.store.list(&ListRequest { page_size: 25, ..list_all() }).await.unwrap();
    assert_eq!(page.next, None, "the last page says that it is the last");
}

/// Runs that started in the same microsecond are told apart by run ID, the greater first.
pub async fn runs_of_one_instant_are_listed_once_each(world: World) {
    for index in 0..10 {
        world.started(&format!("run-{index}")).await;
    }
    let listed = world.list(ListRequest { page_size: 3, ..list_all() }).await;
    let runs: Vec<_> = listed.iter().map(|info| info.run.run_id).collect();
    assert!(runs.is_sorted_by(|one, next| one > next), "{runs:?}");
    assert_eq!(runs.len(), 10);
}

/// What starts or closes while somebody leafs through a list moves nothing on the pages that follow.
pub async fn a_page_is_followed_by_the_same_page_whatever_starts(world: World) {
    for id in ["d", "c", "b", "a"] {
        world.started(id).await;
        world.clock.advance(SECOND);
    }
    let first = world.store.list(&ListRequest { page_size: 2, ..list_all() }).await.unwrap();
    assert_eq!(ids(&first.runs), ["a", "b"]);
    world.started("newer").await;
    world.applied(world.new_terminate(first.runs[1].run.clone())).await;
    let second = world.list(ListRequest { page_size: 2, after: first.next, ..list_all() }).await;
    assert_eq!(ids(&second), ["c", "d"]);
}

/// One run of each status, newest last: open, parked, completed, failed, cancelled, terminated, continued and its
/// successor, which is of another workflow.
async fn one_of_each(world: &World) {
    let worker = world.worker().await;
    world.started("open").await;
    world.clock.advance(SECOND);
    let parked = world.started_by(worker, "parked").await;
    let failure = Some(TaskFailure {
        kind: TaskFailureKind::ForeignAwait,
        message: "awaits what is not ours".to_owned(),
        count: 1,
        at: world.now(),
    });
    let next = Next::Open(OpenRun { failure, ..sleeping(Hold::Keep) });
    world.applied(Commit { next, ..world.new_hold(&parked, Hold::Keep) }).await;
    let closings = [
        ("completed", CloseStatus::Completed),
        ("failed", CloseStatus::Failed),
        ("cancelled", CloseStatus::Cancelled),
    ];
    for (id, status) in closings {
        world.clock.advance(SECOND / 2);
        let held = world.started_by(worker, id).await;
        let next = Next::Closed { status, outcome: Bytes::new() };
        world.applied(Commit { next, ..world.new_close(&held) }).await;
    }
    world.clock.advance(SECOND);
    let run = world.started("terminated").await;
    world.applied(world.new_terminate(run)).await;
    world.clock.advance(SECOND);
    let held = world.started_by(worker, "continued").await;
    world.clock.advance(SECOND);
    let successor = Start { workflow: workflow_type("other", 1), ..world.new_start("continued") };
    world.applied(world.new_continue(&held, &successor)).await;
}

/// Status, workflow ID and name narrow a list, alone and together.
pub async fn lists_are_filtered(world: World) {
    one_of_each(&world).await;
    let all = list_all();
    let check = async |request: ListRequest, wanted: &[&str]| {
        for page_size in [1, 100] {
            let listed = world.list(ListRequest { page_size, ..request.clone() }).await;
            assert_eq!(ids(&listed), wanted, "{request:?}");
        }
    };
    let with = |status| ListRequest { status, ..list_all() };
    check(with(StatusFilter::Open), &["continued", "parked", "open"]).await;
    check(with(StatusFilter::Parked), &["parked"]).await;
    let closed = ["continued", "terminated", "cancelled", "failed", "completed"];
    check(with(StatusFilter::Closed), &closed).await;
    check(with(StatusFilter::ClosedAs(CloseStatus::Failed)), &["failed"]).await;
    check(with(StatusFilter::ClosedAs(CloseStatus::ContinuedAsNew)), &["continued"]).await;
    let continued = ListRequest { workflow_id: Some(workflow_id("continued")), ..all.clone() };
    check(continued.clone(), &["continued", "continued"]).await;
    check(ListRequest { status: StatusFilter::Open, ..continued }, &["continued"]).await;
    let others = ListRequest { workflow: Some(workflow_type("other", 1).name), ..all.clone() };
    check(others.clone(), &["continued"]).await;
    check(ListRequest { status: StatusFilter::Closed, ..others }, &[]).await;
    let orders = ListRequest { workflow: Some(order().name), status: StatusFilter::Open, ..all };
    check(orders, &["parked", "open"]).await;
}

/// Nothing of one tenant is seen by another.
pub async fn namespaces_are_apart(world: World) {
    one_of_each(&world).await;
    let tenant = Namespace::new("tenant").unwrap();
    let request = ListRequest { namespace: tenant.clone(), ..list_all() };
    assert!(world.list(request.clone()).await.is_empty());
    assert_eq!(world.store.stats(&tenant).await.unwrap(), StoreStats::default());
    let mut start = world.new_start("open");
    start.run.namespace = tenant.clone();
    world.applied(start.clone()).await;
    assert_eq!(world.list(request).await[0].run, start.run);
    assert_eq!(world.store.stats(&tenant).await.unwrap().open, 1);
    assert_eq!(world.stats().await.open, 3);
}

/// Counts agree with what lists and queues show.
pub async fn stats_count_what_is_there(world: World) {
    assert_eq!(world.stats().await, StoreStats::default());
    one_of_each(&world).await;
    let worker = world.worker().await;
    let held = world.with_task(worker, "queues").await;
    world.sent(&held.run, "one").await;
    world.sent(&held.run, "two").await;
    let wanted = StoreStats { open: 4, parked: 1, closed: 5, queued: 1, messages: 2 };
    assert_eq!(world.stats().await, wanted);
    assert_eq!(world.claim(worker).await.activities.len(), 1);
    world.applied(world.new_report(&held, 2, worker, ActivityVerdict::Ended(message("done")))).await;
    assert_eq!(world.stats().await, StoreStats { queued: 0, messages: 3, ..wanted });
}

/// The queued activities of a run, and of no other, by the event that scheduled them.
pub async fn queued_activities_are_listed_in_order(world: World) {
    let worker = world.worker().await;
    world.with_task(worker, "other").await;
    let mut held = world.started_by(worker, "a").await;
    let events = [9, 2, 300, 11];
    let schedule = events.map(|event| world.new_task(event)).to_vec();
    let commit = Commit { schedule, ..world.new_commit(&held) };
    world.commit(&mut held, commit).await;
    let queued = world.store.queued(&held.run).await.unwrap();
    let listed: BTreeSet<_> = queued.iter().map(|task| task.scheduled.0).collect();
    assert!(queued.is_sorted_by_key(|task| task.scheduled));
    assert_eq!(listed, events.into_iter().collect());
    assert!(queued.iter().all(|task| task.worker.is_none()));
}

/// Lists find runs by what they were started with to be found by, each type of value by its own order.
pub async fn lists_filter_by_attributes(world: World) {
    for (id, amount, city) in [("a", 5, "Riga"), ("b", 7, "Oslo"), ("c", 9, "Riga")] {
        let attributes = [
            ("amount".into(), AttributeValue::Integer(amount)),
            ("city".into(), AttributeValue::Text(city.into())),
            ("large".into(), AttributeValue::Bool(amount > 6)),
        ];
        world.clock.advance(SECOND);
        world.applied(Start { attributes: attributes.into(), ..world.new_start(id) }).await;
    }
    world.started("plain").await;
    let amount = |value: fn(AttributeValue) -> AttributeMatch, amount| AttributeFilter {
        name: "amount".into(),
        value: value(AttributeValue::Integer(amount)),
    };
    let is = |name: &str, value| AttributeFilter { name: name.into(), value: AttributeMatch::Is(value) };
    let riga = is("city", AttributeValue::Text("Riga".into()));
    assert_eq!(found_by(&world, [riga.clone()]).await, ["c", "a"]);
    assert_eq!(found_by(&world, [amount(AttributeMatch::AtLeast, 7)]).await, ["c", "b"]);
    assert_eq!(found_by(&world, [amount(AttributeMatch::AtMost, 7)]).await, ["b", "a"]);
    assert_eq!(found_by(&world, [riga, amount(AttributeMatch::AtLeast, 6)]).await, ["c"]);
    assert_eq!(found_by(&world, [is("large", AttributeValue::Bool(false))]).await, ["a"]);
    assert!(found_by(&world, [is("amount", AttributeValue::Float(5.0))]).await.is_empty(), "another type");
    assert!(found_by(&world, [is("country", AttributeValue::Integer(5))]).await.is_empty(), "another name");
}

/// A run is found by what its last commit says, and no longer by what it said before.
pub async fn a_commit_changes_what_a_run_is_found_by(world: World) {
    let worker = world.worker().await;
    let step = |step| Attributes::from([("step".into(), AttributeValue::Integer(step))]);
    let is = |step| AttributeFilter {
        name: "step".into(),
        value: AttributeMatch::Is(AttributeValue::Integer(step)),
    };
    let start = Start { attributes: step(1), owner: Some(worker), ..world.new_start("a") };
    world.applied(start.clone()).await;
    let mut held = Held::from_start(&start, worker);
    let shown = Shown { attributes: Some(step(2)), ..Shown::default() };
    let commit = Commit { shown, ..world.new_commit(&held) };
    world.commit(&mut held, commit).await;
    let commit = world.new_commit(&held);
    world.commit(&mut held, commit).await;
    assert_eq!(world.info(held.run.clone()).await.attributes, step(2), "another commit leaves it");
    assert!(found_by(&world, [is(1)]).await.is_empty());
    assert_eq!(found_by(&world, [is(2)]).await, ["a"]);
    world.applied(world.new_close(&held)).await;
    assert_eq!(found_by(&world, [is(2)]).await, ["a"], "also when it has closed");
}

/// A paused run is found as such until it is resumed or closes.
pub async fn paused_runs_are_listed(world: World) {
    let worker = world.worker().await;
    let request = ListRequest { status: StatusFilter::Paused, ..list_all() };
    let paused = |held: &Held, paused| {
        let next = Next::Open(OpenRun { paused, ..sleeping(Hold::Keep) });
        Commit { next, ..world.new_commit(held) }
    };
    let mut held = world.started_by(worker, "a").await;
    for is_paused in [true, false, true] {
        let commit = paused(&held, is_paused);
        world.commit(&mut held, commit).await;
        assert_eq!(world.info(held.run.clone()).await.paused, is_paused);
        assert_eq!(world.store.list(&request).await.unwrap().runs.len(), usize::from(is_paused));
    }
    world.applied(world.new_close(&held)).await;
    assert!(world.store.list(&request).await.unwrap().runs.is_empty());
}

async fn found_by<const N: usize>(world: &World, attributes: [AttributeFilter; N]) -> Vec<String> {
    let request = ListRequest { attributes: attributes.into(), page_size: 1, ..list_all() };
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = world.store.list(&ListRequest { after, ..request.clone() }).await.unwrap();
        found.extend(page.runs.iter().map(|info| info.run.workflow_id.as_str().to_owned()));
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}
