//! Writes have identities: after a lost answer the engine applies a write again, and gets its first outcome.

use retell::backend::Claim;
use retell::vocabulary::{Attempt, Failure, Namespace, RequestId, RunKey};
use retell::write::{
    ActivityVerdict, Applied, Commit, Errand, Hold, IDENTITY_KEPT, IdConflictPolicy, Outgoing, Refusal,
    Start, Target, Write,
};

use crate::world::{SECOND, TICK, World, claim_all, message, open_run_of};

/// Every kind of write with a request ID, in an order in which all are accepted.
async fn requests(world: &World) -> Vec<Write> {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "queues").await;
    let schedule = (2..=4).map(|scheduled| world.new_task(scheduled)).collect();
    let commit = Commit { schedule, ..world.new_commit(&held) };
    world.commit(&mut held, commit).await;
    assert_eq!(world.claim(worker).await.activities.len(), 3);
    let retry = ActivityVerdict::Retry {
        attempt: Attempt(2),
        visible_at: world.now() + SECOND,
        failure: Failure::new("Declined", "no money"),
    };
    let replacing = IdConflictPolicy::TerminateExisting(crate::world::closing_event());
    vec![
        world.new_start("a").into(),
        Start { owner: Some(worker), ..world.new_start("owned") }.into(),
        Start { conflict: IdConflictPolicy::UseExisting, ..world.new_start("a") }.into(),
        by_run_id(world.new_start("b")).into(),
        by_run_id(Start { owner: Some(worker), ..world.new_start("c") }).into(),
        by_run_id(Start { conflict: IdConflictPolicy::UseExisting, ..world.new_start("a") }).into(),
        world.new_send(open_run_of("a"), "hello").into(),
        Start { conflict: replacing, ..world.new_start("a") }.into(),
        world.new_terminate(open_run_of("a")).into(),
        world.new_report(&held, 2, worker, ActivityVerdict::Ended(message("done"))).into(),
        world.new_report(&held, 3, worker, retry).into(),
        world.new_report(&held, 4, worker, ActivityVerdict::Released).into(),
    ]
}

/// The same start, known again by its run's ID.
fn by_run_id(start: Start) -> Start {
    Start { request_id: RequestId(start.run.run_id.0), ..start }
}

/// H13. Applied again, each request changes nothing and answers as at first; also in another process, later, and
/// after a restart.
pub async fn requests_applied_again_answer_the_same(world: World) {
    let requests = requests(&world).await;
    let mut first = Vec::new();
    for request in &requests {
        let outcome = world.apply(request.clone()).await;
        assert!(outcome.is_ok(), "{request:?}: {outcome:?}");
        let before = world.snapshot().await;
        assert_eq!(world.apply(request.clone()).await, outcome, "applied again at once: {request:?}");
        assert_eq!(world.snapshot().await, before, "{request:?}");
        first.push(outcome);
    }
    let before = world.snapshot().await;
    assert_eq!(world.another_process().await.apply_all(requests.clone()).await, first);
    let world = world.restart().await;
    assert_eq!(world.apply_all(requests).await, first);
    assert_eq!(world.snapshot().await, before);
}

/// H13. A commit applied again answers `Committed` and changes nothing, however many commits followed it.
pub async fn a_commit_applied_again_answers_the_same(world: World) {
    let worker = world.worker().await;
    let other = world.started("other").await;
    let mut held = world.started_by(worker, "a").await;
    let first = Commit {
        schedule: vec![world.new_task(2)],
        outgoing: vec![world.outgoing(other, "hello")],
        ..world.new_commit(&held)
    };
    world.commit(&mut held, first.clone()).await;
    assert!(matches!(world.applied(first.clone()).await, Applied::Committed { .. }));
    let second = Commit { record: Some(world.record(3, "three")), ..world.new_commit(&held) };
    world.commit(&mut held, second.clone()).await;
    let before = world.snapshot().await;
    assert!(matches!(world.applied(first).await, Applied::Committed { .. }));
    assert!(matches!(world.applied(second).await, Applied::Committed { .. }));
    assert_eq!(world.snapshot().await, before);
}

/// H13. A commit that closed or continued its run is known again afterwards, also after a restart.
pub async fn a_closing_commit_applied_again_answers_the_same(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    let close = world.new_close(&held);
    world.applied(close.clone()).await;
    let held = world.started_by(worker, "b").await;
    let successor = Start { owner: Some(worker), ..world.new_start("b") };
    let continued = world.new_continue(&held, &successor);
    world.applied(continued.clone()).await;
    let before = world.snapshot().await;
    for commit in [&close, &continued] {
        assert!(matches!(world.applied(commit.clone()).await, Applied::Committed { .. }));
    }
    let world = world.restart().await;
    for commit in [close, continued] {
        assert!(matches!(world.applied(commit).await, Applied::Committed { .. }));
    }
    assert_eq!(world.snapshot().await, before);
}

/// Fault: a connection is lost during a commit, the outcome is unknown, and the engine guesses. Here it asks again,
/// and is told that the commit was stored though the run has passed on; the next commit then finds the lease lost.
pub async fn a_commit_is_known_again_after_its_run_passed_on(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let stored = world.new_commit(&held);
    world.commit(&mut held, stored.clone()).await;
    world.sent(&held.run, "wake up").await;
    world.clock.advance(crate::world::LEASE);
    let heir = world.worker().await;
    let (mut taken, _) = world.claim_one(heir).await;
    assert!(matches!(world.applied(stored).await, Applied::Committed { .. }));
    assert_eq!(world.refused(world.new_commit(&held)).await, Refusal::LeaseLost);
    let commit = world.new_commit(&taken);
    world.commit(&mut taken, commit).await;
    assert_eq!(world.refused(world.new_commit(&held)).await, Refusal::LeaseLost, "another wrote that event");
}

/// H13. A batch whose answer was lost is applied again whole.
pub async fn a_batch_applied_again_changes_nothing(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    let batch: Vec<Write> = vec![
        world.new_start("b").into(),
        world.new_commit(&held).into(),
        world.new_send(open_run_of("b"), "one").into(),
        world.new_send(open_run_of("nobody"), "two").into(),
        world.new_terminate(open_run_of("b")).into(),
    ];
    let first = world.apply_all(batch.clone()).await;
    let before = world.snapshot().await;
    assert_eq!(world.apply_all(batch).await, first);
    assert_eq!(world.snapshot().await, before);
}

/// A request is known for at least a day.
pub async fn a_request_is_known_for_a_day(world: World) {
    let start = world.new_start("a");
    let first = world.apply(start.clone()).await;
    world.applied(world.new_terminate(open_run_of("a"))).await;
    world.clock.advance(IDENTITY_KEPT - TICK);
    world.started("b").await;
    assert_eq!(world.apply(start).await, first);
}

/// Only what was applied is remembered; what was refused may be tried again under the same request ID.
pub async fn a_refused_request_may_be_tried_again(world: World) {
    let early = world.new_send(open_run_of("a"), "hello");
    assert_eq!(world.refused(early.clone()).await, Refusal::RunNotFound);
    let run = world.started("a").await;
    assert_eq!(world.applied(early).await, Applied::Sent(run.clone()));
    let taken = world.new_start("a");
    assert!(matches!(world.refused(taken.clone()).await, Refusal::IdTaken(_)));
    world.applied(world.new_terminate(run)).await;
    assert!(matches!(world.applied(taken).await, Applied::Started { .. }));
}

/// Two tenants may use the same request ID, workflow ID and run ID.
pub async fn a_request_id_belongs_to_its_namespace(world: World) {
    let tenant = Namespace::new("tenant").unwrap();
    let start = world.new_start("a");
    let elsewhere = Start { run: RunKey { namespace: tenant.clone(), ..start.run.clone() }, ..start.clone() };
    world.applied(start.clone()).await;
    assert!(matches!(world.applied(elsewhere.clone()).await, Applied::Started { .. }));
    let target = Target { namespace: tenant.clone(), ..open_run_of("a") };
    world.applied(world.new_terminate(target)).await;
    let worker = world.worker().await;
    let theirs = Claim { namespace: tenant, ..claim_all(worker) };
    assert!(world.claim_as(&theirs).await.runs.is_empty());
    assert_eq!(world.claim(worker).await.runs[0].run, start.run);
}

/// One identity for one message, whether a client sends it or a commit does.
pub async fn a_sent_message_and_an_outgoing_one_are_the_same(world: World) {
    let worker = world.worker().await;
    let other = world.started("other").await;
    let held = world.started_by(worker, "a").await;
    let send = world.new_send(other.clone(), "once");
    let errand = Errand::Send(send.clone());
    let same = Outgoing { errand, if_done: None, if_refused: Some(message("refused")) };
    world.applied(Commit { outgoing: vec![same], ..world.new_commit(&held) }).await;
    assert_eq!(world.applied(send).await, Applied::Sent(other.clone()));
    assert_eq!(world.info(other).await.inbox, 1);
    world.applied(Commit { expected_head: held.head.next(), ..world.new_hold(&held, Hold::Release) }).await;
}
