//! Claims of queued activities.

use retell::backend::{ActivityRequest, Claim, Claimed, ClaimedActivity};
use retell::vocabulary::{ActivityName, Attempt, EventId, RunId, RunKey, WorkflowId};
use rusqlite::{Error, OptionalExtension, Result, Row, params};

use super::claim::{Claimer, Ready, note_due};
use super::transaction::Transaction;
use crate::column;
use crate::fault::is_of_the_data;

impl Transaction<'_> {
    pub(crate) fn claim_activities(
        &mut self,
        claim: &Claim,
        namespace: i64,
        request: &ActivityRequest,
        claimer: &Claimer,
        claimed: &mut Claimed,
    ) -> Result<()> {
        let mut ready: Vec<(Ready, i64, &ActivityName)> = Vec::new();
        for name in &request.names {
            let Some(kind) = self.activity_kind(claim, namespace, name)? else {
                continue;
            };
            for owner in &claimer.ownerless {
                let found = self.ready_activities(*owner, kind, request.max, claimed)?;
                ready.extend(found.into_iter().map(|ready| (ready, *owner, name)));
            }
        }
        ready.sort();
        ready.truncate(request.max);
        for ((_, row), owner, name) in ready {
            match self.take_activity(row, claimer.worker, owner != 0, claim, name) {
                Ok(activity) => claimed.activities.push(activity),
                Err(error) if is_of_the_data(&error) => self.put_aside(row, &error)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn activity_kind(&self, claim: &Claim, namespace: i64, name: &ActivityName) -> Result<Option<i64>> {
        self.statement(
            "SELECT id FROM activity_kinds WHERE namespace = ?1 AND task_queue = ?2 AND name = ?3",
        )?
        .query_row(params![namespace, claim.task_queue.as_str(), name.as_str()], |row| row.get(0))
        .optional()
    }

    /// Activities of a kind that nobody alive runs, the oldest first; notes when the next is visible.
    ///
    /// Those of a dead worker were running: they are visible whatever their row says.
    fn ready_activities(
        &self,
        owner: i64,
        kind: i64,
        max: usize,
        claimed: &mut Claimed,
    ) -> Result<Vec<Ready>> {
        let visible = if owner == 0 { self.now.as_micros() } else { i64::MAX };
        let ready = self
            .statement(
                "SELECT visible_at, rowid FROM activities \
                 WHERE owner = ?1 AND kind = ?2 AND visible_at <= ?3 ORDER BY visible_at LIMIT ?4",
            )?
            .query_map(params![owner, kind, visible, column::number(max)], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<Result<_>>()?;
        let next: Option<i64> = self
            .statement(
                "SELECT min(visible_at) FROM activities WHERE owner = ?1 AND kind = ?2 AND visible_at > ?3",
            )?
            .query_row(params![owner, kind, visible], |row| row.get(0))?;
        note_due(claimed, next);
        Ok(ready)
    }

    fn take_activity(
        &mut self,
        row: i64,
        worker: i64,
        taken_over: bool,
        claim: &Claim,
        name: &ActivityName,
    ) -> Result<ClaimedActivity> {
        let activity = self
            .statement(
                "SELECT runs.workflow_id, runs.run_id, scheduled, call, attempt + ?2, last_failure, close_by, details, \
                 cancel_requested, deferred FROM activities JOIN runs ON runs.id = activities.run \
                 WHERE activities.rowid = ?1",
            )?
            .query_row(params![row, taken_over], |row| read_activity(row, claim, name, taken_over))?;
        self.statement("UPDATE activities SET owner = ?2, attempt = ?3 WHERE rowid = ?1")?
            .execute(params![row, worker, activity.attempt.0])?;
        Ok(activity)
    }

    /// Moves an activity whose row cannot be read out of the way of others; it stays for a person to look at.
    fn put_aside(&self, row: i64, error: &Error) -> Result<()> {
        tracing::error!(row, %error, "a queued activity is put aside because its row is damaged");
        self.statement("UPDATE activities SET owner = -1 WHERE rowid = ?1")?.execute([row])?;
        Ok(())
    }
}

fn read_activity(row: &Row, claim: &Claim, name: &ActivityName, taken_over: bool) -> Result<ClaimedActivity> {
    Ok(ClaimedActivity {
        run: RunKey {
            namespace: claim.namespace.clone(),
            workflow_id: column::text(row, 0, |text| WorkflowId::new(text))?,
            run_id: RunId(column::uuid(row, 1)?),
        },
        scheduled: EventId(row.get(2)?),
        activity: name.clone(),
        call: column::bytes(row, 3)?,
        attempt: Attempt(row.get(4)?),
        taken_over,
        last_failure: column::unpacked(row, 5)?,
        close_by: column::optional_time(row, 6)?,
        details: column::unpacked(row, 7)?,
        cancel_requested: row.get(8)?,
        deferred: row.get(9)?,
    })
}
