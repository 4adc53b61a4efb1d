//! Writes that are planned over what is remembered, and done in one round trip that the server carries out only if that is
//! still so: the next step of a run that is held here, and the first run of a workflow ID.
//!
//! Nothing is read before and nothing is locked: the server compares each run with what it is believed to be, after it
//! has got its lock; what is to be new meets its key if it is not; and leases are looked at. Where a belief is wrong
//! nothing is done, and the batch is read like any other.

use std::collections::{BTreeMap, HashMap};

use retell::vocabulary::{RunKey, WorkerId};
use retell::write::{Commit, Next, Start, Write};

use super::save::{Changes, changes};
use super::transaction::{Batched, Context};
use crate::dialect::{Beat, Belief, Trip};
use crate::fault::{Fault, FaultKind};
use crate::plan::{Heard, IdRow, Place, Run, Worker, World};
use crate::session::Session;
use crate::time::Source;

/// Applies all of these writes, or answers `None` and has done nothing.
pub(crate) async fn apply_unread(
    session: &mut impl Session,
    cx: Context<'_>,
    writes: &[&Write],
    fresh: &[i64],
) -> Result<Option<Batched>, Fault> {
    if !cx.dialect.changes_if() || !writes.iter().all(|write| is_plain(write)) || !cx.remembered.is_trusted()
    {
        return Ok(None);
    }
    let Some(mut world) = believed(cx, writes, fresh) else { return Ok(None) };
    let workers = world.workers.values().map(|worker| worker.row).collect();
    let outcomes: Vec<_> = writes.iter().map(|write| world.apply(write)).collect();
    // Whoever is refused is to be refused for what is true.
    if outcomes.iter().any(Result::is_err) {
        return Ok(None);
    }
    let Changes { first, then } = changes(&world)?;
    let Heard { work, closings, answers } = world.heard;
    let beat = Beat { id: cx.pulse, changes: [work, closings, answers].map(i64::from) };
    let age = matches!(cx.source, Source::Injected(_)).then_some(world.age);
    let all = first.into_iter().chain(then).collect();
    let beat = world.heard.is_something().then_some(beat);
    let Some(trip) = cx.dialect.change_if(all, Belief { workers, age }, beat) else { return Ok(None) };
    let done = make(session, trip).await;
    cx.remembered.was_right(done.is_ok());
    match done {
        Ok(()) => Ok(Some(Batched { outcomes, heard: world.heard, left: world.left() })),
        Err(fault) if matches!(fault.kind, FaultKind::Lost | FaultKind::Store(_)) => Err(fault),
        Err(_) => Ok(None),
    }
}

async fn make(session: &mut impl Session, trip: Trip) -> Result<(), Fault> {
    match trip {
        Trip::Statement(statement) => session.execute(statement).await.map(|_| ()),
        Trip::Script(text) => {
            let done = session.script(&text).await;
            if done.as_ref().is_err_and(|fault| fault.kind != FaultKind::Lost) {
                session.script("ROLLBACK").await?;
            }
            done
        }
    }
}

/// Whether a write changes nothing but what is remembered or new: no queue, no other run.
fn is_plain(write: &Write) -> bool {
    match write {
        Write::Start(start) => start.copied.is_empty(),
        Write::Commit(commit) => is_step(commit),
        _ => false,
    }
}

fn is_step(commit: &Commit) -> bool {
    let Commit { record, request_id, schedule, ended, cancelled, cancel_requested, outgoing, next, .. } =
        commit;
    let asks_nobody = schedule.is_empty() && ended.is_empty() && outgoing.is_empty();
    let stays = matches!(next, Next::Open(_) | Next::Closed { .. });
    let queues_nothing = cancelled.is_empty() && cancel_requested.is_empty();
    record.is_some() && request_id.is_none() && asks_nobody && queues_nothing && stays
}

/// The rows that these writes would find, if all is as it was left; `None` if something is not remembered.
fn believed<'n>(cx: Context<'n>, writes: &[&Write], fresh: &[i64]) -> Option<World<'n>> {
    let age = cx.remembered.age(cx.source)?;
    let mut workers: HashMap<WorkerId, Worker> = HashMap::new();
    let mut ids: HashMap<Place, IdRow> = HashMap::new();
    let mut runs: BTreeMap<i64, Run> = BTreeMap::new();
    let mut by_key: HashMap<RunKey, i64> = HashMap::new();
    let mut started: Vec<&RunKey> = Vec::new();
    let mut worker = |id: WorkerId| -> Option<()> {
        let row = cx.remembered.worker(id)?;
        workers.insert(id, Worker { row, expires_at: i64::MAX });
        Some(())
    };
    for write in writes {
        match write {
            Write::Start(start) => {
                let Start { run, owner, .. } = &**start;
                owner.map_or(Some(()), &mut worker)?;
                let place = (cx.names.namespace(&run.namespace)?, run.workflow_id.clone());
                let id = IdRow { is_new: true, ..IdRow::default() };
                // Of two starts under one ID, the second needs the truth about the first.
                if ids.insert(place, id).is_some() {
                    return None;
                }
                started.push(run);
            }
            Write::Commit(commit) => {
                worker(commit.worker)?;
                if by_key.contains_key(&commit.run) || started.contains(&&commit.run) {
                    continue;
                }
                let run = cx.remembered.run(&commit.run)?;
                by_key.insert(commit.run.clone(), run.row);
                runs.insert(run.row, run);
            }
            _ => return None,
        }
    }
    let mut world = World::over(cx.names, cx.source.instant(age), fresh.iter().rev().copied().collect());
    (world.workers, world.ids, world.runs, world.by_key) = (workers, ids, runs, by_key);
    Some(world)
}
