//! H5 and H11: queued activities have one outcome each, and none blocks another.

use retell::backend::{ActivityRequest, Claim, ClaimedActivity};
use retell::vocabulary::{Attempt, EventId, Failure, Payload, RequestId, TaskQueue};
use retell::write::{ActivityReport, ActivityVerdict, Applied, Commit, Hold, NewActivityTask, Refusal};

use crate::world::{
    Held, LEASE, SECOND, TICK, World, activity_name, charge, claim_all, committed_at, message, texts,
};

fn ended(text: &str) -> ActivityVerdict {
    ActivityVerdict::Ended(message(text))
}

fn retry(world: &World, attempt: u32) -> ActivityVerdict {
    let failure = Failure::new("Declined", "no money");
    ActivityVerdict::Retry { attempt: Attempt(attempt), visible_at: world.now() + SECOND, failure }
}

/// Starts a run with these tasks in the queue.
async fn queued(world: &World, id: &str, tasks: Vec<NewActivityTask>) -> Held {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, id).await;
    let commit = Commit { schedule: tasks, ..world.new_commit(&held) };
    world.commit(&mut held, commit).await;
    held
}

fn scheduled(activities: &[ClaimedActivity]) -> Vec<u64> {
    activities.iter().map(|activity| activity.scheduled.0).collect()
}

/// What was scheduled is what the worker gets.
pub async fn a_queued_activity_is_handed_out_whole(world: World) {
    let task = NewActivityTask {
        attempt: Attempt(3),
        close_by: Some(world.now() + SECOND),
        details: Some(Payload::encode("half way").unwrap()),
        last_failure: Some(Failure::new("Declined", "no money")),
        ..world.new_task(2)
    };
    let held = queued(&world, "a", vec![task.clone()]).await;
    let claimed = world.claim(held.worker).await.activities;
    let wanted = ClaimedActivity {
        run: held.run,
        scheduled: task.scheduled,
        activity: task.activity,
        call: task.call,
        attempt: Attempt(3),
        taken_over: false,
        close_by: task.close_by,
        last_failure: task.last_failure,
        details: task.details,
        cancel_requested: false,
        deferred: false,
    };
    assert_eq!(claimed, [wanted]);
}

/// H11. Of workers that claim at once, each activity goes to one.
pub async fn a_queued_activity_is_handed_out_once(world: World) {
    const TASKS: u64 = 40;
    let tasks = (2..TASKS + 2).map(|scheduled| world.new_task(scheduled)).collect();
    queued(&world, "a", tasks).await;
    let mut claimers = Vec::new();
    for _ in 0..4 {
        let process = world.another_process().await;
        let worker = process.worker().await;
        claimers.push(tokio::spawn(async move {
            let activities = vec![ActivityRequest { names: vec![charge()], max: 3 }];
            let claim = Claim { activities, ..claim_all(worker) };
            let mut got = Vec::new();
            loop {
                let activities = process.claim_as(&claim).await.activities;
                if activities.is_empty() {
                    return (process, got);
                }
                got.extend(scheduled(&activities));
            }
        }));
    }
    let mut all = Vec::new();
    let mut processes = Vec::new();
    for claimer in claimers {
        let (process, got) = claimer.await.expect("the claimer does not panic");
        all.extend(got);
        processes.push(process);
    }
    all.sort_unstable();
    assert_eq!(all, (2..TASKS + 2).collect::<Vec<_>>());
}

/// H5. A completion takes the task out of the queue and lies in the run's inbox, in one step.
pub async fn an_outcome_joins_the_inbox(world: World) {
    let worker = world.worker().await;
    let held = world.with_task(worker, "a").await;
    assert_eq!(world.claim(worker).await.activities.len(), 1);
    let report = world.new_report(&held, 2, worker, ended("paid"));
    assert_eq!(world.applied(report).await, Applied::Reported);
    assert!(world.store.queued(&held.run).await.unwrap().is_empty());
    assert_eq!(texts(&world.unread(&held).await), ["paid"]);
}

/// H5. A second completion under another request changes nothing.
pub async fn a_second_completion_is_refused(world: World) {
    let worker = world.worker().await;
    let held = world.with_task(worker, "a").await;
    assert_eq!(world.claim(worker).await.activities.len(), 1);
    world.applied(world.new_report(&held, 2, worker, ended("paid"))).await;
    let again = world.new_report(&held, 2, worker, ended("paid again"));
    assert_eq!(world.refused(again).await, Refusal::TaskLost);
    let unknown = world.new_report(&held, 9, worker, ended("never scheduled"));
    assert_eq!(world.refused(unknown).await, Refusal::TaskLost);
}

/// Fault: a late activity result is recorded twice.
pub async fn a_late_completion_is_refused(world: World) {
    let worker = world.worker().await;
    let held = world.with_task(worker, "a").await;
    let early = world.new_report(&held, 2, worker, ended("not claimed"));
    assert_eq!(world.refused(early).await, Refusal::TaskLost);
    assert_eq!(world.claim(worker).await.activities.len(), 1);
    world.clock.advance(LEASE);
    let heir = world.worker().await;
    assert_eq!(world.claim(heir).await.activities[0].attempt, Attempt(2));
    for attempt in [Attempt(1), Attempt(2)] {
        let late = ActivityReport { attempt, ..world.new_report(&held, 2, worker, ended("late")) };
        assert_eq!(world.refused(late).await, Refusal::TaskLost);
    }
    let wrong_attempt = world.new_report(&held, 2, heir, retry(&world, 2));
    assert_eq!(world.refused(wrong_attempt).await, Refusal::TaskLost);
    let good = ActivityReport { attempt: Attempt(2), ..world.new_report(&held, 2, heir, ended("paid")) };
    world.applied(good).await;
}

/// Fault: a true result is refused and the work repeated for ever. What nobody took over counts.
pub async fn a_true_result_counts_though_the_lease_is_over(world: World) {
    let worker = world.worker().await;
    let held = world.with_task(worker, "a").await;
    assert_eq!(world.claim(worker).await.activities.len(), 1);
    world.clock.advance(LEASE * 2);
    world.applied(world.new_report(&held, 2, worker, ended("slow but paid"))).await;
    let heir = world.worker().await;
    let (_, claimed) = world.claim_one(heir).await;
    assert_eq!(texts(&claimed.inbox), ["slow but paid"]);
}

/// H3, H5. An outcome that its worker's own commit records needs no message; the task is fenced all the same.
pub async fn an_outcome_and_its_record_are_one_commit(world: World) {
    let worker = world.worker().await;
    let mut held = world.with_task(worker, "a").await;
    assert_eq!(world.claim(worker).await.activities.len(), 1);
    let wrong_attempt = Commit { ended: vec![(EventId(2), Attempt(2))], ..world.new_commit(&held) };
    assert_eq!(world.refused(wrong_attempt).await, Refusal::TaskLost);
    let commit = Commit {
        ended: vec![(EventId(2), Attempt(1))],
        schedule: vec![world.new_task(4)],
        ..world.new_commit(&held)
    };
    world.commit(&mut held, commit.clone()).await;
    assert_eq!(scheduled(&world.claim(worker).await.activities), [4]);
    world.applied(commit).await;
    let late = world.new_report(&held, 2, worker, ended("paid again"));
    assert_eq!(world.refused(late).await, Refusal::TaskLost);
}

/// A failed attempt is tried again when it is time, and not before.
pub async fn a_retry_waits_its_time(world: World) {
    let worker = world.worker().await;
    let held = world.with_task(worker, "a").await;
    assert_eq!(world.claim(worker).await.activities.len(), 1);
    world.applied(world.new_report(&held, 2, worker, retry(&world, 2))).await;
    let due = world.now() + SECOND;
    let queued = world.store.queued(&held.run).await.unwrap();
    assert_eq!((queued[0].attempt, queued[0].visible_at, queued[0].worker), (Attempt(2), due, None));
    world.clock.advance(SECOND - TICK);
    let early = world.claim(worker).await;
    assert_eq!((early.activities, early.next_due), (vec![], Some(due)));
    world.clock.advance(TICK);
    let claimed = world.claim(worker).await.activities;
    assert_eq!((claimed[0].attempt, claimed[0].taken_over), (Attempt(2), false));
    assert_eq!(claimed[0].last_failure, Some(Failure::new("Declined", "no money")));
}

/// What a worker gives back unfinished was no attempt.
pub async fn a_released_activity_keeps_its_attempt(world: World) {
    let worker = world.worker().await;
    let held = world.with_task(worker, "a").await;
    assert_eq!(world.claim(worker).await.activities.len(), 1);
    world.applied(world.new_report(&held, 2, worker, ActivityVerdict::Released)).await;
    let after = world.new_report(&held, 2, worker, ended("too late"));
    assert_eq!(world.refused(after).await, Refusal::TaskLost);
    let claimed = world.claim(worker).await.activities;
    assert_eq!((claimed[0].attempt, claimed[0].taken_over), (Attempt(1), false));
}

/// H5. A retry is queued by a commit without a record. If its answer was lost, the row may have come and gone when it is
/// applied again: it does not come back.
pub async fn a_commit_without_a_record_queues_an_activity_once(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    let retry = NewActivityTask { attempt: Attempt(2), ..world.new_task(2) };
    let request_id = Some(RequestId::fresh());
    let commit = Commit { request_id, schedule: vec![retry], ..world.new_hold(&held, Hold::Keep) };
    let first = world.applied(commit.clone()).await;
    assert_eq!(first, committed_at(0));
    assert_eq!(world.claim(worker).await.activities.len(), 1);
    let report = ActivityReport { attempt: Attempt(2), ..world.new_report(&held, 2, worker, ended("done")) };
    world.applied(report).await;
    assert_eq!(world.applied(commit.clone()).await, committed_at(1));
    world.retire(worker).await;
    assert_eq!(world.applied(commit).await, committed_at(1), "whoever holds the run");
    assert!(world.store.queued(&held.run).await.unwrap().is_empty());
}

/// H5. What a dead worker was running is run again as the next attempt, and says so, each time.
pub async fn a_dead_workers_activity_is_the_next_attempt(world: World) {
    let worker = world.worker().await;
    let held = world.with_task(worker, "a").await;
    assert_eq!(world.claim(worker).await.activities.len(), 1);
    for attempt in 2..=4 {
        world.clock.advance(LEASE);
        let heir = world.worker().await;
        let claimed = world.claim(heir).await.activities;
        assert_eq!((claimed[0].attempt, claimed[0].taken_over), (Attempt(attempt), true));
        assert!(world.claim(heir).await.activities.is_empty());
        let queued = world.store.queued(&held.run).await.unwrap();
        assert_eq!((queued[0].attempt, queued[0].worker), (Attempt(attempt), Some(heir)));
    }
}

/// A retired worker's activities need not wait for its lease to run out.
pub async fn a_retired_workers_activity_is_free_at_once(world: World) {
    let (worker, heir) = (world.worker().await, world.worker().await);
    world.with_task(worker, "a").await;
    assert_eq!(world.claim(worker).await.activities.len(), 1);
    assert!(world.claim(heir).await.activities.is_empty());
    world.retire(worker).await;
    let claimed = world.claim(heir).await.activities;
    assert_eq!((claimed[0].attempt, claimed[0].taken_over), (Attempt(2), true));
}

/// Fault: abandoned tasks are recovered on the first queue only.
pub async fn abandoned_activities_of_every_queue_are_taken_over(world: World) {
    let queues = ["first", "second", "third"].map(|queue| TaskQueue::new(queue).unwrap());
    let tasks = queues
        .iter()
        .zip(2..)
        .map(|(queue, scheduled)| NewActivityTask { task_queue: queue.clone(), ..world.new_task(scheduled) });
    let held = queued(&world, "a", tasks.collect()).await;
    let claim = |worker, queue: &TaskQueue| Claim { task_queue: queue.clone(), ..claim_all(worker) };
    for queue in &queues {
        assert_eq!(world.claim_as(&claim(held.worker, queue)).await.activities.len(), 1);
    }
    world.clock.advance(LEASE);
    let heir = world.worker().await;
    for (queue, event) in queues.iter().zip(2..) {
        assert_eq!(scheduled(&world.claim_as(&claim(heir, queue)).await.activities), [event]);
    }
}

/// Fault: a removed run whose activity is still queued blocks every fetch of the queue.
pub async fn a_closed_run_leaves_nothing_in_the_queue(world: World) {
    let worker = world.worker().await;
    let completed = world.with_task(worker, "completed").await;
    let continued = world.with_task(worker, "continued").await;
    let terminated = world.with_task(worker, "terminated").await;
    assert_eq!(world.claim(worker).await.activities.len(), 3);
    world.applied(world.new_close(&completed)).await;
    world.applied(world.new_continue(&continued, &world.new_start("continued"))).await;
    world.applied(world.new_terminate(terminated.run.clone())).await;
    assert_eq!(world.stats().await.queued, 0);
    for held in [completed, continued, terminated] {
        let late = world.new_report(&held, 2, worker, ended("late"));
        assert_eq!(world.refused(late).await, Refusal::TaskLost);
    }
    let heir = world.worker().await;
    world.retire(worker).await;
    assert!(world.claim(heir).await.activities.is_empty());
}

/// H11. Activities that a worker does not serve wait, unharmed, and stop none behind them.
pub async fn unserved_activities_block_nobody(world: World) {
    let mut tasks: Vec<_> = (2..52)
        .map(|scheduled| NewActivityTask { activity: activity_name("ship"), ..world.new_task(scheduled) })
        .collect();
    let later = world.now() + TICK;
    tasks.push(NewActivityTask { visible_at: later, ..world.new_task(52) });
    let held = queued(&world, "a", tasks).await;
    world.clock.advance(TICK);
    let mut claim = claim_all(held.worker);
    claim.activities[0].max = 1;
    assert_eq!(scheduled(&world.claim_as(&claim).await.activities), [52]);
    assert!(world.claim_as(&claim).await.activities.is_empty());
    let elsewhere = Claim { task_queue: TaskQueue::new("elsewhere").unwrap(), ..claim };
    assert!(world.claim_as(&elsewhere).await.activities.is_empty());
    assert_eq!(world.stats().await.queued, 51);
}

/// H11. Each group of activities has its own room; a full group leaves its own waiting and no other.
pub async fn groups_have_their_own_room(world: World) {
    let task = |scheduled, name: &str| NewActivityTask {
        activity: activity_name(name),
        ..world.new_task(scheduled)
    };
    let tasks = (2..8).map(|event| task(event, ["charge", "ship", "bill"][event as usize % 3])).collect();
    let held = queued(&world, "a", tasks).await;
    let group = |names: &[&str], max| ActivityRequest {
        names: names.iter().map(|name| activity_name(name)).collect(),
        max,
    };
    let activities = vec![group(&["charge"], 0), group(&["ship", "bill"], 3)];
    let claim = Claim { activities, ..claim_all(held.worker) };
    let claimed = world.claim_as(&claim).await.activities;
    assert_eq!(claimed.len(), 3);
    assert!(claimed.iter().all(|claimed| claimed.activity != charge()));
    let activities = vec![group(&["charge"], 1), group(&["ship", "bill"], 3)];
    let claimed = world.claim_as(&Claim { activities, ..claim }).await.activities;
    assert_eq!(claimed.len(), 2);
    assert_eq!(claimed[0].activity, charge(), "in the order of the groups");
}

/// H11. Nobody starves: what has waited longest goes first, whatever its run, attempt or order of scheduling.
pub async fn the_longest_visible_goes_first(world: World) {
    let at = |micros| NewActivityTask {
        visible_at: world.now() + TICK * micros,
        call: micros.to_string().into(),
        ..world.new_task(100 - u64::from(micros))
    };
    queued(&world, "b", vec![at(3), at(1)]).await;
    let mut held = queued(&world, "a", vec![at(4), at(2)]).await;
    world.clock.advance(SECOND);
    let release = world.new_hold(&held, Hold::Keep);
    world.commit(&mut held, release).await;
    let mut claim = claim_all(held.worker);
    claim.activities[0].max = 3;
    let first = world.claim_as(&claim).await.activities;
    let calls: Vec<&[u8]> = first.iter().map(|activity| &activity.call[..]).collect();
    assert_eq!(calls, [b"1", b"2", b"3"]);
    assert_eq!(world.claim_as(&claim).await.activities[0].call, "4");
}
