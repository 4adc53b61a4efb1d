//! Claims: what a worker gets. Candidates are found without locks; then those that nobody else has locked are taken, in
//! a transaction. A claim that finds nothing opens none.

mod activities;
mod again;
mod damage;
mod look;
mod runs;
mod unread;

use retell::backend::{Claim, Claimed};
use retell::vocabulary::Timestamp;

use crate::batch::Context;
use crate::dialect::Query;
use crate::fault::{Fault, FaultKind};
use crate::lease::lease_lost;
use crate::names::QueueKinds;
use crate::plan::NOBODY;
use crate::session::Session;
use crate::value::Type::Int;
use crate::value::{Param, Row, number};

/// How often a claim that met a deadlock is done again before the worker hears of it.
const CONFLICTS_MAX: usize = 8;

/// Whether the same claim may have been under way before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It was not.
    First,
    /// It was, and its answer did not come.
    Again,
}

/// A claim under way.
struct Claiming<'a> {
    cx: Context<'a>,
    claim: &'a Claim,
    kinds: QueueKinds,
    /// The worker's row.
    worker: i64,
    /// Nobody's row, and those of dead workers.
    ownerless: Vec<i64>,
    now: i64,
    claimed: Claimed,
    /// Whether others had locked something of what was to be taken.
    contended: bool,
}

/// What a worker got, and whether it is worth asking again soon, because others were at it at this moment.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) claimed: Claimed,
    pub(crate) contended: bool,
}

/// Takes what a worker has room for.
pub(crate) async fn claim(
    session: &mut impl Session,
    cx: Context<'_>,
    claim: &Claim,
    asked: Asked,
) -> Result<Taken, Fault> {
    let mut conflicts = 0;
    loop {
        let mut claiming = Claiming::begin(session, cx, claim).await?;
        let candidates = claiming.look(session).await?;
        if candidates.is_empty() && asked == Asked::First {
            return Ok(claiming.done());
        }
        session.script("BEGIN").await?;
        let done = match claiming.take(session, candidates, asked).await {
            Ok(()) => session.script("COMMIT").await,
            Err(fault) => Err(fault),
        };
        let fault = match done {
            Ok(()) => return Ok(claiming.done()),
            Err(fault) => fault,
        };
        if fault.kind != FaultKind::Lost {
            session.script("ROLLBACK").await?;
        }
        conflicts += 1;
        if fault.kind != FaultKind::Conflict || conflicts > CONFLICTS_MAX {
            return Err(fault);
        }
    }
}

impl<'a> Claiming<'a> {
    /// Reads who is alive, and the kinds of the queue's work.
    async fn begin(session: &mut impl Session, cx: Context<'a>, claim: &'a Claim) -> Result<Self, Fault> {
        let mut query = Query::new(cx.dialect, "SELECT ");
        query.push(cx.dialect.now()).push(", id, worker, expires_at FROM workers WHERE drained = 0 AND ");
        // Each that is dead is asked for below with each kind: those that hold nothing are left out here.
        query.push("(workers.expires_at > ");
        cx.source.push_age(&mut query, cx.dialect);
        query.push(
            " OR EXISTS (SELECT 1 FROM runs WHERE status = 0 AND runs.owner = workers.id) \
             OR EXISTS (SELECT 1 FROM runs WHERE unsettled = 1 AND runs.owner = workers.id) \
             OR EXISTS (SELECT 1 FROM activities WHERE activities.owner = workers.id))",
        );
        let rows = session.rows(query.done()).await?;
        let server = rows.first().ok_or_else(|| lease_lost("claim"))?.int(0)?;
        let instant = cx.source.instant(server);
        let (mut worker, mut ownerless) = (None, vec![NOBODY]);
        for row in rows {
            let (id, alive) = (row.int(1)?, row.int(3)? > instant.age);
            if !alive {
                ownerless.push(id);
            } else if row.uuid(2).is_ok_and(|worker| worker == claim.worker.0) {
                worker = Some(id);
            }
        }
        let worker = worker.ok_or_else(|| lease_lost("claim"))?;
        let kinds = kinds(session, cx, claim).await?;
        let claimed = Claimed { now: instant.now, ..Claimed::default() };
        Ok(Self {
            cx,
            claim,
            kinds,
            worker,
            ownerless,
            now: instant.now.as_micros(),
            claimed,
            contended: false,
        })
    }

    async fn take(
        &mut self,
        session: &mut impl Session,
        candidates: look::Candidates,
        asked: Asked,
    ) -> Result<(), Fault> {
        // Under this lock, since the same claim may be under way on a connection that was given up.
        let mut own = Query::new(
            self.cx.dialect,
            "SELECT expires_at, claimed, claimed_now, claimed_due FROM workers WHERE id = ",
        );
        let rows = session.rows(own.int(self.worker).push(" FOR UPDATE").done()).await?;
        let row = rows.first().ok_or_else(|| lease_lost("claim"))?;
        if asked == Asked::Again && self.claim.number > 0 && row.int(1)? == number(self.claim.number) {
            self.claimed.now = row.time(2)?;
            self.claimed.next_due = row.maybe_time(3)?;
            return self.answer_again(session).await;
        }
        self.take_unread(session, candidates.unread).await?;
        self.take_runs(session, candidates.runs).await?;
        for group in candidates.activities {
            self.take_activities(session, group).await?;
        }
        self.keep_number(session).await
    }

    /// Keeps the earlier of what was noted and this.
    fn note_due(&mut self, next: i64) {
        let next = Timestamp::from_micros(next);
        self.claimed.next_due = Some(self.claimed.next_due.map_or(next, |due| due.min(next)));
    }

    fn done(self) -> Taken {
        Taken { claimed: self.claimed, contended: self.contended }
    }

    /// Keeps under which number this was told, if there was anything to tell.
    async fn keep_number(&self, session: &mut impl Session) -> Result<(), Fault> {
        let Claimed { runs, unread, activities, next_due, .. } = &self.claimed;
        if self.claim.number == 0 || (runs.is_empty() && unread.is_empty() && activities.is_empty()) {
            return Ok(());
        }
        let mut query = Query::new(self.cx.dialect, "UPDATE workers SET claimed = ");
        query.int(number(self.claim.number)).push(", claimed_now = ").int(self.now);
        query.push(", claimed_due = ").bind(Param::One(Int, (*next_due).into()));
        session.execute(query.push(" WHERE id = ").int(self.worker).done()).await?;
        Ok(())
    }
}

async fn kinds(session: &mut impl Session, cx: Context<'_>, claim: &Claim) -> Result<QueueKinds, Fault> {
    cx.names.find_namespaces(session, cx.dialect, [&claim.namespace]).await?;
    match cx.names.namespace(&claim.namespace) {
        Some(namespace) => cx.names.queue_kinds(session, cx.dialect, namespace, &claim.task_queue).await,
        None => Ok(QueueKinds::default()),
    }
}

/// The numbers in the first column.
fn ids(rows: &[Row]) -> Result<Vec<i64>, Fault> {
    rows.iter().map(|row| row.int(0)).collect()
}
