//! Claims of queued activities.

use std::collections::HashMap;

use retell::backend::ClaimedActivity;
use retell::vocabulary::{ActivityName, Attempt, EventId, Namespace, RunId, RunKey, WorkflowId};

use super::Claiming;
use super::damage::DamagedActivities;
use crate::dialect::Query;
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
    /// Takes those of a group's candidates that are free still and that nobody else is about to take.
    pub(super) async fn take_activities(
        &mut self,
        session: &mut impl Session,
        candidates: HashMap<(i64, i64), usize>,
    ) -> Result<(), Fault> {
        if candidates.is_empty() {
            return Ok(());
        }
        let cells = |(run, scheduled): (i64, i64)| vec![Cell::Int(run), Cell::Int(scheduled)];
        let keys = candidates.keys().copied().map(cells).collect();
        let mut query = Query::new(self.cx.dialect, SELECT_TAKEN);
        query.any_of(&[("run", Int), ("scheduled", Int)], keys);
        query.push(" AND ").among("owner", self.ownerless.iter().copied());
        query.push(" AND (owner <> 0 OR visible_at <= ").int(self.now).push(") FOR UPDATE SKIP LOCKED");
        let mut rows = session.rows(query.done()).await?;
        self.contended |= rows.len() < candidates.len();
        if rows.is_empty() {
            return Ok(());
        }
        rows.sort_by_key(|row| candidates.get(&key(row)).copied());
        let damaged = self.tell_activities(session, &rows, Read::Before).await?;
        let keys: Vec<Vec<Cell>> =
            rows.iter().map(key).filter(|key| !damaged.contains_key(key)).map(cells).collect();
        self.put_aside(session, damaged).await?;
        if keys.is_empty() {
            return Ok(());
        }
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

    /// Tells what is called by the activities of these rows. Answers those that cannot be read.
    pub(super) async fn tell_activities(
        &mut self,
        session: &mut impl Session,
        rows: &[Row],
        read: Read,
    ) -> Result<DamagedActivities, Fault> {
        let runs: std::collections::BTreeSet<i64> =
            rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        let mut query = Query::new(self.cx.dialect, "SELECT id, workflow_id, run_id FROM runs WHERE ");
        let mut keys = HashMap::new();
        for row in session.rows(query.among("id", runs).done()).await? {
            keys.insert(row.int(0)?, row);
        }
        let mut damaged = DamagedActivities::new();
        for row in rows {
            let (run, kind) = (row.int(0)?, row.int(2)?);
            let name = self.kinds.activities.iter().find(|(known, _)| *known == kind);
            let Some((_, name)) = name else { continue };
            let of_run = keys.get(&run).ok_or_else(|| Fault::damaged("its run is gone".to_owned()));
            let activity = of_run
                .and_then(|of_run| read_key(of_run, &self.claim.namespace))
                .and_then(|run| read_activity(row, run, name.clone(), read));
            match activity {
                Ok(activity) => self.claimed.activities.push(activity),
                Err(fault) => _ = damaged.insert(key(row), fault),
            }
        }
        Ok(damaged)
    }
}

fn read_key(row: &Row, namespace: &Namespace) -> Result<RunKey, Fault> {
    Ok(RunKey {
        namespace: namespace.clone(),
        workflow_id: row.id(1, |text| WorkflowId::new(text))?,
        run_id: RunId(row.uuid(2)?),
    })
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
