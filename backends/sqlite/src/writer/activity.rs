//! Queued activities and the ends of their attempts.

use retell::vocabulary::{Namespace, Payload, Timestamp};
use retell::write::{ActivityReport, ActivityVerdict, Applied, NewActivityTask, Refusal};
use rusqlite::{OptionalExtension, Result, params};

use super::transaction::Transaction;
use crate::column::{number, packed};
use crate::fault::Stop;

impl Transaction<'_> {
    /// Puts an activity into its queue; one that is there already stays as it is. `by`: the worker that commits.
    pub(crate) fn queue(
        &mut self,
        (run, by): (i64, i64),
        namespace: &Namespace,
        task: &NewActivityTask,
    ) -> Result<()> {
        let kind = self.activity_kind_or_new(namespace, task)?;
        self.statement(
            "INSERT INTO activities (run, scheduled, kind, visible_at, attempt, priority, call, last_failure, \
             close_by, details, owner) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
             ON CONFLICT (run, scheduled) DO NOTHING",
        )?
        .execute(params![
            run,
            task.scheduled.0,
            kind,
            task.visible_at.as_micros(),
            task.attempt.0,
            task.priority,
            &task.call[..],
            task.last_failure.as_ref().map(packed).transpose()?,
            task.close_by.map(Timestamp::as_micros),
            task.details.as_ref().map(packed).transpose()?,
            if task.running { by } else { 0 },
        ])?;
        self.heard.work = true;
        Ok(())
    }

    /// Ends an attempt; answers with the run's row number.
    pub(crate) fn report(&mut self, report: &ActivityReport) -> Result<(Applied, i64), Stop> {
        let run = self.run_row(&report.run)?.ok_or(Refusal::TaskLost)?;
        let task = self
            .statement(
                "SELECT workers.worker, activities.attempt, activities.cancel_requested FROM activities \
                 LEFT JOIN workers ON workers.id = activities.owner \
                 WHERE activities.run = ?1 AND activities.scheduled = ?2",
            )?
            .query_row(params![run, number(report.scheduled.0)], |row| {
                Ok((crate::column::optional_uuid(row, 0)?, row.get::<_, u32>(1)?, row.get(2)?))
            })
            .optional()?;
        let (claimed_by, attempt, cancel_requested) = task.ok_or(Refusal::TaskLost)?;
        let is_its_own = report.worker.is_none_or(|worker| claimed_by == Some(worker.0));
        if !is_its_own || attempt != report.attempt.0 {
            return Err(Refusal::TaskLost.into());
        }
        if let ActivityVerdict::Heartbeat { details, visible_at } = &report.verdict {
            self.beat(run, report, details.as_ref(), *visible_at)?;
            return Ok((Applied::Wanted { cancel_requested }, run));
        }
        self.change(run, report)?;
        self.heard.work = true;
        Ok((Applied::Reported, run))
    }

    /// Keeps what a heartbeat says.
    fn beat(
        &mut self,
        run: i64,
        report: &ActivityReport,
        details: Option<&Payload>,
        visible_at: Option<Timestamp>,
    ) -> Result<()> {
        let scheduled = report.scheduled.0;
        if let Some(details) = details {
            self.statement("UPDATE activities SET details = ?3 WHERE run = ?1 AND scheduled = ?2")?
                .execute(params![run, scheduled, packed(details)?])?;
        }
        // Apart: it stands in an index.
        if let Some(visible_at) = visible_at {
            self.statement(
                "UPDATE activities SET visible_at = ?3 WHERE run = ?1 AND scheduled = ?2 AND deferred = 1",
            )?
            .execute(params![run, scheduled, visible_at.as_micros()])?;
        }
        Ok(())
    }

    /// Does what an ended attempt's verdict says.
    fn change(&mut self, run: i64, report: &ActivityReport) -> Result<()> {
        match &report.verdict {
            ActivityVerdict::Ended(message) => {
                self.statement("DELETE FROM activities WHERE run = ?1 AND scheduled = ?2")?
                    .execute(params![run, report.scheduled.0])?;
                let state = self.state(run)?;
                self.put(&state, message, report.at, true)?;
            }
            ActivityVerdict::Retry { attempt, visible_at, failure } => {
                self.statement(
                    "UPDATE activities SET owner = 0, deferred = 0, attempt = ?3, visible_at = ?4, last_failure = ?5 \
                     WHERE run = ?1 AND scheduled = ?2",
                )?
                .execute(params![
                    run,
                    report.scheduled.0,
                    attempt.0,
                    visible_at.as_micros(),
                    packed(failure)?
                ])?;
            }
            ActivityVerdict::Released => {
                self.statement(
                    "UPDATE activities SET owner = 0, deferred = 0 WHERE run = ?1 AND scheduled = ?2",
                )?
                .execute(params![run, report.scheduled.0])?;
            }
            ActivityVerdict::Deferred { visible_at } => {
                self.statement(
                    "UPDATE activities SET owner = 0, deferred = 1, visible_at = ?3 WHERE run = ?1 AND scheduled = ?2",
                )?
                .execute(params![run, report.scheduled.0, visible_at.as_micros()])?;
            }
            ActivityVerdict::Heartbeat { .. } => {}
        }
        Ok(())
    }

    fn activity_kind_or_new(&mut self, namespace: &Namespace, task: &NewActivityTask) -> Result<i64> {
        let namespace = self.namespace_or_new(namespace)?;
        let kind = params![namespace, task.task_queue.as_str(), task.activity.as_str()];
        let known = self
            .statement(
                "SELECT id FROM activity_kinds WHERE namespace = ?1 AND task_queue = ?2 AND name = ?3",
            )?
            .query_row(kind, |row| row.get(0))
            .optional()?;
        if let Some(known) = known {
            return Ok(known);
        }
        self.statement("INSERT INTO activity_kinds (namespace, task_queue, name) VALUES (?1, ?2, ?3)")?
            .execute(kind)?;
        Ok(self.connection.last_insert_rowid())
    }
}
