//! Queued activities and the ends of their attempts.

use bytes::Bytes;
use retell::vocabulary::{Attempt, EventId, Failure, Payload, Timestamp};
use retell::write::{ActivityReport, ActivityVerdict, Applied, NewActivityTask, Refusal};

use super::run::OPEN;
use super::world::{NOBODY, World};

/// A queued activity, as it was read and as it is now.
#[derive(Debug, Default)]
pub(crate) struct Queued {
    /// Whether it has its row.
    pub(crate) stored: bool,
    /// Whether that row says something else than it was read with, beside what stands apart.
    pub(crate) dirty: bool,
    pub(crate) now: Option<Task>,
}

/// The part of a queued activity's row that writes look at, and what changes beside it.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) owner: i64,
    pub(crate) attempt: Attempt,
    pub(crate) visible_at: Timestamp,
    pub(crate) cancel_requested: bool,
    pub(crate) deferred: bool,
    /// What an attempt has said since it was read.
    pub(crate) details: Option<Payload>,
    /// What an attempt has left since it was read.
    pub(crate) last_failure: Option<Failure>,
    /// What never changes; of new ones only.
    pub(crate) of_new: Option<OfNew>,
}

/// What stands in a queued activity's row for good.
#[derive(Debug, Clone)]
pub(crate) struct OfNew {
    pub(crate) kind: i64,
    pub(crate) priority: i32,
    pub(crate) close_by: Option<Timestamp>,
    pub(crate) call: Bytes,
}

impl World<'_> {
    pub(crate) fn task(&self, run: i64, scheduled: EventId) -> Option<&Task> {
        self.tasks.get(&(run, scheduled))?.now.as_ref()
    }

    /// A task that is about to change.
    pub(crate) fn task_mut(&mut self, run: i64, scheduled: EventId) -> Option<&mut Task> {
        let queued = self.tasks.get_mut(&(run, scheduled))?;
        queued.dirty = true;
        queued.now.as_mut()
    }

    /// Puts an activity into its queue, unless it is there.
    pub(crate) fn schedule(&mut self, run: i64, new: &NewActivityTask, kind: Option<i64>, by: i64) {
        let queued = self.tasks.entry((run, new.scheduled)).or_default();
        if queued.now.is_some() {
            return;
        }
        let kind = kind.expect("the names of a batch are made before it is planned");
        queued.dirty = true;
        queued.now = Some(Task {
            owner: if new.running { by } else { NOBODY },
            attempt: new.attempt,
            visible_at: new.visible_at,
            cancel_requested: false,
            deferred: false,
            details: new.details.clone(),
            last_failure: new.last_failure.clone(),
            of_new: Some(OfNew {
                kind,
                priority: new.priority,
                close_by: new.close_by,
                call: new.call.clone(),
            }),
        });
    }

    /// Takes an activity out of its queue, if it is there.
    pub(crate) fn end_task(&mut self, run: i64, scheduled: EventId) {
        if let Some(queued) = self.tasks.get_mut(&(run, scheduled)) {
            queued.now = None;
        }
    }

    /// Does what a report says; answers also the run's row.
    pub(crate) fn report(&mut self, report: &ActivityReport) -> Result<(Applied, i64), Refusal> {
        let row = self.by_key.get(&report.run).copied().ok_or(Refusal::TaskLost)?;
        let task = self.task(row, report.scheduled).ok_or(Refusal::TaskLost)?;
        let by = report.worker.map(|worker| self.worker_row(worker));
        let is_its_own = by.is_none_or(|worker| worker == Some(task.owner));
        if !is_its_own || task.attempt != report.attempt || self.run(row).status != OPEN {
            return Err(Refusal::TaskLost);
        }
        let cancel_requested = task.cancel_requested;
        if let ActivityVerdict::Heartbeat { details, visible_at } = &report.verdict {
            self.heartbeat(row, report.scheduled, details.as_ref(), *visible_at);
            return Ok((Applied::Wanted { cancel_requested }, row));
        }
        self.heard.work = true;
        if let ActivityVerdict::Ended(message) = &report.verdict {
            self.end_task(row, report.scheduled);
            self.put(row, message, report.at, true);
            return Ok((Applied::Reported, row));
        }
        let task = self.task_mut(row, report.scheduled).ok_or(Refusal::TaskLost)?;
        task.owner = NOBODY;
        task.deferred = matches!(report.verdict, ActivityVerdict::Deferred { .. });
        match &report.verdict {
            ActivityVerdict::Retry { attempt, visible_at, failure } => {
                task.attempt = *attempt;
                task.visible_at = *visible_at;
                task.last_failure = Some(failure.clone());
            }
            ActivityVerdict::Deferred { visible_at } => task.visible_at = *visible_at,
            ActivityVerdict::Released | ActivityVerdict::Ended(_) | ActivityVerdict::Heartbeat { .. } => {}
        }
        Ok((Applied::Reported, row))
    }

    /// Keeps what a heartbeat says, without a change of anything that is indexed unless the row is deferred.
    fn heartbeat(
        &mut self,
        run: i64,
        scheduled: EventId,
        details: Option<&Payload>,
        visible_at: Option<Timestamp>,
    ) {
        let Some(queued) = self.tasks.get_mut(&(run, scheduled)) else { return };
        let Some(task) = &mut queued.now else { return };
        if let Some(details) = details {
            task.details = Some(details.clone());
        }
        if let Some(at) = visible_at.filter(|_| task.deferred) {
            task.visible_at = at;
            queued.dirty = true;
        }
    }
}
