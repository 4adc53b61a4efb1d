//! Claims: what a worker gets. Candidates are found without locks; then those that nobody else has locked are taken.

mod activities;
mod again;
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
use crate::value::number;

/// When a worker asks again that found others taking what it wanted, in microseconds.
const CONTENDED_AGAIN: i64 = 2_000;
/// How often a claim that met a deadlock is done again before the worker hears of it.
const CONFLICTS_MAX: usize = 8;

/// A claim in its transaction.
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
}

/// Takes what a worker has room for, in a transaction.
pub(crate) async fn claim(
    session: &mut impl Session,
    cx: Context<'_>,
    claim: &Claim,
) -> Result<Claimed, Fault> {
    let mut conflicts = 0;
    loop {
        let kinds = kinds(session, cx, claim).await?;
        session.script("BEGIN").await?;
        let claimed = match claim_open(session, cx, claim, kinds).await {
            Ok(claimed) => session.script("COMMIT").await.map(|()| claimed),
            Err(fault) => Err(fault),
        };
        let fault = match claimed {
            Ok(claimed) => return Ok(claimed),
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

async fn kinds(session: &mut impl Session, cx: Context<'_>, claim: &Claim) -> Result<QueueKinds, Fault> {
    cx.names.find_namespaces(session, cx.dialect, [&claim.namespace]).await?;
    match cx.names.namespace(&claim.namespace) {
        Some(namespace) => cx.names.queue_kinds(session, cx.dialect, namespace, &claim.task_queue).await,
        None => Ok(QueueKinds::default()),
    }
}

async fn claim_open(
    session: &mut impl Session,
    cx: Context<'_>,
    claim: &Claim,
    kinds: QueueKinds,
) -> Result<Claimed, Fault> {
    // Under this lock, since the same claim may be under way on a connection that was given up.
    let mut own = Query::new(cx.dialect, "SELECT id, expires_at, claimed, claimed_now, claimed_due, ");
    own.push(cx.dialect.now()).push(" FROM workers WHERE worker = ").bytes(claim.worker.0);
    let rows = session.rows(own.push(" FOR UPDATE").done()).await?;
    let row = rows.first().ok_or_else(|| lease_lost("claim"))?;
    let instant = cx.source.instant(row.int(5)?);
    if row.int(1)? <= instant.age {
        return Err(lease_lost("claim"));
    }
    let worker = row.int(0)?;
    if claim.number > 0 && row.int(2)? == number(claim.number) {
        let (now, next_due) = (row.time(3)?, row.maybe_time(4)?);
        let claimed = Claimed { now, next_due, ..Claimed::default() };
        let mut claiming = Claiming::of(cx, claim, kinds, worker, claimed);
        claiming.answer_again(session).await?;
        return Ok(claiming.claimed);
    }
    let claimed = Claimed { now: instant.now, ..Claimed::default() };
    let mut claiming = Claiming::of(cx, claim, kinds, worker, claimed);
    let mut dead = Query::new(cx.dialect, "SELECT id FROM workers WHERE drained = 0 AND expires_at <= ");
    for row in session.rows(dead.int(instant.age).done()).await? {
        claiming.ownerless.push(row.int(0)?);
    }
    claiming.unread(session).await?;
    claiming.runs(session).await?;
    for request in &claim.activities {
        claiming.activities(session, request).await?;
    }
    claiming.keep_number(session).await?;
    Ok(claiming.claimed)
}

impl<'a> Claiming<'a> {
    fn of(cx: Context<'a>, claim: &'a Claim, kinds: QueueKinds, worker: i64, claimed: Claimed) -> Self {
        let now = claimed.now.as_micros();
        Self { cx, claim, kinds, worker, ownerless: vec![NOBODY], now, claimed }
    }

    /// The kinds that are asked for, with each that they may be taken from.
    fn pairs(&self, kinds: impl Iterator<Item = i64> + Clone) -> Vec<(i64, i64)> {
        self.ownerless.iter().flat_map(|owner| kinds.clone().map(|kind| (*owner, kind))).collect()
    }

    /// Keeps the earlier of what was noted and this.
    fn note_due(&mut self, next: i64) {
        let next = Timestamp::from_micros(next);
        self.claimed.next_due = Some(self.claimed.next_due.map_or(next, |due| due.min(next)));
    }

    /// Others are taking the same at this moment: what they leave is worth asking for soon.
    fn note_contention(&mut self) {
        self.note_due(self.now.saturating_add(CONTENDED_AGAIN));
    }

    /// Keeps under which number this was told, if there was anything to tell.
    async fn keep_number(&self, session: &mut impl Session) -> Result<(), Fault> {
        let Claimed { runs, unread, activities, next_due, .. } = &self.claimed;
        if self.claim.number == 0 || (runs.is_empty() && unread.is_empty() && activities.is_empty()) {
            return Ok(());
        }
        let mut query = Query::new(self.cx.dialect, "UPDATE workers SET claimed = ");
        query.int(number(self.claim.number)).push(", claimed_now = ").int(self.now);
        query
            .push(", claimed_due = ")
            .bind(crate::value::Param::One(crate::value::Type::Int, (*next_due).into()));
        session.execute(query.push(" WHERE id = ").int(self.worker).done()).await?;
        Ok(())
    }
}
