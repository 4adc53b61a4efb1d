//! Removing closed runs: every row goes, and nothing else.

use std::collections::BTreeMap;

use retell::backend::{AnswerKey, StoreStats};
use retell::vocabulary::{AttributeValue, Namespace, RequestId, Timestamp};
use retell::write::{Answer, Applied, Commit, Refusal, Remove, Start};

use crate::world::{SECOND, World, list_all, open_run_of};

/// Retention and deletion leave no history, no payload and no identity behind.
pub async fn a_removed_run_leaves_nothing(world: World) {
    let worker = world.worker().await;
    let attributes = BTreeMap::from([("city".into(), AttributeValue::Text("Riga".into()))]);
    let start = Start { owner: Some(worker), attributes, ..world.new_start("a") };
    world.applied(start.clone()).await;
    let held = crate::world::Held::from_start(&start, worker);
    let request_id = RequestId::fresh();
    let answers = vec![Answer { request_id, body: bytes::Bytes::from_static(b"answer") }];
    world.applied(Commit { answers, ..world.new_close(&held) }).await;
    let other = world.started("b").await;
    assert_eq!(world.applied(Remove { run: held.run.clone() }).await, Applied::Removed);
    assert!(world.history(&held.run).await.is_empty());
    assert_eq!(world.store.describe(&[held.run.clone().into()]).await.expect("it is read"), [None]);
    assert_eq!(world.store.describe(&[open_run_of("a")]).await.expect("it is read"), [None]);
    let listed = world.store.list(&list_all()).await.expect("it is read").runs;
    assert_eq!(listed.iter().map(|info| &info.run).collect::<Vec<_>>(), [&other]);
    let key = AnswerKey {
        namespace: world.namespace.clone(),
        workflow_id: held.run.workflow_id.clone(),
        request_id,
    };
    assert_eq!(world.store.answers(&[key]).await.expect("it is read"), [None]);
    assert_eq!(world.stats().await, StoreStats { open: 1, ..StoreStats::default() });
    assert_eq!(
        world.applied(start).await,
        Applied::Started { run: held.run, owned: true },
        "it may start again"
    );
}

/// What still lives, or has still to tell of its end, is not removed.
pub async fn an_open_or_unsettled_run_is_not_removed(world: World) {
    let start = Start { dependents: true, ..world.new_start("a") };
    world.applied(start.clone()).await;
    let remove = Remove { run: start.run.clone() };
    assert_eq!(world.refused(remove.clone()).await, Refusal::RunOpen(start.run.clone()));
    world.applied(world.new_terminate(start.run.clone())).await;
    assert_eq!(world.refused(remove).await, Refusal::RunOpen(start.run));
}

/// An unknown outcome is found out by asking again.
pub async fn removing_twice_is_removing_once(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    world.applied(world.new_close(&held)).await;
    let remove = Remove { run: held.run };
    assert_eq!(world.applied(remove.clone()).await, Applied::Removed);
    assert_eq!(world.applied(remove).await, Applied::Removed);
}

/// Retention is told of what closed before a time, the longest closed first; of nothing that is open, closed later, or has
/// still to tell of its end.
pub async fn runs_that_closed_before_a_time_are_found_in_the_order_of_their_ends(world: World) {
    let worker = world.worker().await;
    let mut held = Vec::new();
    for id in ["a", "b", "c", "d"] {
        held.push(world.started_by(worker, id).await);
        world.clock.advance(SECOND);
    }
    let unsettled = Start { dependents: true, ..world.new_start("unsettled") };
    world.applied(unsettled.clone()).await;
    world.applied(world.new_terminate(unsettled.run)).await;
    for index in [2, 0] {
        world.applied(world.new_close(&held[index])).await;
        world.clock.advance(SECOND);
    }
    let before = world.now();
    world.clock.advance(SECOND);
    world.applied(world.new_close(&held[1])).await;
    let found = async |before, max| {
        let found = world.store.closed_before(&world.namespace, before, max).await.expect("it is read");
        found.into_iter().map(|run| run.workflow_id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(found(before, 10).await, ["c", "a"]);
    assert_eq!(found(before, 1).await, ["c"]);
    assert_eq!(found(world.now() + SECOND, 10).await, ["c", "a", "b"]);
    assert!(found(Timestamp::EPOCH, 10).await.is_empty());
    let elsewhere = Namespace::new("elsewhere").expect("it is one");
    assert_eq!(world.store.closed_before(&elsewhere, before, 10).await.expect("it is read"), []);
    world.applied(Remove { run: held[2].run.clone() }).await;
    assert_eq!(found(before, 10).await, ["a"]);
}

/// A workflow ID means its latest run that is there.
pub async fn the_run_before_a_removed_one_is_the_latest_again(world: World) {
    let worker = world.worker().await;
    let first = world.started_by(worker, "a").await;
    world.applied(world.new_close(&first)).await;
    let second = world.started_by(worker, "a").await;
    world.applied(world.new_close(&second)).await;
    world.applied(Remove { run: second.run }).await;
    assert_eq!(world.info(open_run_of("a")).await.run, first.run);
}
