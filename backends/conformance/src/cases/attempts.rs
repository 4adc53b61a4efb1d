//! H5: attempts that say how far they are, that are asked to stop, and that end from outside.

use retell::vocabulary::{Attempt, EventId, Failure, Payload, WorkerId};
use retell::write::{ActivityReport, ActivityVerdict, Applied, Commit, NewActivityTask, Refusal};

use crate::world::{Held, LEASE, SECOND, TICK, World, message, texts};

fn details(text: &str) -> Option<Payload> {
    Some(Payload::encode(text).unwrap())
}

fn beat(text: &str) -> ActivityVerdict {
    ActivityVerdict::Heartbeat { details: details(text), visible_at: None }
}

fn wanted(cancel_requested: bool) -> Applied {
    Applied::Wanted { cancel_requested }
}

/// A report by a token, which names no worker.
fn by_token(world: &World, held: &Held, verdict: ActivityVerdict) -> ActivityReport {
    ActivityReport { worker: None, ..world.new_report(held, 2, held.worker, verdict) }
}

/// Starts a run whose one activity its holder runs already.
async fn running(world: &World) -> Held {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let task = NewActivityTask { running: true, ..world.new_task(2) };
    let commit = Commit { schedule: vec![task], ..world.new_commit(&held) };
    world.commit(&mut held, commit).await;
    held
}

/// The next worker gets it as the attempt after, once the first is dead.
pub async fn a_row_may_belong_to_its_worker_from_the_start(world: World) {
    let held = running(&world).await;
    let queued = world.store.queued(&held.run).await.unwrap();
    assert_eq!((queued[0].worker, queued[0].attempt), (Some(held.worker), Attempt(1)));
    assert!(world.claim(held.worker).await.activities.is_empty());
    world.clock.advance(LEASE);
    let heir = world.worker().await;
    let claimed = world.claim(heir).await.activities;
    assert_eq!((claimed[0].attempt, claimed[0].taken_over), (Attempt(2), true));
}

/// What an attempt said last is there for the next one, whether it failed, was given back, or died.
pub async fn a_heartbeat_leaves_its_details_to_the_next_attempt(world: World) {
    let held = running(&world).await;
    let report = world.new_report(&held, 2, held.worker, beat("a third"));
    assert_eq!(world.applied(report.clone()).await, wanted(false));
    assert_eq!(world.applied(world.new_report(&held, 2, held.worker, beat("half"))).await, wanted(false));
    // Not remembered: applied again, it does the same once more.
    assert_eq!(world.applied(report).await, wanted(false));
    let silent = ActivityVerdict::Heartbeat { details: None, visible_at: Some(world.now() + LEASE) };
    assert_eq!(world.applied(world.new_report(&held, 2, held.worker, silent)).await, wanted(false));
    assert_eq!(world.store.queued(&held.run).await.unwrap()[0].details, details("a third"));
    let failure = Failure::new("Declined", "no money");
    let retry = ActivityVerdict::Retry { attempt: Attempt(2), visible_at: world.now(), failure };
    world.applied(world.new_report(&held, 2, held.worker, retry)).await;
    assert_eq!(world.claim(held.worker).await.activities[0].details, details("a third"));
    world.clock.advance(LEASE);
    let heir = world.worker().await;
    assert_eq!(world.claim(heir).await.activities[0].details, details("a third"));
}

/// It hears that its run asks it to stop, or that nobody wants it any more.
pub async fn a_heartbeat_hears_whether_its_attempt_is_wanted(world: World) {
    let mut held = running(&world).await;
    let ask = Commit { cancel_requested: vec![EventId(2), EventId(9)], ..world.new_commit(&held) };
    world.commit(&mut held, ask).await;
    assert!(world.store.queued(&held.run).await.unwrap()[0].cancel_requested);
    assert_eq!(world.applied(world.new_report(&held, 2, held.worker, beat("half"))).await, wanted(true));
    assert_eq!(world.applied(by_token(&world, &held, beat("half"))).await, wanted(true));
    let later =
        ActivityReport { attempt: Attempt(2), ..world.new_report(&held, 2, held.worker, beat("half")) };
    assert_eq!(world.refused(later).await, Refusal::TaskLost);
    let other = world.new_report(&held, 2, WorkerId::fresh(), beat("half"));
    assert_eq!(world.refused(other).await, Refusal::TaskLost);
    world.applied(world.new_report(&held, 2, held.worker, ActivityVerdict::Released)).await;
    assert!(world.claim(held.worker).await.activities[0].cancel_requested);
    let cancel = Commit { cancelled: vec![EventId(2)], ..world.new_commit(&held) };
    world.commit(&mut held, cancel).await;
    let late = world.new_report(&held, 2, held.worker, beat("half"));
    assert_eq!(world.refused(late).await, Refusal::TaskLost);
    assert_eq!(world.refused(by_token(&world, &held, beat("half"))).await, Refusal::TaskLost);
}

/// No worker gets it meanwhile, and it outlives them all: the first who has its token ends it, and nobody after.
pub async fn a_deferred_attempt_is_ended_from_outside_once(world: World) {
    let mut held = running(&world).await;
    let deferred = ActivityVerdict::Deferred { visible_at: world.now() + 100 * LEASE };
    assert_eq!(world.applied(world.new_report(&held, 2, held.worker, deferred)).await, Applied::Reported);
    let queued = world.store.queued(&held.run).await.unwrap();
    assert_eq!((queued[0].worker, queued[0].deferred), (None, true));
    let world = world.restart().await;
    let heir = world.worker().await;
    assert!(world.claim(heir).await.activities.is_empty());
    let ended = |text| ActivityVerdict::Ended(message(text));
    let wrong = ActivityReport { attempt: Attempt(2), ..by_token(&world, &held, ended("wrong")) };
    assert_eq!(world.refused(wrong).await, Refusal::TaskLost);
    let stale = world.new_report(&held, 2, held.worker, ended("stale"));
    assert_eq!(world.refused(stale).await, Refusal::TaskLost);
    let good = by_token(&world, &held, ended("paid"));
    assert_eq!(world.applied(good.clone()).await, Applied::Reported);
    assert_eq!(world.applied(good).await, Applied::Reported, "the same request again");
    assert_eq!(world.refused(by_token(&world, &held, ended("twice"))).await, Refusal::TaskLost);
    let (again, claimed) = world.claim_one(heir).await;
    held = again;
    assert_eq!((texts(&claimed.inbox), held.worker), (vec!["paid".to_owned()], heir));
}

/// Who claims it then is told; a heartbeat moves that time.
pub async fn a_deferred_attempt_is_handed_out_when_its_time_is_over(world: World) {
    let held = running(&world).await;
    let deferred = ActivityVerdict::Deferred { visible_at: world.now() + SECOND };
    world.applied(world.new_report(&held, 2, held.worker, deferred)).await;
    let on = ActivityVerdict::Heartbeat { details: None, visible_at: Some(world.now() + 2 * SECOND) };
    assert_eq!(world.applied(by_token(&world, &held, on)).await, wanted(false));
    world.clock.advance(2 * SECOND - TICK);
    assert!(world.claim(held.worker).await.activities.is_empty());
    world.clock.advance(TICK);
    let claimed = world.claim(held.worker).await.activities;
    assert_eq!((claimed[0].attempt, claimed[0].deferred, claimed[0].taken_over), (Attempt(1), true, false));
    let failure = Failure::new("Timeout", "too slow");
    let retry = ActivityVerdict::Retry { attempt: Attempt(2), visible_at: world.now(), failure };
    world.applied(world.new_report(&held, 2, held.worker, retry)).await;
    let claimed = world.claim(held.worker).await.activities;
    assert_eq!((claimed[0].attempt, claimed[0].deferred), (Attempt(2), false));
    let late = by_token(&world, &held, ActivityVerdict::Ended(message("late")));
    assert_eq!(world.refused(late).await, Refusal::TaskLost);
}

/// An attempt may be ended by its token before its worker has let go of it.
pub async fn a_token_ends_an_attempt_that_still_runs(world: World) {
    let held = running(&world).await;
    world.applied(by_token(&world, &held, ActivityVerdict::Ended(message("paid")))).await;
    let deferred = ActivityVerdict::Deferred { visible_at: world.now() + SECOND };
    let late = world.new_report(&held, 2, held.worker, deferred);
    assert_eq!(world.refused(late).await, Refusal::TaskLost);
    assert_eq!(texts(&world.unread(&held).await), ["paid"]);
}
