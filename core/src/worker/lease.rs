//! The lease: registered, renewed, and given up for a new life when it is lost.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};

use super::context::{Context, Life};
use super::exchange::Input;
use super::running::Running;
use super::thread::Shards;
use crate::backend::{LeaseAction, Renewal, Renewed, StoreError, StoreErrorKind};

/// The wait before a renewal is tried again after a store's fault.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Opens the lease of a life.
pub(super) async fn register(cx: &Context, life: &Life) -> Result<(), StoreError> {
    let lease = cx.options.lease;
    life.begin(act(cx, life, LeaseAction::Register { identity: identity(), lease }).await?);
    Ok(())
}

/// Renews the lease for ever; a lost one is followed by a new life, as is one under which a thread was blocked: what that
/// thread held is taken up again.
pub(super) async fn keep(cx: Arc<Context>, shards: Arc<Shards>, running: Arc<Running>) {
    loop {
        let life = cx.life();
        renew_until_lost(&cx, &shards, &life).await;
        tracing::warn!(worker = %life.worker, "the worker's lease is lost; it goes on under a new identity");
        life.end();
        running.end_life();
        let mut next = Life::fresh(&cx.home);
        while let Err(error) = register(&cx, &next).await {
            // Registered by a call whose answer was lost, and run out since: it stays over.
            if error.kind == StoreErrorKind::LeaseLost {
                next = Life::fresh(&cx.home);
            }
            cx.store_failed(&error);
            cx.clock.sleep(AGAIN_AFTER).await;
        }
        cx.store_answered();
        // What the old identity may still hold is free sooner if the store hears of it.
        let retired = cx.backend.renew(&Renewal { worker: life.worker, action: LeaseAction::Retire }).await;
        retired.err().iter().for_each(|error| tracing::debug!(%error, "the lost lease could not be ended"));
        running.begin_life(next.worker);
        // The shards hear of it first: what is claimed under the new identity comes after that.
        shards.send_all(|| Input::NewLife(next.clone()));
        cx.set_life(next.clone());
        cx.nudge.notify_one();
    }
}

/// Ends the lease; a store that does not answer finds it out when it expires.
pub(super) async fn retire(cx: &Context) {
    let life = cx.life();
    life.end();
    if let Err(error) = cx.backend.renew(&Renewal { worker: life.worker, action: LeaseAction::Retire }).await
    {
        tracing::debug!(%error, "the worker could not retire; its lease will expire");
    }
}

async fn renew_until_lost(cx: &Context, shards: &Shards, life: &Life) {
    let lease = cx.options.lease;
    let mut wait = lease * 3 / 10;
    loop {
        let lost = std::pin::pin!(cx.lease_lost.notified());
        // Told of a loss, or time: the store, or the deadline, says whether it is true.
        match select(lost, cx.clock.sleep(wait)).await {
            Either::Left(_) => {}
            Either::Right(_) => {
                let blocked = cx.polls.look(wait, cx.options.blocked_after);
                if shards.replace_threads_of(&blocked) {
                    return;
                }
            }
        }
        if !life.holds_at(cx.clock.elapsed()) {
            return;
        }
        // A store that does not answer does not prolong the lease either.
        let left = life.left_at(cx.clock.elapsed());
        let renewed =
            match select(Box::pin(act(cx, life, LeaseAction::Renew { lease })), cx.clock.sleep(left)).await {
                Either::Left((renewed, _)) => renewed,
                Either::Right(_) => return,
            };
        match renewed {
            // It came too late for somebody who has found the lease over.
            Ok(until) if !life.prolong(until) => return,
            Ok(_) => {
                cx.store_answered();
                wait = lease * 3 / 10;
            }
            Err(error) if error.kind == StoreErrorKind::LeaseLost => return,
            Err(error) => {
                cx.store_failed(&error);
                wait = AGAIN_AFTER.min(lease / 10);
            }
        }
    }
}

/// Does something to a lease; answers until when it then lasts.
async fn act(cx: &Context, life: &Life, action: LeaseAction) -> Result<Duration, StoreError> {
    // Counted from before the request: the store's own count begins later.
    let (until, asked) = (cx.clock.elapsed() + cx.options.lease, cx.clock.now());
    let Renewed { now } = cx.backend.renew(&Renewal { worker: life.worker, action }).await?;
    cx.learn_time(asked, now);
    Ok(until)
}

/// For people: the process that the worker lives in.
fn identity() -> String {
    let program = std::env::args().next().unwrap_or_default();
    let program = program.rsplit(['/', '\\']).next().unwrap_or_default();
    format!("{program}@{}", std::process::id())
}
