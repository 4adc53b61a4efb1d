//! H6: after a restart everything acknowledged is there, and the runs go on by themselves.

use retell::vocabulary::{Attempt, Position};
use retell::write::{Commit, Next, OpenRun, Refusal};

use crate::world::{SECOND, World, message, open_run_of, sleeping, texts};

/// H6. A restarted store shows all that it showed before: runs, histories, queues, inboxes, counts.
pub async fn everything_acknowledged_is_found_again(world: World) {
    let worker = world.worker().await;
    world.started("untouched").await;
    let mut held = world.with_task(worker, "busy").await;
    world.with_task(worker, "queued").await;
    assert_eq!(world.claim(worker).await.activities.len(), 2);
    world.sent(&held.run, "one").await;
    let next = Next::Open(OpenRun {
        wake_at: Some(world.now() + SECOND * 60),
        rowless: true,
        ..sleeping(retell::write::Hold::Keep)
    });
    let commit = Commit {
        record: Some(world.record(3, "three")),
        outgoing: vec![world.outgoing(open_run_of("untouched"), "hello")],
        next,
        ..world.new_commit(&held)
    };
    world.commit(&mut held, commit).await;
    let closed = world.started_by(worker, "closed").await;
    world.applied(world.new_close(&closed)).await;
    let before = world.snapshot().await;
    let world = world.restart().await;
    assert_eq!(world.snapshot().await, before);
}

/// Fault: after a restart, recent runs stall because the worker's name has changed.
pub async fn runs_go_on_after_a_restart(world: World) {
    let worker = world.worker().await;
    let mut held = world.with_task(worker, "a").await;
    assert_eq!(world.claim(worker).await.activities.len(), 1);
    world.sent(&held.run, "one").await;
    world.sent(&held.run, "two").await;
    let commit = Commit { taken_in: Position(1), ..world.new_commit(&held) };
    world.commit(&mut held, commit).await;
    let world = world.restart().await;
    let heir = world.worker().await;
    let claimed = world.claim(heir).await;
    assert_eq!(claimed.runs.len(), 1);
    assert_eq!((claimed.runs[0].head, texts(&claimed.runs[0].inbox)), (held.head, vec!["two".to_owned()]));
    assert_eq!((claimed.activities[0].attempt, claimed.activities[0].taken_over), (Attempt(2), true));
    let mut taken = crate::world::Held::of(heir, &claimed.runs[0]);
    let close = Commit { taken_in: Position(2), ..world.new_close(&taken) };
    world.commit(&mut taken, close).await;
    let firsts: Vec<_> = world.history(&taken.run).await.iter().map(|record| record.first.0).collect();
    assert_eq!(firsts, [1, 2, 3, 4]);
}

/// H2, H6. What a process before held is not held any more, whoever says so.
pub async fn a_worker_of_the_process_before_writes_nothing(world: World) {
    let worker = world.worker().await;
    let held = world.with_task(worker, "a").await;
    let mut last = world.new_commit(&held);
    last.outgoing.push(world.outgoing(open_run_of("a"), "to myself"));
    last.outgoing[0].if_refused = Some(message("refused"));
    let world = world.restart().await;
    assert_eq!(world.refused(last).await, Refusal::LeaseLost);
    assert!(world.renew(worker).await.is_err());
}
