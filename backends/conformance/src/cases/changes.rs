//! Nothing polls inside a process: `changed` wakes those who wait.

use std::time::Duration;

use futures::FutureExt;
use futures::future::join;
use retell::backend::{Backend, Interest, Mark};
use retell::vocabulary::{Attempt, Failure, RequestId};
use retell::write::{ActivityVerdict, Answer, Commit, Hold, NewActivityTask, Write};

use crate::world::{World, message};

/// All that was announced until now.
fn seen(store: &dyn Backend, interest: Interest) -> Mark {
    let mut seen = Mark::default();
    while let Some(mark) = store.changed(interest, seen).now_or_never() {
        seen = mark;
    }
    seen
}

/// Applies a write while somebody waits for this; fails by hanging if nobody is woken.
async fn wakes(world: &World, interest: Interest, write: impl Into<Write>) {
    let write = write.into();
    let before = seen(&*world.store, interest);
    let (after, outcome) = join(world.store.changed(interest, before), world.apply(write)).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    assert!(after > before);
}

/// What becomes claimable or unread wakes those who wait for work.
pub async fn work_is_announced(world: World) {
    let worker = world.worker().await;
    wakes(&world, Interest::Work, world.new_start("a")).await;
    let (mut held, _) = world.claim_one(worker).await;
    wakes(&world, Interest::Work, world.new_send(held.run.clone(), "one")).await;
    let tasks = (2..=4).map(|event| world.new_task(event));
    wakes(&world, Interest::Work, Commit { schedule: tasks.collect(), ..world.new_commit(&held) }).await;
    held.head = held.head.next();
    assert_eq!(world.claim(worker).await.activities.len(), 3);
    let failure = Failure::new("Declined", "no money");
    let retry = ActivityVerdict::Retry { attempt: Attempt(2), visible_at: world.now(), failure };
    wakes(&world, Interest::Work, world.new_report(&held, 2, worker, retry)).await;
    wakes(&world, Interest::Work, world.new_report(&held, 3, worker, ActivityVerdict::Released)).await;
    let ended = ActivityVerdict::Ended(message("done"));
    wakes(&world, Interest::Work, world.new_report(&held, 4, worker, ended)).await;
    wakes(&world, Interest::Work, world.new_hold(&held, Hold::Release)).await;

    let held = world.started_by(worker, "b").await;
    wakes(&world, Interest::Work, world.new_continue(&held, &world.new_start("b"))).await;
    let later = NewActivityTask { visible_at: world.now() + Duration::from_secs(1), ..world.new_task(2) };
    let held = world.started_by(worker, "c").await;
    wakes(&world, Interest::Work, Commit { schedule: vec![later], ..world.new_commit(&held) }).await;

    let before = seen(&*world.store, Interest::Work);
    let (after, ()) = join(world.store.changed(Interest::Work, before), world.retire(worker)).await;
    assert!(after > before, "what a retired worker held is free");
}

/// Whatever closes a run wakes those who wait for results.
pub async fn closings_are_announced(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    wakes(&world, Interest::Closings, world.new_close(&held)).await;
    let held = world.started_by(worker, "b").await;
    wakes(&world, Interest::Closings, world.new_continue(&held, &world.new_start("b"))).await;
    let held = world.started_by(worker, "c").await;
    wakes(&world, Interest::Closings, world.new_terminate(held.run)).await;
}

/// Whoever waits for an answer is woken by it.
pub async fn answers_are_announced(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    let answer = Answer { request_id: RequestId::fresh(), body: bytes::Bytes::from_static(b"answer") };
    wakes(&world, Interest::Answers, Commit { answers: vec![answer], ..world.new_commit(&held) }).await;
}

/// Who read before a change and waits after it is woken at once; nothing falls in between.
pub async fn what_came_before_is_seen_at_once(world: World) {
    let before = seen(&*world.store, Interest::Work);
    world.started("a").await;
    assert!(world.store.changed(Interest::Work, before).await > before);
}

/// H12. A change by another process wakes too, without being asked for.
pub async fn another_process_is_noticed(world: World) {
    let other = world.another_process().await;
    for interest in [Interest::Work, Interest::Closings] {
        let before = seen(&*world.store, interest);
        let store = world.store.clone();
        let mut waiter = tokio::spawn(async move { store.changed(interest, before).await });
        let run = other.started("a").await;
        other.applied(other.new_terminate(run)).await;
        // Stores that watch each other by polling do so by the clock or in real time: both go on meanwhile.
        let after = loop {
            match tokio::time::timeout(Duration::from_millis(1), &mut waiter).await {
                Ok(after) => break after.expect("waiting does not panic"),
                Err(_) => world.clock.advance(Duration::from_millis(10)),
            }
        };
        assert!(after > before);
    }
}
