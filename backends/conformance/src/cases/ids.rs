//! H9: a workflow ID is open at most once in a namespace, and starting it again follows the policy given.

use bytes::Bytes;
use retell::backend::RunStatus;
use retell::vocabulary::{EventId, FencingToken, Position, WorkerId};
use retell::write::{
    Applied, CloseStatus, Commit, ExistingId, Hold, IdConflictPolicy, IdReusePolicy, Next, OpenRun, Refusal,
    Start, TaskFailure, TaskFailureKind,
};

use crate::world::{Held, LEASE, SECOND, World, closing_event, message, open_run_of, sleeping, texts};

/// H9. A second start of an open ID is refused, and names the run that has it.
pub async fn an_open_id_is_taken(world: World) {
    let run = world.started("a").await;
    let taken = Refusal::IdTaken(ExistingId { run, closed: None });
    for reuse in [IdReusePolicy::Allow, IdReusePolicy::AllowUnlessCompleted, IdReusePolicy::Reject] {
        assert_eq!(world.refused(Start { reuse, ..world.new_start("a") }).await, taken);
    }
    world.started("b").await;
}

/// H9. `UseExisting` answers the open run and starts nothing; without one it starts.
pub async fn an_open_run_may_be_used(world: World) {
    let policy = IdConflictPolicy::UseExisting;
    let first = Start { conflict: policy.clone(), ..world.new_start("a") };
    let run = first.run.clone();
    assert!(matches!(world.applied(first).await, Applied::Started { .. }));
    let before = world.snapshot().await;
    let second = Start { conflict: policy, reuse: IdReusePolicy::Reject, ..world.new_start("a") };
    assert_eq!(world.applied(second).await, Applied::Existing(run));
    assert_eq!(world.snapshot().await, before);
}

/// H9, H4. `SendToExisting` puts the messages into the open run's inbox behind what is there, or starts with them in
/// the new one: once, however often it is applied.
pub async fn an_open_run_may_be_sent_what_a_start_brings(world: World) {
    let worker = world.worker().await;
    let start = |texts: &[&str]| {
        let inbox = texts.iter().map(|text| message(text)).collect();
        Start { conflict: IdConflictPolicy::SendToExisting, inbox, ..world.new_start("a") }
    };
    let first = Start { owner: Some(worker), ..start(&["one", "two"]) };
    let held = Held::from_start(&first, worker);
    assert!(matches!(world.applied(first.clone()).await, Applied::Started { .. }));
    world.sent(&held.run, "three").await;
    let second = start(&["four", "five"]);
    for _ in 0..2 {
        assert_eq!(world.applied(second.clone()).await, Applied::Existing(held.run.clone()));
        assert!(matches!(world.applied(first.clone()).await, Applied::Started { .. }));
    }
    assert_eq!(texts(&world.unread(&held).await), ["three", "four", "five"]);
    assert_eq!(world.info(held.run.clone()).await.inbox, 5);
    let released = world.new_hold(&held, Hold::Release);
    world.applied(released).await;
    let (_, claimed) = world.claim_one(worker).await;
    let ids: Vec<_> = claimed.inbox.iter().map(|message| message.request_id).collect();
    assert_eq!(ids[3..], [second.inbox[0].request_id, second.inbox[1].request_id]);
}

/// H9. `TerminateExisting` ends the open run and starts the new one in one step, whatever the reuse policy says.
pub async fn an_open_run_may_be_replaced(world: World) {
    let worker = world.worker().await;
    let held = world.with_task(worker, "a").await;
    world.sent(&held.run, "never read").await;
    world.clock.advance(SECOND);
    let conflict = IdConflictPolicy::TerminateExisting(closing_event());
    let start = Start { conflict, reuse: IdReusePolicy::Reject, ..world.new_start("a") };
    let run = start.run.clone();
    assert_eq!(world.applied(start).await, Applied::Started { run: run.clone(), owned: false });
    let old = world.info(held.run.clone()).await;
    assert_eq!(old.status, RunStatus::Closed(CloseStatus::Terminated));
    assert_eq!((old.head, old.closed_at, old.inbox), (EventId(3), Some(world.now()), 0));
    assert_eq!(old.outcome, Some(closing_event().outcome));
    assert_eq!(world.history(&held.run).await[2].bytes, closing_event().record);
    assert_eq!(world.stats().await.queued, 0);
    assert_eq!(world.refused(world.new_commit(&held)).await, Refusal::LeaseLost);
    assert_eq!(world.info(open_run_of("a")).await.run, run);
}

/// H9. Whether a closed ID may be used again follows the policy and how it closed.
pub async fn a_closed_id_follows_the_reuse_policy(world: World) {
    use IdReusePolicy::{Allow, AllowUnlessCompleted, Reject};
    let worker = world.worker().await;
    let closings = [CloseStatus::Completed, CloseStatus::Failed, CloseStatus::Cancelled];
    for (index, status) in closings.into_iter().enumerate() {
        for (policy, allowed) in
            [(Allow, true), (AllowUnlessCompleted, status != CloseStatus::Completed), (Reject, false)]
        {
            let id = format!("{index}-{policy:?}");
            let held = world.started_by(worker, &id).await;
            let next = Next::Closed { status, outcome: Bytes::new() };
            world.applied(Commit { next, ..world.new_close(&held) }).await;
            let start = Start { reuse: policy, ..world.new_start(&id) };
            if allowed {
                assert!(matches!(world.applied(start).await, Applied::Started { .. }));
            } else {
                let existing = ExistingId { run: held.run, closed: Some(status) };
                assert_eq!(world.refused(start).await, Refusal::IdTaken(existing));
            }
        }
    }
}

/// H9. Of several closed runs the one that was started last counts.
pub async fn the_latest_run_decides_about_reuse(world: World) {
    let worker = world.worker().await;
    let completed = world.started_by(worker, "a").await;
    world.applied(world.new_close(&completed)).await;
    let terminated = world.started("a").await;
    world.applied(world.new_terminate(terminated)).await;
    let start = Start { reuse: IdReusePolicy::AllowUnlessCompleted, ..world.new_start("a") };
    assert!(matches!(world.applied(start).await, Applied::Started { .. }));
}

/// A successor is open in the instant in which its predecessor closes, whatever its policies say, and is its owner's.
pub async fn continuing_as_new_asks_no_policy(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    let owned = Start { owner: Some(worker), reuse: IdReusePolicy::Reject, ..world.new_start("a") };
    world.applied(world.new_continue(&held, &owned)).await;
    let old = world.info(held.run).await;
    assert_eq!(old.status, RunStatus::Closed(CloseStatus::ContinuedAsNew));
    assert_eq!(old.continued_as, Some(owned.run.run_id));
    assert_eq!(old.outcome, Some(Bytes::from_static(b"continued")));
    let mut held =
        Held { run: owned.run, worker, token: FencingToken(1), head: EventId(1), taken_in: Position(0) };
    let commit = world.new_commit(&held);
    world.commit(&mut held, commit).await;
    let unowned = world.new_start("a");
    world.applied(world.new_continue(&held, &unowned)).await;
    let (taken, _) = world.claim_one(worker).await;
    assert_eq!(taken.run, unowned.run);
}

/// Fault: check-then-insert; 188 of 200 workflow IDs open twice under four concurrent starters.
pub async fn starters_at_once_open_an_id_once(world: World) {
    const IDS: usize = 50;
    let mut starters = Vec::new();
    for _ in 0..4 {
        let process = world.another_process().await;
        starters.push(tokio::spawn(async move {
            let mut started = Vec::new();
            for index in 0..IDS {
                let start = process.new_start(&format!("id-{index}"));
                let run = start.run.clone();
                match process.apply(start).await {
                    Ok(Applied::Started { .. }) => started.push(run),
                    Err(Refusal::IdTaken(existing)) => assert_eq!(existing.closed, None),
                    other => panic!("a start was answered with {other:?}"),
                }
                tokio::task::yield_now().await;
            }
            started
        }));
    }
    let mut started = Vec::new();
    for starter in starters {
        started.extend(starter.await.expect("the starter does not panic"));
    }
    let mut open: Vec<_> = world.snapshot().await.runs.into_iter().map(|(info, ..)| info.run).collect();
    open.sort();
    started.sort();
    assert_eq!(started.len(), IDS);
    assert_eq!(started, open, "what was answered is what is stored");
}

/// A worker that starts a run holds it from its first event on, with token 1.
pub async fn a_living_owner_holds_what_it_starts(world: World) {
    let (worker, other) = (world.worker().await, world.worker().await);
    let mut held = world.started_by(worker, "a").await;
    assert_eq!(world.info(held.run.clone()).await.owner, Some(worker));
    assert!(world.claim(other).await.runs.is_empty());
    let commit = world.new_commit(&held);
    world.commit(&mut held, commit).await;
}

/// A start whose owner is gone is accepted all the same; the run is open to claims.
pub async fn a_dead_owner_holds_nothing(world: World) {
    let expired = world.worker().await;
    world.clock.advance(LEASE);
    let retired = world.worker().await;
    world.retire(retired).await;
    for (index, owner) in [expired, retired, WorkerId::fresh()].into_iter().enumerate() {
        let start = Start { owner: Some(owner), ..world.new_start(&format!("run-{index}")) };
        let run = start.run.clone();
        assert_eq!(world.applied(start).await, Applied::Started { run: run.clone(), owned: false });
        assert_eq!(world.info(run).await.owner, None);
    }
    let worker = world.worker().await;
    let claimed = world.claim(worker).await.runs;
    assert_eq!(claimed.len(), 3);
    assert!(claimed.iter().all(|run| run.token == FencingToken(1)));
}

/// Only an open run is terminated, once.
pub async fn termination_needs_an_open_run(world: World) {
    assert_eq!(world.refused(world.new_terminate(open_run_of("a"))).await, Refusal::RunNotFound);
    let run = world.started("a").await;
    world.applied(world.new_terminate(open_run_of("a"))).await;
    let again = world.refused(world.new_terminate(open_run_of("a"))).await;
    assert_eq!(again, Refusal::RunClosed(run.clone()));
    let again = world.refused(world.new_terminate(run.clone())).await;
    assert_eq!(again, Refusal::RunClosed(run.clone()));
    let info = world.info(run).await;
    assert_eq!((info.head, info.owner, info.wake_at), (EventId(2), None, None));
}

/// Whoever ends a run that did not go on finds later why it did not.
pub async fn a_terminated_run_keeps_its_last_failure(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    let failure = park(&world, &held).await;
    world.applied(world.new_terminate(held.run.clone())).await;
    assert_eq!(world.info(held.run).await.failure, Some(failure));
    assert_eq!(world.stats().await.parked, 0, "a closed run is not parked");
}

/// A run that closes by itself went well in the end.
pub async fn a_run_that_closes_forgets_its_last_failure(world: World) {
    let worker = world.worker().await;
    for id in ["completed", "continued"] {
        let held = world.started_by(worker, id).await;
        park(&world, &held).await;
        let continued = world.new_continue(&held, &world.new_start(id));
        world.applied(if id == "completed" { world.new_close(&held) } else { continued }).await;
        assert_eq!(world.info(held.run).await.failure, None);
    }
}

/// Commits that the last task of a run failed; its holder keeps it.
async fn park(world: &World, held: &Held) -> TaskFailure {
    let failure = TaskFailure {
        kind: TaskFailureKind::Panic,
        message: "index out of bounds".to_owned(),
        count: 1,
        at: world.now(),
    };
    let next = Next::Open(OpenRun {
        wake_at: Some(world.now() + SECOND),
        failure: Some(failure.clone()),
        ..sleeping(Hold::Keep)
    });
    world.applied(Commit { next, ..world.new_hold(held, Hold::Keep) }).await;
    failure
}
