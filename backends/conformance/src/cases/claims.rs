//! H8, H10, H11, H15: who gets which run, and when.

use std::time::Duration;

use retell::backend::{Claim, ClaimedRun};
use retell::vocabulary::{
    EventId, FencingToken, Namespace, Position, SemanticsVersion, TaskQueue, Timestamp,
};
use retell::write::{Commit, Hold, Next, OpenRun, Start};

use crate::world::{Held, LEASE, SECOND, TICK, World, claim_all, order, sleeping, texts, workflow_type};

const HOUR: Duration = Duration::from_secs(3_600);

fn sleeping_until(wake_at: Option<Timestamp>) -> OpenRun {
    OpenRun { wake_at, ..sleeping(Hold::Keep) }
}

async fn sleep(world: &World, held: &mut Held, open: OpenRun) {
    let commit = Commit { next: Next::Open(open), ..world.new_commit(held) };
    world.commit(held, commit).await;
}

/// A claim answers all that it takes to go on with a run, beside its history.
pub async fn a_claim_tells_all_that_a_holder_needs(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    world.sent(&held.run, "one").await;
    world.sent(&held.run, "two").await;
    let open = OpenRun { rowless: true, ..sleeping_until(None) };
    let commit = Commit {
        record: Some(world.record(4, "four")),
        taken_in: Position(1),
        next: Next::Open(open),
        ..world.new_commit(&held)
    };
    world.commit(&mut held, commit).await;
    world.retire(worker).await;
    let heir = world.worker().await;
    let claimed = world.claim(heir).await;
    let wanted = ClaimedRun {
        run: held.run,
        token: claimed.runs[0].token,
        workflow: order(),
        head: EventId(5),
        taken_in: Position(1),
        inbox: claimed.runs[0].inbox.clone(),
        rowless: true,
        failure: None,
        unsettled: false,
    };
    assert_eq!(claimed.runs, [wanted]);
    assert_eq!(claimed.now, world.now());
    assert_eq!(texts(&claimed.runs[0].inbox), ["two"]);
    assert!(claimed.runs[0].token > FencingToken(1));
}

/// H11. Nobody starves: what is due longest goes first, and the rest waits.
pub async fn the_longest_due_goes_first(world: World) {
    for (id, micros) in [("b", 3), ("d", 1), ("a", 4), ("c", 2)] {
        world.applied(Start { wake_at: world.now() + TICK * micros, ..world.new_start(id) }).await;
    }
    world.clock.advance(SECOND);
    let worker = world.worker().await;
    let some = Claim { runs_max: 3, ..claim_all(worker) };
    let ids = |runs: Vec<ClaimedRun>| {
        runs.iter().map(|run| run.run.workflow_id.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(world.claim_as(&some).await.runs), ["d", "c", "b"]);
    assert_eq!(ids(world.claim_as(&some).await.runs), ["a"]);
}

/// A worker without room for runs gets none, but what came for its own.
pub async fn no_room_for_runs_still_shows_what_came(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    world.started("b").await;
    world.sent(&held.run, "one").await;
    let full = Claim { runs_max: 0, activities: Vec::new(), workflows: Vec::new(), ..claim_all(worker) };
    let claimed = world.claim_as(&full).await;
    assert!(claimed.runs.is_empty());
    assert_eq!(texts(&claimed.unread[0].messages), ["one"]);
}

/// Fault: a worker that does not know a workflow's name fails its runs for good, or stops at them. H10, H11.
pub async fn unserved_workflows_block_nobody(world: World) {
    for index in 0..50 {
        let start =
            Start { workflow: workflow_type("unknown", 1), ..world.new_start(&format!("poison-{index}")) };
        world.applied(start).await;
    }
    world.clock.advance(TICK);
    let run = world.started("a").await;
    let worker = world.worker().await;
    let one = Claim { runs_max: 1, ..claim_all(worker) };
    assert_eq!(world.claim_as(&one).await.runs[0].run, run);
    assert!(world.claim_as(&one).await.runs.is_empty());
    assert_eq!(world.stats().await.open, 51);
    let serving = Claim { workflows: vec![workflow_type("unknown", 1)], ..claim_all(worker) };
    assert_eq!(world.claim_as(&serving).await.runs.len(), 50, "they wait for who serves them");
}

/// H11. A version is served by name: neither older nor newer ones are taken.
pub async fn unserved_versions_block_nobody(world: World) {
    for version in 1..=3 {
        let start = Start {
            workflow: workflow_type("order", version),
            ..world.new_start(&format!("version-{version}"))
        };
        world.applied(start).await;
    }
    let worker = world.worker().await;
    let claim = Claim { workflows: vec![workflow_type("order", 2)], ..claim_all(worker) };
    let claimed = world.claim_as(&claim).await.runs;
    assert_eq!((claimed.len(), &claimed[0].workflow), (1, &workflow_type("order", 2)));
    let both = vec![workflow_type("order", 1), workflow_type("order", 3), workflow_type("other", 1)];
    assert_eq!(world.claim_as(&Claim { workflows: both, ..claim_all(worker) }).await.runs.len(), 2);
}

/// H15. A history of newer semantics is left to newer workers; older ones are replayed by all.
pub async fn newer_semantics_are_left_to_newer_workers(world: World) {
    for version in [1, 2, 9] {
        let start = Start {
            semantics: SemanticsVersion(version),
            ..world.new_start(&format!("semantics-{version}"))
        };
        world.applied(start).await;
    }
    let worker = world.worker().await;
    let knows = |version| Claim { semantics: SemanticsVersion(version), ..claim_all(worker) };
    let ids = async |claim: Claim| {
        let runs = world.claim_as(&claim).await.runs;
        runs.into_iter().map(|run| run.run.workflow_id.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(knows(1)).await, ["semantics-1"]);
    assert!(ids(knows(1)).await.is_empty());
    assert_eq!(ids(knows(9)).await.len(), 2);
}

/// H11. Work of an unserved queue or of another tenant waits, unharmed.
pub async fn other_queues_and_tenants_are_left_alone(world: World) {
    let slow = TaskQueue::new("slow").unwrap();
    world.applied(Start { task_queue: slow.clone(), ..world.new_start("slow") }).await;
    let worker = world.worker().await;
    let tenant = Namespace::new("tenant").unwrap();
    for (id, owner) in [("foreign", None), ("foreign activity", Some(worker))] {
        let mut foreign = Start { owner, ..world.new_start(id) };
        foreign.run.namespace = tenant.clone();
        world.applied(foreign.clone()).await;
        if owner.is_some() {
            let held = Held::from_start(&foreign, worker);
            world.applied(Commit { schedule: vec![world.new_task(2)], ..world.new_commit(&held) }).await;
        }
    }
    let claimed = world.claim(worker).await;
    assert!(claimed.runs.is_empty() && claimed.activities.is_empty());
    assert_eq!(claimed.next_due, None);
    let claim = Claim { task_queue: slow, ..claim_all(worker) };
    assert_eq!(world.claim_as(&claim).await.runs.len(), 1);
    let claimed = world.claim_as(&Claim { namespace: tenant, ..claim_all(worker) }).await;
    assert_eq!((claimed.runs.len(), claimed.activities.len()), (1, 1));
}

/// Fault: recovery takes over a run that this process started in the same millisecond.
pub async fn a_run_just_started_is_nobody_elses(world: World) {
    let (worker, other) = (world.worker().await, world.worker().await);
    let mut held = world.started_by(worker, "a").await;
    assert!(world.claim(other).await.runs.is_empty());
    assert!(world.claim(worker).await.runs.is_empty(), "nor is it given to its holder once more");
    let commit = world.new_commit(&held);
    world.commit(&mut held, commit).await;
}

/// A run that its holder took and never committed is due again when the holder dies.
pub async fn a_dead_holders_due_run_is_taken_over(world: World) {
    let worker = world.worker().await;
    let run = world.started("a").await;
    world.claim_one(worker).await;
    world.clock.advance(LEASE - TICK);
    let heir = world.worker().await;
    assert!(world.claim(heir).await.runs.is_empty());
    world.clock.advance(TICK);
    let (taken, _) = world.claim_one(heir).await;
    assert_eq!(taken.run, run);
}

/// Fault: an idle poll costs as much as there are sleeping runs. A takeover passes sleepers on unread.
pub async fn a_dead_holders_sleeper_is_left_asleep(world: World) {
    let worker = world.worker().await;
    let mut sleeper = world.started_by(worker, "sleeper").await;
    let due = world.now() + HOUR;
    sleep(&world, &mut sleeper, sleeping_until(Some(due))).await;
    let mut waiter = world.started_by(worker, "waits for a message").await;
    sleep(&world, &mut waiter, sleeping_until(None)).await;
    world.clock.advance(LEASE);
    let heir = world.worker().await;
    let claimed = world.claim(heir).await;
    assert!(claimed.runs.is_empty());
    assert_eq!(claimed.next_due, Some(due), "its timer is not forgotten");
    world.sent(&waiter.run, "wake up").await;
    assert_eq!(world.claim_one(heir).await.0.run, waiter.run);
    world.clock.advance(HOUR);
    let heir = world.worker().await;
    assert!(world.claim(heir).await.runs.iter().any(|claimed| claimed.run == sleeper.run));
}

/// A run whose dead holder was running activities without rows is taken over though it sleeps.
pub async fn a_dead_holders_rowless_work_is_looked_at(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    for wake_at in [None, Some(world.now() + HOUR)] {
        let open = OpenRun { rowless: true, ..sleeping_until(wake_at) };
        sleep(&world, &mut held, open).await;
        assert!(world.claim(held.worker).await.runs.is_empty());
        world.clock.advance(LEASE);
        let heir = world.worker().await;
        let (taken, claimed) = world.claim_one(heir).await;
        assert!(claimed.rowless);
        held = taken;
    }
    sleep(&world, &mut held, sleeping_until(None)).await;
    world.retire(held.worker).await;
    let heir = world.worker().await;
    assert!(world.claim(heir).await.runs.is_empty(), "the rowless work has ended");
}

/// A run that was given up sleeps, whatever it says of rowless work: who gives it up has written the rows.
pub async fn released_rowless_work_is_nobodys(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let open = OpenRun { rowless: true, hold: Hold::Release, ..sleeping_until(None) };
    sleep(&world, &mut held, open).await;
    assert!(world.claim(worker).await.runs.is_empty());
}

/// H13. What a claim got is told once, so a claim whose answer was lost is answered as before; the next one is new.
pub async fn a_claim_asked_again_is_answered_as_before(world: World) {
    let worker = world.worker().await;
    let held = world.with_task(worker, "held").await;
    world.sent(&held.run, "one").await;
    world.started("free").await;
    let numbered = |number| Claim { number, ..claim_all(worker) };
    let first = world.claim_as(&numbered(1)).await;
    assert_eq!((first.runs.len(), first.unread.len(), first.activities.len()), (1, 1, 1));
    world.sent(&held.run, "two").await;
    assert_eq!(world.claim_as(&numbered(1)).await, first);
    let second = world.claim_as(&numbered(2)).await;
    assert_eq!((second.runs.len(), second.activities.len()), (0, 0));
    assert_eq!(texts(&second.unread[0].messages), ["two"]);
    let other = world.worker().await;
    assert!(world.claim_as(&Claim { number: 2, ..claim_all(other) }).await.unread.is_empty());
}

/// Nothing polls: a claim says when it is worth asking again.
pub async fn the_next_due_time_is_told(world: World) {
    let worker = world.worker().await;
    assert_eq!(world.claim(worker).await.next_due, None);
    let start_at = async |id: &str, seconds| {
        let wake_at = world.now() + SECOND * seconds;
        world.applied(Start { wake_at, ..world.new_start(id) }).await;
        wake_at
    };
    start_at("late", 9).await;
    let soon = start_at("soon", 3).await;
    start_at("very late", 20).await;
    let unserved = Start { workflow: workflow_type("unknown", 1), ..world.new_start("unserved") };
    world.applied(Start { wake_at: world.now() + TICK, ..unserved }).await;
    let claimed = world.claim(worker).await;
    assert_eq!((claimed.runs.len(), claimed.next_due), (0, Some(soon)));
    let full = Claim { runs_max: 0, ..claim_all(worker) };
    assert_eq!(world.claim_as(&full).await.next_due, Some(soon), "room or not");
    let mut held = world.started_by(worker, "queues").await;
    let earlier = world.now() + SECOND;
    let task = retell::write::NewActivityTask { visible_at: earlier, ..world.new_task(2) };
    let commit = Commit { schedule: vec![task], ..world.new_commit(&held) };
    world.commit(&mut held, commit).await;
    assert_eq!(world.claim(worker).await.next_due, Some(earlier));
    world.clock.advance(SECOND * 3);
    let claimed = world.claim(worker).await;
    assert_eq!((claimed.runs.len(), claimed.activities.len()), (1, 1));
}

/// What a living worker holds is its own affair.
pub async fn what_a_living_worker_holds_is_not_next_due(world: World) {
    let (worker, other) = (world.worker().await, world.worker().await);
    let mut held = world.started_by(worker, "a").await;
    let due = world.now() + SECOND;
    sleep(&world, &mut held, sleeping_until(Some(due))).await;
    assert_eq!(world.claim(other).await.next_due, None);
    world.retire(worker).await;
    assert_eq!(world.claim(other).await.next_due, Some(due));
}

/// H8. A clock that jumps an hour either way breaks no lease, and saves none.
pub async fn a_wall_clock_jump_breaks_no_lease(world: World) {
    let (worker, other) = (world.worker().await, world.worker().await);
    let mut held = world.started_by(worker, "a").await;
    let noon = world.now();
    for wall in [noon + HOUR, Timestamp::from_micros(noon.as_micros() - 3_600_000_000), noon] {
        world.clock.set_wall(wall);
        assert!(world.claim(other).await.runs.is_empty());
        let commit = world.new_commit(&held);
        world.commit(&mut held, commit).await;
    }
    world.clock.advance(LEASE);
    world.clock.set_wall(Timestamp::from_micros(noon.as_micros() - 3_600_000_000));
    assert_eq!(world.refused(world.new_commit(&held)).await, retell::write::Refusal::LeaseLost);
    assert!(world.renew(worker).await.is_err());
}

/// H8. Timers are wall time: a forward jump fires them early, a backward one late; each once.
pub async fn a_jump_forward_fires_early_and_a_jump_back_late(world: World) {
    let worker = world.worker().await;
    let noon = world.now();
    world.applied(Start { wake_at: noon + HOUR, ..world.new_start("early") }).await;
    world.applied(Start { wake_at: noon + SECOND, ..world.new_start("late") }).await;
    world.clock.set_wall(Timestamp::from_micros(noon.as_micros() - 1));
    assert!(world.claim(worker).await.runs.is_empty());
    world.clock.advance(SECOND);
    assert!(world.claim(worker).await.runs.is_empty());
    world.clock.advance(TICK);
    assert_eq!(world.claim_one(worker).await.0.run.workflow_id.as_str(), "late");
    world.clock.set_wall(noon + HOUR);
    assert_eq!(world.claim_one(worker).await.0.run.workflow_id.as_str(), "early");
    assert!(world.claim(worker).await.runs.is_empty());
}
