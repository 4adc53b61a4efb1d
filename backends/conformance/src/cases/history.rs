//! H1: a run's history is append-only and without a gap.

use retell::history::Record;
use retell::vocabulary::{EventId, RunId, RunKey, Timestamp};
use retell::write::{Applied, Commit, Refusal};

use crate::world::{SECOND, World};

/// H1. Sequence numbers run 1, 2, 3 ..., whatever the size of the commits.
pub async fn sequence_numbers_run_without_a_gap(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    for count in [1, 3, 1, 1_000] {
        let commit = Commit { record: Some(world.record(count, "events")), ..world.new_commit(&held) };
        world.commit(&mut held, commit).await;
    }
    let firsts: Vec<_> = world.history(&held.run).await.iter().map(|record| record.first.0).collect();
    assert_eq!(firsts, [1, 2, 3, 6, 7]);
    assert_eq!(world.info(held.run.clone()).await.head, EventId(1_006));
}

/// H1. What was appended is read as it was, also by another process and after a restart.
pub async fn records_come_back_to_the_byte(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let mut commit = world.new_commit(&held);
    let all_bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    commit.record.as_mut().expect("it has one").bytes = all_bytes.clone().into();
    world.commit(&mut held, commit).await;
    let wanted = Record { first: EventId(2), count: 1, at: world.now(), bytes: all_bytes.into() };
    assert_eq!(world.history(&held.run).await[1], wanted);
    assert_eq!(world.another_process().await.history(&held.run).await[1], wanted);
    assert_eq!(world.restart().await.history(&held.run).await[1], wanted);
}

/// H1, H8. A record is never earlier than the one before it, also when the clock of its writer is.
pub async fn record_times_never_go_back(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let started_at = world.now();
    let mut early = world.new_commit(&held);
    early.record.as_mut().expect("it has one").at = Timestamp::from_micros(7);
    world.commit(&mut held, early).await;
    world.clock.advance(SECOND);
    let closed_at = world.now();
    let close = world.new_close(&held);
    world.commit(&mut held, close).await;
    let times: Vec<_> = world.history(&held.run).await.iter().map(|record| record.at).collect();
    assert_eq!(times, [started_at, started_at, closed_at]);
    let info = world.info(held.run).await;
    assert_eq!((info.started_at, info.closed_at), (started_at, Some(closed_at)));
}

/// H1. A page holds the first record and what fits beside it; together the pages are the history.
pub async fn reading_goes_in_pages(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    for _ in 0..9 {
        let commit = Commit { record: Some(world.record(1, "ten bytes.")), ..world.new_commit(&held) };
        world.commit(&mut held, commit).await;
    }
    let page = async |after, bytes_max| {
        let page = world.store.history(&held.run, EventId(after), bytes_max).await.unwrap();
        page.iter().map(|record| record.first.0).collect::<Vec<_>>()
    };
    assert_eq!(page(1, 30).await, [2, 3, 4]);
    assert_eq!(page(1, 39).await, [2, 3, 4]);
    assert_eq!(page(1, 1).await, [2], "a page holds one record at least");
    assert_eq!(page(9, usize::MAX).await, [10]);
    assert!(page(10, 1_000).await.is_empty());
    assert!(page(u64::MAX, 1_000).await.is_empty());
}

/// H1. Whoever asks for what comes after the middle of a record gets the whole record.
pub async fn a_page_starts_inside_a_record(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let commit = Commit { record: Some(world.record(10, "ten events")), ..world.new_commit(&held) };
    world.commit(&mut held, commit).await;
    let page = world.store.history(&held.run, EventId(5), 1_000).await.unwrap();
    assert_eq!(page.iter().map(|record| record.first.0).collect::<Vec<_>>(), [2]);
}

/// A run that does not exist has an empty history, and no description.
pub async fn an_unknown_run_has_no_history(world: World) {
    let known = world.started("a").await;
    let unknown = RunKey { run_id: RunId::fresh(), ..known };
    assert!(world.store.history(&unknown, EventId(0), 1_000).await.unwrap().is_empty());
    assert!(world.store.queued(&unknown).await.unwrap().is_empty());
    assert_eq!(world.store.describe(&[unknown.into()]).await.unwrap(), [None]);
}

/// Fault: two workers append the same event for want of a unique key on run and sequence. Here they are copies of one
/// worker, in several processes: one commit is stored, and the others are taken for it.
pub async fn copies_of_a_worker_append_one_event(world: World) {
    const EVENTS: u64 = 20;
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let processes =
        [world.another_process().await, world.another_process().await, world.another_process().await];
    for event in 0..EVENTS {
        let commits = processes.iter().enumerate().map(|(copy, process)| {
            let record = Some(world.record(1, &format!("event {event} by {copy}")));
            process.apply(Commit { record, ..world.new_commit(&held) })
        });
        let outcomes = futures::future::join_all(commits).await;
        assert!(
            outcomes.iter().all(|outcome| matches!(outcome, Ok(Applied::Committed { .. }))),
            "{outcomes:?}"
        );
        held.head = held.head.next();
    }
    let firsts: Vec<_> = world.history(&held.run).await.iter().map(|record| record.first.0).collect();
    assert_eq!(firsts, (1..=EVENTS + 1).collect::<Vec<_>>());
}

/// Fault: two workers append the same event for want of a unique key on run and sequence.
pub async fn two_commits_never_share_an_event(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    let first = Commit { record: Some(world.record(2, "one copy")), ..world.new_commit(&held) };
    let second = Commit { expected_head: EventId(2), ..world.new_commit(&held) };
    assert!(matches!(world.applied(first).await, Applied::Committed { .. }));
    assert_eq!(world.refused(second).await, Refusal::LeaseLost, "event 3 is taken, from within a record");
    assert_eq!(world.history(&held.run).await.len(), 2);
}
