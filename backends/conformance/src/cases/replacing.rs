//! A run that takes the place of the open one, as a reset does: nothing that was accepted is lost between the two.

use retell::backend::RunStatus;
use retell::vocabulary::{EventId, RunId, Timestamp};
use retell::write::{
    ActivityVerdict, Applied, CloseStatus, Commit, IdConflictPolicy, IdReusePolicy, Refusal, Replacement,
    Start,
};

use crate::world::{Held, World, closing_event, message, texts};

fn replacing(world: &World, run: RunId, head: EventId) -> Start {
    let replacement = Replacement { run, head, closing: closing_event(), at: world.now() };
    Start {
        conflict: IdConflictPolicy::ReplaceExisting(replacement),
        reuse: IdReusePolicy::Reject,
        copied: vec![world.record(2, "two copied"), world.record(1, "one copied")],
        inbox: vec![message("applied again")],
        ..world.new_start("a")
    }
}

/// The new run's history, its inbox, and the end of the old run, in one step.
pub async fn a_replacement_begins_as_a_copy_with_what_was_not_taken_in(world: World) {
    let worker = world.worker().await;
    let mut held = world.with_task(worker, "a").await;
    world.claim(worker).await;
    world.sent(&held.run, "taken in").await;
    let commit = Commit { taken_in: retell::vocabulary::Position(1), ..world.new_commit(&held) };
    world.commit(&mut held, commit).await;
    world.sent(&held.run, "not taken in").await;
    world.applied(world.new_report(&held, 2, worker, ActivityVerdict::Ended(message("outcome")))).await;
    let asleep = Start { wake_at: Timestamp::MAX, ..replacing(&world, held.run.run_id, held.head) };
    let applied = world.applied(asleep.clone()).await;
    assert_eq!(applied, Applied::Started { run: asleep.run.clone(), owned: false });
    assert_eq!(world.applied(asleep.clone()).await, applied);
    let old = world.info(held.run.clone()).await;
    assert_eq!(old.status, RunStatus::Closed(CloseStatus::Terminated));
    let history = world.history(&asleep.run).await;
    let counts: Vec<_> = history.iter().map(|record| (record.first.0, record.count)).collect();
    assert_eq!(counts, [(1, 1), (2, 2), (4, 1)]);
    let claimed = world.claim(worker).await.runs;
    assert_eq!((&claimed[0].run, claimed[0].head), (&asleep.run, EventId(4)), "what waits has woken it");
    assert!(claimed[0].rowless, "calls that were open in the copied part have no rows");
    assert_eq!(texts(&claimed[0].inbox), ["applied again", "not taken in"]);
    let mut new = Held::of(worker, &claimed[0]);
    let commit = world.new_commit(&new);
    world.commit(&mut new, commit).await;
    assert_eq!(new.head, EventId(5));
}

/// Whoever has read the run before it went on reads it again.
pub async fn a_run_that_has_advanced_is_not_replaced(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let commit = world.new_commit(&held);
    world.commit(&mut held, commit).await;
    let start = replacing(&world, held.run.run_id, EventId(1));
    let refusal = world.refused(start).await;
    assert_eq!(refusal, Refusal::RunAdvanced { run: held.run.clone(), head: EventId(2) });
    let commit = world.new_commit(&held);
    world.commit(&mut held, commit).await;
}

/// The run that is to be replaced is named; another under its ID is left alone.
pub async fn another_open_run_is_not_replaced(world: World) {
    let open = world.started("a").await;
    let refusal = world.refused(replacing(&world, RunId::fresh(), EventId(1))).await;
    assert_eq!(refusal, Refusal::RunAdvanced { run: open, head: EventId(1) });
}

/// A run that has closed meanwhile needs no ending; the reuse policy is asked.
pub async fn where_nothing_is_open_a_replacement_starts(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    world.applied(world.new_close(&held)).await;
    let start = replacing(&world, held.run.run_id, held.head);
    assert!(matches!(world.refused(start.clone()).await, Refusal::IdTaken(_)));
    let start = Start { reuse: IdReusePolicy::Allow, ..start };
    assert!(matches!(world.applied(start).await, Applied::Started { .. }));
}
