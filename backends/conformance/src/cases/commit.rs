//! H3: one workflow task commits all or nothing, and the members of a batch stand each for itself.

use retell::vocabulary::{Attempt, EventId, Position};
use retell::write::{
    ActivityVerdict, Applied, Commit, Hold, NewActivityTask, Next, OpenRun, Refusal, Start, TaskFailure,
    TaskFailureKind, Write,
};

use crate::world::{Held, SECOND, World, claim_all, committed_at, message, open_run_of, sleeping, texts};

/// A commit that does everything that a commit which stays open can do. Its task is event 3.
fn rich(world: &World, held: &Held, to: &str) -> Commit {
    Commit {
        record: Some(world.record(2, "two events")),
        taken_in: Position(1),
        schedule: vec![world.new_task(3)],
        cancelled: vec![EventId(2)],
        outgoing: vec![world.outgoing(open_run_of(to), "hello")],
        next: Next::Open(OpenRun {
            wake_at: Some(world.now() + SECOND),
            rowless: true,
            ..sleeping(Hold::Keep)
        }),
        ..world.new_commit(held)
    }
}

/// H3. Events, tasks, timers, messages, what is taken in and the run's state are committed together.
pub async fn all_of_a_task_is_committed_together(world: World) {
    let worker = world.worker().await;
    let other = world.started("other").await;
    let mut held = world.with_task(worker, "a").await;
    world.sent(&held.run, "one").await;
    world.sent(&held.run, "two").await;
    let commit = Commit { taken_in: Position(2), ..rich(&world, &held, "other") };
    assert_eq!(world.commit(&mut held, commit).await, Position(2));
    let info = world.info(held.run.clone()).await;
    assert_eq!((info.head, info.inbox, info.wake_at), (EventId(4), 0, Some(world.now() + SECOND)));
    let queued = world.store.queued(&held.run).await.unwrap();
    assert_eq!(queued.iter().map(|task| task.scheduled).collect::<Vec<_>>(), [EventId(3)]);
    assert_eq!(world.info(other).await.inbox, 1);
    assert_eq!(world.history(&held.run).await.len(), 3);
}

/// H3. Whatever a commit is refused for, no part of it is stored.
pub async fn a_refused_commit_leaves_nothing(world: World) {
    let (worker, stranger) = (world.worker().await, world.worker().await);
    world.started_by(stranger, "other").await;
    let mut held = world.with_task(worker, "a").await;
    assert_eq!(world.claim(stranger).await.activities.len(), 1);
    world.sent(&held.run, "one").await;
    world.sent(&held.run, "two").await;
    let good = rich(&world, &held, "other");

    let not_its_task = Commit { ended: vec![(EventId(2), Attempt(1))], ..good.clone() };
    assert_eq!(world.refused(not_its_task).await, Refusal::TaskLost);
    let no_such_task = Commit { ended: vec![(EventId(9), Attempt(1))], ..good.clone() };
    assert_eq!(world.refused(no_such_task).await, Refusal::TaskLost);
    let wrong_head = Commit { expected_head: EventId(9), ..good.clone() };
    assert_eq!(world.refused(wrong_head).await, Refusal::LeaseLost);
    let forged = Commit { worker: stranger, ..good.clone() };
    assert_eq!(world.refused(forged).await, Refusal::LeaseLost);
    let too_early = Commit { next: world.new_close(&held).next, ..good.clone() };
    assert_eq!(world.refused(too_early).await, Refusal::InboxAdvanced(Position(2)));
    world.commit(&mut held, good).await;
}

/// H3. A refused member of a batch leaves nothing of itself and spares the rest.
pub async fn members_of_a_batch_are_independent(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    let stale = Commit { token: held.token.next(), ..world.new_commit(&held) };
    let outcomes = world
        .apply_all([
            world.new_send(held.run.clone(), "first").into(),
            world.new_send(open_run_of("unknown"), "lost").into(),
            stale.into(),
            world.new_start("a").into(),
            Write::from(world.new_send(held.run.clone(), "second")),
        ])
        .await;
    assert!(outcomes[0].is_ok() && outcomes[4].is_ok());
    assert_eq!(outcomes[1], Err(Refusal::RunNotFound));
    assert_eq!(outcomes[2], Err(Refusal::LeaseLost));
    assert!(matches!(&outcomes[3], Err(Refusal::IdTaken(existing)) if existing.run == held.run));
    assert_eq!(texts(&world.unread(&held).await), ["first", "second"]);
}

/// H3. The members of a batch apply in order, and later ones see earlier ones.
pub async fn later_members_see_earlier_ones(world: World) {
    let worker = world.worker().await;
    let start = Start { owner: Some(worker), ..world.new_start("a") };
    let mut held = Held::from_start(&start, worker);
    let first = world.new_commit(&held);
    held.head = EventId(2);
    let close = Commit { taken_in: Position(1), ..world.new_close(&held) };
    let run = held.run.clone();
    let outcomes = world
        .apply_all([
            start.into(),
            first.into(),
            world.new_send(run.clone(), "in time").into(),
            close.into(),
            Write::from(world.new_send(run.clone(), "too late")),
        ])
        .await;
    assert_eq!(outcomes[0], Ok(Applied::Started { run: run.clone(), owned: true }));
    assert_eq!(outcomes[1], Ok(committed_at(0)));
    assert_eq!(outcomes[2], Ok(Applied::Sent(run.clone())));
    assert_eq!(outcomes[3], Ok(committed_at(1)));
    assert_eq!(outcomes[4], Err(Refusal::RunClosed(run)));
}

/// A task that stands in the queue is not put there twice, nor changed.
pub async fn a_queued_task_stays_as_it_is(world: World) {
    let worker = world.worker().await;
    let mut held = world.with_task(worker, "a").await;
    assert_eq!(world.claim(worker).await.activities.len(), 1);
    let before = world.store.queued(&held.run).await.unwrap();
    let again = NewActivityTask { attempt: Attempt(7), ..world.new_task(2) };
    let commit = Commit { schedule: vec![again], ..world.new_hold(&held, Hold::Keep) };
    world.commit(&mut held, commit).await;
    assert_eq!(world.store.queued(&held.run).await.unwrap(), before);
}

/// Cancelled tasks leave the queue, claimed or not, and so do tasks scheduled in the same commit.
pub async fn cancelled_tasks_leave_the_queue(world: World) {
    let worker = world.worker().await;
    let mut held = world.with_task(worker, "a").await;
    assert_eq!(world.claim(worker).await.activities.len(), 1);
    let cancelled = vec![EventId(2), EventId(3), EventId(99)];
    let commit = Commit { schedule: vec![world.new_task(3)], cancelled, ..world.new_commit(&held) };
    world.commit(&mut held, commit).await;
    assert!(world.store.queued(&held.run).await.unwrap().is_empty());
    let late = world.new_report(&held, 2, worker, ActivityVerdict::Ended(message("late")));
    assert_eq!(world.refused(late).await, Refusal::TaskLost);
}

/// H10. A failed workflow task closes nothing; its reason is stored and shown until a task goes well.
pub async fn a_failed_task_parks_its_run_until_one_goes_well(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let failure = TaskFailure {
        kind: TaskFailureKind::Nondeterminism,
        message: "expected a timer".to_owned(),
        count: 3,
        at: world.now(),
    };
    let next = Next::Open(OpenRun {
        wake_at: Some(world.now()),
        failure: Some(failure.clone()),
        ..sleeping(Hold::Release)
    });
    world.applied(Commit { next, ..world.new_hold(&held, Hold::Release) }).await;
    assert_eq!(world.info(held.run.clone()).await.failure, Some(failure.clone()));
    assert_eq!(world.stats().await.parked, 1);
    let (again, claimed) = world.claim_one(worker).await;
    assert_eq!(claimed.failure, Some(failure));
    held = again;
    let commit = world.new_commit(&held);
    world.commit(&mut held, commit).await;
    assert_eq!(world.info(held.run).await.failure, None);
    assert_eq!(world.stats().await.parked, 0);
}

/// H3. A message of a commit is delivered exactly once, however often the commit is applied.
pub async fn a_message_to_another_run_is_delivered_once(world: World) {
    let worker = world.worker().await;
    let other = world.started_by(worker, "other").await;
    let held = world.started_by(worker, "a").await;
    let outgoing =
        vec![world.outgoing(other.run.clone(), "one"), world.outgoing(open_run_of("other"), "two")];
    let commit = Commit { outgoing, ..world.new_commit(&held) };
    world.applied(commit.clone()).await;
    world.applied(commit).await;
    let unread = world.unread(&other).await;
    assert_eq!(texts(&unread), ["one", "two"]);
    assert!(unread.iter().all(|message| message.at == world.now()));
}

/// H4. A message that its target refuses is answered into the sender's own inbox.
pub async fn a_refused_message_is_answered_to_its_sender(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let mut refused = world.outgoing(open_run_of("nobody"), "hello");
    refused.if_refused = Some(message("nobody is there"));
    let mut accepted = world.outgoing(held.run.clone(), "to myself");
    accepted.if_refused = Some(message("not needed"));
    let silent = world.outgoing(open_run_of("nobody"), "into the dark");
    let commit = Commit { outgoing: vec![refused, silent, accepted], ..world.new_commit(&held) };
    assert_eq!(world.commit(&mut held, commit).await, Position(2));
    assert_eq!(texts(&world.unread(&held).await), ["nobody is there", "to myself"]);
}

/// A sender that closes in the same commit is told nothing, and its closing is not disturbed.
pub async fn a_closing_sender_hears_of_no_refusal(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    let mut refused = world.outgoing(open_run_of("nobody"), "hello");
    refused.if_refused = Some(message("nobody is there"));
    world.applied(Commit { outgoing: vec![refused], ..world.new_close(&held) }).await;
    assert_eq!(world.stats().await.messages, 0);
}

/// A commit's messages are sent when its run has changed: by then its workflow ID means the successor.
pub async fn messages_follow_the_change_of_the_run(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    let successor = world.new_start("a");
    let outgoing =
        vec![world.outgoing(open_run_of("a"), "to my next life"), world.outgoing(held.run.clone(), "lost")];
    world.applied(Commit { outgoing, ..world.new_continue(&held, &successor) }).await;
    let (_, claimed) = world.claim_one(worker).await;
    assert_eq!(claimed.run, successor.run);
    assert_eq!(texts(&claimed.inbox), ["to my next life"]);
}

/// A released run is nobody's, and nobody gets it before it is due.
pub async fn a_released_run_sleeps_until_it_is_due(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let next = Next::Open(OpenRun { wake_at: Some(world.now() + SECOND), ..sleeping(Hold::Release) });
    let release = Commit { next, ..world.new_commit(&held) };
    world.commit(&mut held, release).await;
    assert_eq!(world.info(held.run.clone()).await.owner, None);
    assert_eq!(world.refused(world.new_hold(&held, Hold::Keep)).await, Refusal::LeaseLost);
    assert!(world.claim(worker).await.runs.is_empty());
    world.clock.advance(SECOND);
    world.claim_one(worker).await;
}

/// H12. What one process has committed, every other reads and goes on from.
pub async fn another_process_sees_what_is_committed(world: World) {
    let worker = world.worker().await;
    let other_process = world.another_process().await;
    let heir = other_process.worker().await;
    let mut held = world.with_task(worker, "a").await;
    assert_eq!(other_process.snapshot().await, world.snapshot().await);
    assert_eq!(other_process.store.claim(&claim_all(heir)).await.unwrap().activities.len(), 1);
    other_process.sent(&held.run, "from elsewhere").await;
    assert_eq!(texts(&world.unread(&held).await), ["from elsewhere"]);
    let release = Commit { taken_in: Position(1), ..world.new_hold(&held, Hold::Release) };
    world.commit(&mut held, release).await;
    other_process.sent(&held.run, "once more").await;
    let (mut taken, _) = other_process.claim_one(heir).await;
    let commit = other_process.new_commit(&taken);
    other_process.commit(&mut taken, commit).await;
    assert_eq!(world.refused(world.new_commit(&held)).await, Refusal::LeaseLost);
}
