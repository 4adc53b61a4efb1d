//! H2: only the holder of the current token writes a run's history.

use retell::backend::{Claim, StoreErrorKind};
use retell::vocabulary::{EventId, FencingToken, RunKey, WorkerId};
use retell::write::{Applied, Commit, Hold, Refusal};

use crate::world::{LEASE, SECOND, TICK, World, claim_all};

/// H2. A commit under an earlier token is refused and leaves nothing.
pub async fn a_stale_token_writes_nothing(world: World) {
    let worker = world.worker().await;
    let stale = world.started_by(worker, "a").await;
    world.applied(world.new_hold(&stale, Hold::Release)).await;
    world.sent(&stale.run, "wake up").await;
    let (held, _) = world.claim_one(worker).await;
    assert_eq!(world.refused(world.new_commit(&stale)).await, Refusal::LeaseLost);
    assert_eq!(world.refused(world.new_close(&stale)).await, Refusal::LeaseLost);
    let greater = Commit { token: held.token.next(), ..world.new_commit(&held) };
    assert_eq!(world.refused(greater).await, Refusal::LeaseLost);
    world.applied(world.new_commit(&held)).await;
}

/// H1. Event 1 is its start's alone: no holder can say that it wrote it.
pub async fn no_commit_wrote_event_one(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    let forged = Commit { expected_head: EventId(0), ..world.new_commit(&held) };
    assert_eq!(world.refused(forged).await, Refusal::LeaseLost);
}

/// Fault: a commit is accepted after the lease is gone.
pub async fn an_expired_lease_writes_nothing_even_without_takeover(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    world.clock.advance(LEASE - TICK);
    let in_time = world.new_commit(&held);
    world.commit(&mut held, in_time).await;
    world.clock.advance(TICK);
    assert_eq!(world.refused(world.new_commit(&held)).await, Refusal::LeaseLost);
    assert_eq!(world.refused(world.new_hold(&held, Hold::Release)).await, Refusal::LeaseLost);
}

/// H2. A worker that wakes up after its lease has passed on gets `LeaseLost`, and nothing of it is stored.
pub async fn a_paused_worker_finds_its_lease_lost(world: World) {
    let paused = world.worker().await;
    let before = world.started_by(paused, "a").await;
    world.clock.advance(LEASE);
    let heir = world.worker().await;
    let (mut held, _) = world.claim_one(heir).await;
    assert!(held.token > before.token);
    assert_eq!(world.refused(world.new_commit(&before)).await, Refusal::LeaseLost);
    let commit = world.new_commit(&held);
    world.commit(&mut held, commit).await;
    assert_eq!(world.refused(world.new_commit(&before)).await, Refusal::LeaseLost);
    assert_eq!(world.info(held.run).await.owner, Some(heir));
}

/// H2. A living worker that guesses the right token does not write into another's run.
pub async fn a_worker_that_holds_nothing_writes_nothing(world: World) {
    let (worker, stranger) = (world.worker().await, world.worker().await);
    let held = world.started_by(worker, "a").await;
    let forged = Commit { worker: stranger, ..world.new_commit(&held) };
    assert_eq!(world.refused(forged).await, Refusal::LeaseLost);
    let unheld = world.started("b").await;
    let forged = Commit { run: unheld, token: FencingToken(0), ..world.new_commit(&held) };
    assert_eq!(world.refused(forged).await, Refusal::LeaseLost);
}

/// Fault: a worker whose lease expired takes its own run again, and two copies run on one cached future.
pub async fn an_expired_worker_never_takes_its_own_run_again(world: World) {
    let worker = world.worker().await;
    world.started_by(worker, "a").await;
    world.clock.advance(LEASE);
    let error = world.store.claim(&claim_all(worker)).await.expect_err("an expired worker claims nothing");
    assert_eq!(error.kind, StoreErrorKind::LeaseLost);
}

/// H2. A lease that was found expired is never renewed, nor is its worker registered again.
pub async fn an_expired_lease_is_never_renewed(world: World) {
    let worker = world.worker().await;
    world.clock.advance(LEASE);
    assert_eq!(world.renew(worker).await.expect_err("it has expired").kind, StoreErrorKind::LeaseLost);
    assert_eq!(world.register(worker).await.expect_err("it has expired").kind, StoreErrorKind::LeaseLost);
    let unknown = world.renew(WorkerId::fresh()).await.expect_err("it was never registered");
    assert_eq!(unknown.kind, StoreErrorKind::LeaseLost);
}

/// H2. One renewal keeps all runs of a worker.
pub async fn a_renewed_lease_lasts(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    for _ in 0..4 {
        world.clock.advance(LEASE - TICK);
        let renewed = world.renew(worker).await.expect("it is alive");
        assert_eq!(renewed.now, world.now());
    }
    let commit = world.new_commit(&held);
    world.commit(&mut held, commit).await;
    let other = world.worker().await;
    assert!(world.claim(other).await.runs.is_empty(), "the run is held, though it was due long ago");
}

/// H13. A registration whose answer was lost is safe to repeat.
pub async fn a_living_worker_may_register_again(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    world.clock.advance(LEASE - TICK);
    world.register(worker).await.expect("it is alive");
    world.clock.advance(LEASE - TICK);
    let commit = world.new_commit(&held);
    world.commit(&mut held, commit).await;
}

/// H2. Only registered workers claim.
pub async fn an_unknown_worker_claims_nothing(world: World) {
    world.started("a").await;
    let error = world.store.claim(&claim_all(WorkerId::fresh())).await.expect_err("nobody knows it");
    assert_eq!(error.kind, StoreErrorKind::LeaseLost);
}

/// What a retired worker held is free at once, and it is over for good.
pub async fn a_retired_worker_leaves_its_runs_at_once(world: World) {
    let (leaving, staying) = (world.worker().await, world.worker().await);
    let held = world.started_by(leaving, "a").await;
    assert!(world.claim(staying).await.runs.is_empty());
    world.retire(leaving).await;
    world.retire(leaving).await;
    let (taken, _) = world.claim_one(staying).await;
    assert_eq!(taken.run, held.run);
    assert_eq!(world.refused(world.new_commit(&held)).await, Refusal::LeaseLost);
    assert_eq!(world.register(leaving).await.expect_err("it is over").kind, StoreErrorKind::LeaseLost);
    world.retire(WorkerId::fresh()).await;
}

/// Fault: a draining process claims work and dies with it.
pub async fn a_retired_worker_claims_nothing(world: World) {
    let worker = world.worker().await;
    world.with_task(worker, "a").await;
    world.started("b").await;
    world.retire(worker).await;
    let error = world.store.claim(&claim_all(worker)).await.expect_err("it is over");
    assert_eq!(error.kind, StoreErrorKind::LeaseLost);
    assert!(world.renew(worker).await.is_err());
}

/// H2. Each holder's token is greater than those of all before, also when it is the same worker.
pub async fn tokens_grow_with_every_holder(world: World) {
    let worker = world.worker().await;
    let run = world.started("a").await;
    let mut last = FencingToken(0);
    for _ in 0..5 {
        let (held, claimed) = world.claim_one(worker).await;
        assert!(claimed.token > last);
        last = claimed.token;
        world.applied(world.new_hold(&held, Hold::Release)).await;
        world.sent(&run, "wake up").await;
    }
}

/// H2, H11. Of workers that claim at once, each run goes to one.
pub async fn two_claimers_never_get_one_run(world: World) {
    const RUNS: usize = 40;
    for index in 0..RUNS {
        world.started(&format!("run-{index}")).await;
    }
    let mut claimers = Vec::new();
    for _ in 0..4 {
        let process = world.another_process().await;
        let worker = process.worker().await;
        claimers.push(tokio::spawn(claim_until_nothing_is_left(process, worker)));
    }
    let mut all = Vec::new();
    let mut processes = Vec::new();
    for claimer in claimers {
        let (process, got) = claimer.await.expect("the claimer does not panic");
        all.extend(got);
        processes.push(process);
    }
    all.sort();
    all.dedup_by(|one, other| one.0 == other.0);
    assert_eq!(all.len(), RUNS, "each run went to one worker");
    assert!(all.iter().all(|(_, token)| *token == FencingToken(1)));
}

/// H2. Termination is the one write that needs no token: it takes the next event and the next token.
pub async fn termination_fences_the_holder_off(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let commit = world.new_commit(&held);
    world.commit(&mut held, commit).await;
    world.clock.advance(SECOND);
    let terminated = world.applied(world.new_terminate(held.run.clone())).await;
    assert_eq!(terminated, Applied::Terminated(held.run.clone()));
    assert_eq!(world.refused(world.new_commit(&held)).await, Refusal::LeaseLost);
    assert_eq!(world.info(held.run).await.head, EventId(3));
}

/// Claims three runs at a time; answers the process too, since its workers live as long as it does.
async fn claim_until_nothing_is_left(
    process: World,
    worker: WorkerId,
) -> (World, Vec<(RunKey, FencingToken)>) {
    let claim = Claim { runs_max: 3, ..claim_all(worker) };
    let mut got = Vec::new();
    loop {
        let runs = process.claim_as(&claim).await.runs;
        if runs.is_empty() {
            return (process, got);
        }
        assert!(runs.len() <= 3, "no more than asked for");
        got.extend(runs.into_iter().map(|run| (run.run, run.token)));
    }
}
