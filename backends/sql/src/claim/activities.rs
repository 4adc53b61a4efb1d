//! Claims of queued activities.

use std::collections::HashMap;

use retell::backend::{ActivityRequest, ClaimedActivity};
use retell::vocabulary::{ActivityName, Attempt, EventId, RunId, RunKey, WorkflowId};

use super::Claiming;
use crate::dialect::{Operand, Query};
use crate::fault::Fault;
use crate::plan::NOBODY;
use crate::session::Session;
use crate::value::Type::Int;
use crate::value::{Cell, Row, number};

/// What is read of an activity that is taken, for [`Claiming::tell_activities`].
pub(super) const SELECT_TAKEN: &str = "SELECT run, scheduled, kind, owner, attempt, close_by, details, last_failure, \
     cancel_requested, deferred, call_bytes, taken_over FROM activities WHERE ";

/// Whether rows are read before they are taken or after.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    Before,
    After,
}

impl Claiming<'_> {
    /// Takes activities of a group that nobody alive runs, the oldest first; notes when the next is visible.
    pub(super) async fn activities(
        &mut self,
        session: &mut impl Session,
        request: &ActivityRequest,
    ) -> Result<(), Fault> {
        let kinds = self.kinds.activities.iter().filter(|(_, name)| request.names.contains(name));
        let pairs = self.pairs(kinds.map(|(id, _)| *id));
        if pairs.is_empty() {
            return Ok(());
        }
        let (now, max) = (self.now, number(request.max));
        let mut query = Query::new(self.cx.dialect, "SELECT due, run, scheduled, ahead FROM ");
        query.for_each(&pairs, &|query, owner, kind| select_ready(query, owner, kind, now, max));
        query.push(" ORDER BY due");
        let mut due: HashMap<(i64, i64), usize> = HashMap::new();
        for row in session.rows(query.done()).await? {
            if row.flag(3)? {
                self.note_due(row.int(0)?);
            } else if due.len() < request.max {
                let order = due.len();
                due.entry((row.int(1)?, row.int(2)?)).or_insert(order);
            }
        }
        if due.is_empty() {
            return Ok(());
        }
        let keys = due.keys().map(|(run, scheduled)| vec![Cell::Int(*run), Cell::Int(*scheduled)]).collect();
        let mut query = Query::new(self.cx.dialect, SELECT_TAKEN);
        query.any_of(&[("run", Int), ("scheduled", Int)], keys);
        query.push(" AND ").among("owner", self.ownerless.iter().copied());
        query.push(" AND (owner <> 0 OR visible_at <= ").int(now).push(") FOR UPDATE SKIP LOCKED");
        let mut rows = session.rows(query.done()).await?;
        if rows.len() < due.len() {
            self.note_contention();
        }
        if rows.is_empty() {
            return Ok(());
        }
        rows.sort_by_key(|row| due.get(&key(row)).copied());
        self.tell_activities(session, &rows, Read::Before).await?;
        let keys = rows.iter().map(key).map(|(run, event)| vec![Cell::Int(run), Cell::Int(event)]).collect();
        // Servers set columns from left to right: the owner goes last.
        let mut query = Query::new(
            self.cx.dialect,
            "UPDATE activities SET attempt = attempt + CASE WHEN owner = 0 THEN 0 ELSE 1 END, \
             taken_over = CASE WHEN owner = 0 THEN 0 ELSE 1 END, claimed_by = ",
        );
        query.int(number(self.claim.number)).push(", owner = ").int(self.worker).push(" WHERE ");
        session.execute(query.any_of(&[("run", Int), ("scheduled", Int)], keys).done()).await?;
        Ok(())
    }

    /// Tells what is called by the activities of these rows.
    pub(super) async fn tell_activities(
        &mut self,
        session: &mut impl Session,
        rows: &[Row],
        read: Read,
    ) -> Result<(), Fault> {
        let runs: std::collections::BTreeSet<i64> =
            rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        let mut query = Query::new(self.cx.dialect, "SELECT id, workflow_id, run_id FROM runs WHERE ");
        let mut keys = HashMap::new();
        for row in session.rows(query.among("id", runs).done()).await? {
            let key = RunKey {
                namespace: self.claim.namespace.clone(),
                workflow_id: row.id(1, |text| WorkflowId::new(text))?,
                run_id: RunId(row.uuid(2)?),
            };
            keys.insert(row.int(0)?, key);
        }
        for row in rows {
            let (run, kind) = (row.int(0)?, row.int(2)?);
            let name = self.kinds.activities.iter().find(|(known, _)| *known == kind);
            let (Some(run), Some((_, name))) = (keys.get(&run), name) else { continue };
            let activity = read_activity(row, run.clone(), name.clone(), read)?;
            self.claimed.activities.push(activity);
        }
        Ok(())
    }
}

fn key(row: &Row) -> (i64, i64) {
    (row.int(0).unwrap_or_default(), row.int(1).unwrap_or_default())
}

fn read_activity(
    row: &Row,
    run: RunKey,
    activity: ActivityName,
    read: Read,
) -> Result<ClaimedActivity, Fault> {
    let attempt = crate::names::count(row, 4)?;
    let taken_over = match read {
        Read::Before => row.int(3)? != NOBODY,
        Read::After => row.flag(11)?,
    };
    let raised = read == Read::Before && taken_over;
    Ok(ClaimedActivity {
        run,
        scheduled: EventId(row.count(1)?),
        activity,
        call: row.bytes(10)?,
        attempt: Attempt(attempt.saturating_add(u32::from(raised))),
        taken_over,
        close_by: row.maybe_time(5)?,
        details: row.unpacked(6)?,
        last_failure: row.unpacked(7)?,
        cancel_requested: row.flag(8)?,
        deferred: row.flag(9)?,
    })
}

/// Activities of one kind and one owner that may be taken, and when the next may. Those of a dead worker were running:
/// they are visible whatever their row says.
fn select_ready(query: &mut Query, owner: &Operand, kind: &Operand, now: i64, max: i64) {
    let of = |query: &mut Query| _ = query.push("owner = ").operand(owner).push(" AND kind = ").operand(kind);
    query.push("(SELECT visible_at AS due, run, scheduled, 0 AS ahead FROM activities WHERE ");
    of(query);
    query.push(" AND visible_at <= CASE WHEN ").operand(owner).push(" = 0 THEN ").int(now);
    query.push(" ELSE 9223372036854775807 END ORDER BY visible_at LIMIT ").int(max);
    query.push(") UNION ALL (SELECT visible_at AS due, run, scheduled, 1 AS ahead FROM activities WHERE ");
    of(query);
    query.push(" AND owner = 0 AND visible_at > ").int(now).push(" ORDER BY visible_at LIMIT 1)");
}
