//! Signs of life: each worker's process holds a lock of a session for it, which the server frees when the process is gone.
//!
//! Who looks for changes looks at the signs too, on the same connection, and ends the leases of workers whose signs are
//! gone. That is all: whether a worker may write is decided by its lease and its token, and one that lost its session
//! though it lives hears that its lease is over, as after any pause. A sign counts only on the server that it was shown
//! to; a worker that shows none is left to its lease.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use retell::backend::Absences;
use retell::vocabulary::WorkerId;

use crate::batch::Context;
use crate::dialect::{Beat, Query};
use crate::fault::{Fault, FaultKind};
use crate::session::Session;

/// How often the signs of others are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often the end of leases that met another transaction is done again before the session counts as lost.
const CONFLICTS_MAX: usize = 8;

/// The rows of the workers of this process that are to be seen alive.
#[derive(Debug, Default)]
pub(crate) struct Shown(Mutex<HashMap<WorkerId, i64>>);

impl Shown {
    fn rows(&self) -> MutexGuard<'_, HashMap<WorkerId, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this worker is to be seen alive.
    pub(crate) fn add(&self, worker: WorkerId, row: i64) {
        self.rows().insert(worker, row);
    }

    /// This worker is no more.
    pub(crate) fn remove(&self, worker: WorkerId) {
        self.rows().remove(&worker);
    }
}

/// What one session shows and has seen.
#[derive(Debug, Default)]
pub(crate) struct Signs {
    /// Rows whose signs this session holds.
    held: BTreeSet<i64>,
    absences: Absences<i64>,
    looked: Option<Instant>,
}

/// What a look at the signs came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Nothing,
    /// Somebody's sign is gone, perhaps for a moment: to be looked at again soon.
    Doubt,
    /// Somebody is dead, and what they held is free.
    Death,
}

impl Signs {
    /// The session is lost, and all signs with it.
    pub(crate) fn lost(&mut self) {
        self.held.clear();
        self.looked = None;
        self.absences.lost(Instant::now());
    }

    /// Shows what is to be shown, and looks for who is dead.
    pub(crate) async fn look(
        &mut self,
        session: &mut impl Session,
        cx: Context<'_>,
        shown: &Shown,
    ) -> Result<Seen, Fault> {
        let ours: BTreeSet<i64> = shown.rows().values().copied().collect();
        if ours.is_empty() && self.held.is_empty() {
            return Ok(Seen::Nothing);
        }
        self.show(session, cx, &ours).await?;
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return Ok(self.seen());
        }
        if self.looked.is_none() {
            self.wait_for_others(session, cx).await?;
        }
        self.looked = Some(Instant::now());
        let Missing { gone, ahead } = missing(session, cx).await?;
        // A sign of our own that another session freed is shown again by the next look.
        self.held.retain(|row| !gone.contains(row));
        let dead = self.absences.dead(Instant::now(), gone.difference(&ours).copied());
        if !ahead.is_empty() {
            shorten(session, cx, &ahead).await?;
        }
        if dead.is_empty() {
            return Ok(self.seen());
        }
        end_leases(session, cx, &dead).await?;
        Ok(Seen::Death)
    }

    fn seen(&self) -> Seen {
        if self.absences.is_in_doubt() { Seen::Doubt } else { Seen::Nothing }
    }

    /// Takes the locks that are wanted, and gives back those that are not.
    async fn show(
        &mut self,
        session: &mut impl Session,
        cx: Context<'_>,
        ours: &BTreeSet<i64>,
    ) -> Result<(), Fault> {
        let wanted: Vec<i64> = ours.difference(&self.held).copied().collect();
        for row in wanted {
            let mut query = Query::new(cx.dialect, "SELECT ");
            cx.dialect.take_sign(&mut query, row);
            let rows = session.rows(query.done()).await?;
            // A session that is lost to us may live on at the server for a while, and show the sign meanwhile.
            if rows.first().map_or(Ok(0), |row| row.int(0))? == 1 {
                let mut query = Query::new(cx.dialect, "UPDATE workers SET sign = ");
                query.push(cx.dialect.server()).push(" WHERE id = ").int(row);
                session.execute(query.done()).await?;
                self.held.insert(row);
            }
        }
        let unwanted: Vec<i64> = self.held.difference(ours).copied().collect();
        for row in unwanted {
            let mut query = Query::new(cx.dialect, "SELECT ");
            cx.dialect.free_sign(&mut query, row);
            session.rows(query.done()).await?;
            self.held.remove(&row);
        }
        Ok(())
    }

    /// Where a server does not say which start of it a sign was shown to: gives all who were cut off by its last start
    /// the time to come back.
    async fn wait_for_others(&mut self, session: &mut impl Session, cx: Context<'_>) -> Result<(), Fault> {
        let Some(uptime) = cx.dialect.uptime() else { return Ok(()) };
        let rows = session.rows(Query::new(cx.dialect, uptime).done()).await?;
        let up = rows.first().map_or(Ok(0), |row| row.number_in_text(1))?;
        self.absences.server_is_up(Instant::now(), Duration::from_secs(up));
        Ok(())
    }
}

/// Workers with a lease about whom there is something to do.
#[derive(Debug, Default)]
struct Missing {
    /// Their signs were shown to this server and are gone.
    gone: BTreeSet<i64>,
    /// Their leases end later than any that began by now: the server's clock was put back.
    ahead: BTreeSet<i64>,
}

async fn missing(session: &mut impl Session, cx: Context<'_>) -> Result<Missing, Fault> {
    let mut query = Query::new(cx.dialect, "SELECT workers.id, CASE WHEN workers.sign = ");
    query.push(cx.dialect.server()).push(" AND ").push(cx.dialect.sign_is_free());
    query.push(" THEN 1 ELSE 0 END, CASE WHEN workers.lease > 0 AND workers.expires_at > workers.lease + ");
    cx.source.push_age(&mut query, cx.dialect);
    query.push(" THEN 1 ELSE 0 END FROM workers WHERE workers.drained = 0 AND workers.expires_at > ");
    cx.source.push_age(&mut query, cx.dialect);
    let mut missing = Missing::default();
    for row in session.rows(query.done()).await? {
        if row.flag(1)? {
            missing.gone.insert(row.int(0)?);
        }
        if row.flag(2)? {
            missing.ahead.insert(row.int(0)?);
        }
    }
    Ok(missing)
}

/// Lets leases end as late as if they had been renewed just now.
async fn shorten(session: &mut impl Session, cx: Context<'_>, rows: &BTreeSet<i64>) -> Result<(), Fault> {
    let mut query = Query::new(cx.dialect, "UPDATE workers SET expires_at = lease + ");
    cx.source.push_age(&mut query, cx.dialect);
    query.push(" WHERE ").among("id", rows.iter().copied());
    query.push(" AND lease > 0 AND expires_at > lease + ");
    cx.source.push_age(&mut query, cx.dialect);
    session.execute(query.done()).await?;
    Ok(())
}

/// Ends leases, and has all processes look for what has become free. Others may be at the same leases.
async fn end_leases(session: &mut impl Session, cx: Context<'_>, rows: &[i64]) -> Result<(), Fault> {
    let mut conflicts = 0;
    loop {
        match end_leases_once(session, cx, rows).await {
            Err(fault) if fault.kind == FaultKind::Conflict && conflicts < CONFLICTS_MAX => conflicts += 1,
            done => return done,
        }
    }
}

async fn end_leases_once(session: &mut impl Session, cx: Context<'_>, rows: &[i64]) -> Result<(), Fault> {
    let mut query = Query::new(cx.dialect, "UPDATE workers SET expires_at = ");
    cx.source.push_age(&mut query, cx.dialect);
    query.push(" WHERE ").among("id", rows.iter().copied()).push(" AND expires_at > ");
    cx.source.push_age(&mut query, cx.dialect);
    let work_is_free = Beat { id: cx.pulse, changes: [1, 0, 0] };
    session.script("BEGIN").await?;
    let done = async {
        session.execute(query.done()).await?;
        session.execute(cx.dialect.beat(work_is_free)).await?;
        session.script("COMMIT").await
    };
    let done = done.await;
    if done.as_ref().is_err_and(|fault| fault.kind != FaultKind::Lost) {
        session.script("ROLLBACK").await?;
    }
    done
}
