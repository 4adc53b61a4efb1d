//! Runs that were terminated while others depended on them: a worker gets each once more, to tell those.

use retell::backend::RunStatus;
use retell::vocabulary::RequestId;
use retell::write::{Applied, CloseStatus, Commit, Hold, IdConflictPolicy, Next, OpenRun, Refusal, Start};

use crate::world::{Held, LEASE, World, closing_event, open_run_of, sleeping, texts};

/// A run on which others depend, held by this worker.
async fn with_dependents(world: &World, worker: retell::vocabulary::WorkerId, id: &str) -> Held {
    let mut held = world.started_by(worker, id).await;
    let next = Next::Open(OpenRun { dependents: true, ..sleeping(Hold::Keep) });
    let commit = Commit { next, ..world.new_commit(&held) };
    world.commit(&mut held, commit).await;
    held
}

/// The commit that settles a run and tells another.
fn settling(world: &World, held: &Held, other: &str) -> Commit {
    Commit {
        request_id: Some(RequestId::fresh()),
        outgoing: vec![world.outgoing(open_run_of(other), "it was terminated")],
        next: Next::Settled,
        ..world.new_hold(held, Hold::Keep)
    }
}

/// The parent close policy of a terminated parent, and the parent that waits for a terminated child.
pub async fn a_terminated_run_with_dependents_is_claimed_once_more(world: World) {
    let worker = world.worker().await;
    let other = world.started_by(worker, "other").await;
    let held = with_dependents(&world, worker, "a").await;
    world.applied(world.new_terminate(held.run.clone())).await;
    let claimed = world.claim(worker).await.runs;
    assert_eq!((claimed.len(), &claimed[0].run, claimed[0].unsettled), (1, &held.run, true));
    assert_eq!((claimed[0].head, claimed[0].inbox.len()), (held.head.next(), 0));
    assert!(claimed[0].token > held.token.next());
    assert!(world.claim(worker).await.runs.is_empty(), "it is handed out once");
    let last = Held::of(worker, &claimed[0]);
    world.applied(settling(&world, &last, "other")).await;
    assert_eq!(texts(&world.unread(&other).await), ["it was terminated"]);
    let info = world.info(held.run.clone()).await;
    assert_eq!((info.status, info.owner), (RunStatus::Closed(CloseStatus::Terminated), None));
    assert!(world.claim(worker).await.runs.is_empty());
}

/// What starts with dependents is left unsettled, too; what has none any more is not.
pub async fn without_dependents_nothing_is_left_to_settle(world: World) {
    let worker = world.worker().await;
    let child = Start { dependents: true, ..world.new_start("child") };
    world.applied(child.clone()).await;
    world.applied(world.new_terminate(child.run.clone())).await;
    let claimed = world.claim(worker).await.runs;
    assert_eq!((&claimed[0].run, claimed[0].unsettled), (&child.run, true));
    let mut held = with_dependents(&world, worker, "a").await;
    let commit = world.new_commit(&held);
    world.commit(&mut held, commit).await;
    world.applied(world.new_terminate(held.run.clone())).await;
    let closed = with_dependents(&world, worker, "b").await;
    world.applied(world.new_close(&closed)).await;
    assert!(world.claim(worker).await.runs.is_empty(), "a run that closes itself tells with that commit");
}

/// Only who claimed it settles it, and once.
pub async fn settling_is_fenced_and_done_once(world: World) {
    let worker = world.worker().await;
    let other = world.started_by(worker, "other").await;
    let held = with_dependents(&world, worker, "a").await;
    let early = world.refused(settling(&world, &held, "other")).await;
    assert_eq!(early, Refusal::LeaseLost, "an open run is not settled");
    world.applied(world.new_terminate(held.run.clone())).await;
    assert_eq!(world.refused(settling(&world, &held, "other")).await, Refusal::LeaseLost);
    let last = Held::of(worker, &world.claim(worker).await.runs[0]);
    let event = Commit { expected_head: last.head, ..world.new_commit(&last) };
    assert_eq!(world.refused(event).await, Refusal::LeaseLost, "its history is closed");
    let settle = settling(&world, &last, "other");
    let first = world.applied(settle.clone()).await;
    assert!(matches!(first, Applied::Committed { .. }));
    world.applied(settle).await;
    assert_eq!(texts(&world.unread(&other).await), ["it was terminated"]);
    assert_eq!(world.refused(settling(&world, &last, "other")).await, Refusal::LeaseLost);
}

/// Nobody is forgotten because a worker dies in between.
pub async fn an_unsettled_run_of_a_dead_worker_is_claimed_again(world: World) {
    let worker = world.worker().await;
    let held = with_dependents(&world, worker, "a").await;
    world.applied(world.new_terminate(held.run.clone())).await;
    let first = Held::of(worker, &world.claim(worker).await.runs[0]);
    world.clock.advance(LEASE * 2);
    let next = world.worker().await;
    let claimed = world.claim(next).await.runs;
    assert_eq!((claimed.len(), claimed[0].unsettled), (1, true));
    assert!(claimed[0].token > first.token);
    assert_eq!(world.refused(settling(&world, &first, "other")).await, Refusal::LeaseLost);
    let last = Held::of(next, &claimed[0]);
    world.applied(settling(&world, &last, "other")).await;
    world.retire(next).await;
    let last = world.worker().await;
    assert!(world.claim(last).await.runs.is_empty());
}

/// Its workflow ID is free at once, and nobody reaches it.
pub async fn an_unsettled_run_is_closed_for_everything_else(world: World) {
    let worker = world.worker().await;
    let held = with_dependents(&world, worker, "a").await;
    world.applied(world.new_terminate(held.run.clone())).await;
    let send = world.new_send(held.run.clone(), "too late");
    assert_eq!(world.refused(send).await, Refusal::RunClosed(held.run.clone()));
    assert_eq!((world.stats().await.open, world.stats().await.closed), (0, 1));
    let again = world.started_by(worker, "a").await;
    assert_eq!(world.info(open_run_of("a")).await.run, again.run);
}

/// A start that ends the open run leaves it unsettled as a client's termination does.
pub async fn a_start_in_its_place_leaves_the_old_run_unsettled(world: World) {
    let worker = world.worker().await;
    let held = with_dependents(&world, worker, "a").await;
    let conflict = IdConflictPolicy::TerminateExisting(closing_event());
    let start = Start { conflict, owner: Some(worker), ..world.new_start("a") };
    world.applied(start).await;
    let claimed = world.claim(worker).await.runs;
    assert_eq!((claimed.len(), &claimed[0].run, claimed[0].unsettled), (1, &held.run, true));
}
