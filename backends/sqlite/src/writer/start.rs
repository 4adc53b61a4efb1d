//! Opening runs, and ending them from outside.

use retell::vocabulary::{EventId, RunKey, Timestamp};
use retell::write::{
    Applied, CloseStatus, ClosingEvent, ExistingId, IdConflictPolicy, IdReusePolicy, NewRecord, Refusal,
    Replacement, Start, Terminate,
};
use rusqlite::{OptionalExtension, Result, params};

use super::run::{Door, RunState, close_status, status_number};
use super::transaction::Transaction;
use crate::column::packed_map;
use crate::fault::Stop;

/// A run that was opened.
pub(crate) struct Opened {
    pub(crate) row: i64,
    /// Whether the owner that the start named holds it.
    pub(crate) owned: bool,
}

impl Transaction<'_> {
    /// Opens a run if its workflow ID allows it, or answers what the same start was answered first.
    pub(crate) fn start_once(&mut self, start: &Start) -> Result<Applied, Stop> {
        let (namespace, goes_by_run_id) = (&start.run.namespace, start.goes_by_run_id());
        let started = if goes_by_run_id { self.started_as(&start.run)? } else { None };
        let first = match started {
            None => self.first_outcome(namespace, start.request_id)?,
            started => started,
        };
        if let Some(first) = first {
            return Ok(first);
        }
        let (applied, row) = self.start(start)?;
        // What the run's own row says need not be kept beside it.
        if !(goes_by_run_id && matches!(applied, Applied::Started { .. })) {
            self.keep_outcome(namespace, start.request_id, &applied, row)?;
        }
        Ok(applied)
    }

    /// Opens a run if its workflow ID allows it; answers with the run's row number.
    fn start(&mut self, start: &Start) -> Result<(Applied, i64), Stop> {
        if self.run_row(&start.run)?.is_some() {
            let reason = format!("run {} was started by another request", start.run);
            return Err(Refusal::Invalid(reason).into());
        }
        let namespace = self.namespace(&start.run.namespace)?;
        let latest = match namespace {
            Some(namespace) => self.latest(namespace, start.run.workflow_id.as_str())?,
            None => None,
        };
        if let Some(latest) = latest {
            let key = RunKey { run_id: latest.run_id, ..start.run.clone() };
            match (close_status(latest.status)?, &start.conflict) {
                (None, IdConflictPolicy::UseExisting) => return Ok((Applied::Existing(key), latest.row)),
                (None, IdConflictPolicy::SendToExisting) => {
                    let row = self.send_to_existing(latest, &key, start)?;
                    return Ok((Applied::Existing(key), row));
                }
                (None, IdConflictPolicy::Reject) => {
                    return Err(Refusal::IdTaken(ExistingId { run: key, closed: None }).into());
                }
                (None, IdConflictPolicy::TerminateExisting(closing)) => {
                    self.end(&latest, closing, start.record.at)?;
                }
                (None, IdConflictPolicy::ReplaceExisting(replaced)) => {
                    let opened = self.replace(&latest, &key, replaced, start)?;
                    return Ok((
                        Applied::Started { run: start.run.clone(), owned: opened.owned },
                        opened.row,
                    ));
                }
                (Some(closed), _) if !may_reuse(start.reuse, closed) => {
                    return Err(Refusal::IdTaken(ExistingId { run: key, closed: Some(closed) }).into());
                }
                (Some(_), _) => {}
            }
        }
        let opened = self.open(start)?;
        Ok((Applied::Started { run: start.run.clone(), owned: opened.owned }, opened.row))
    }

    /// Puts what the new run would have found in its inbox into that of the open one, unless that is closing; answers
    /// with that run's row number.
    fn send_to_existing(&mut self, mut open: RunState, key: &RunKey, start: &Start) -> Result<i64, Stop> {
        if matches!(open.door, Some(Door { continues: false, .. })) {
            return Err(Refusal::RunClosed(key.clone()).into());
        }
        for message in &start.inbox {
            self.put(&open, message, start.record.at, false)?;
            open.inbox_last += 1;
        }
        Ok(open.row)
    }

    /// Ends the open run, if it is the one that is expected, and opens the new one with what its history has not taken in.
    fn replace(
        &mut self,
        open: &RunState,
        key: &RunKey,
        replaced: &Replacement,
        start: &Start,
    ) -> Result<Opened, Stop> {
        if open.run_id != replaced.run || open.head != replaced.head.0 {
            return Err(Refusal::RunAdvanced { run: key.clone(), head: EventId(open.head) }.into());
        }
        self.close_terminated(open, &replaced.closing, replaced.at)?;
        let opened = self.open(start)?;
        self.hand_on(open.row, opened.row, start)?;
        self.drop_tasks_and_inbox(open.row)?;
        Ok(opened)
    }

    /// Opens a run unconditionally.
    pub(crate) fn open(&mut self, start: &Start) -> Result<Opened> {
        let owner = start.owner.and_then(|owner| self.alive(owner));
        let namespace = self.namespace_or_new(&start.run.namespace)?;
        let kind = self.workflow_kind_or_new(namespace, start)?;
        let attributes = packed_map(&start.attributes)?;
        let memo = packed_map(&start.memo)?;
        let copied: u32 = start.copied.iter().map(|record| record.count).sum();
        let head = start.record.count + copied;
        let last_at = start.copied.last().map_or(start.record.at, |record| record.at);
        self.statement(
            "INSERT INTO runs (id, run_id, namespace, workflow_id, kind, started_at, head, last_at, token, owner, \
             wake_at, inbox_last, shown, priority, fairness_key, attributes, memo, dependents, \
             rowless, started_held) \
             VALUES (1 + max((SELECT coalesce(max(id), 0) FROM runs), (SELECT last FROM removed)), ?1, ?2, ?3, ?4, ?5, ?6, \
             ?14, ?7, ?8, ?9, ?10, ?10, ?11, ?12, ?13, ?15, ?16, ?17, ?18)",
        )?
        .execute(params![
            start.run.run_id.0.as_bytes(),
            namespace,
            start.run.workflow_id.as_str(),
            kind,
            start.record.at.as_micros(),
            head,
            owner.is_some(),
            owner.unwrap_or(0),
            start.wake_at.as_micros(),
            // Who starts a run knows what it put into it: all of it counts as shown.
            start.inbox.len(),
            start.priority,
            start.fairness_key.as_deref(),
            attributes,
            last_at.as_micros(),
            memo,
            start.dependents,
            !start.copied.is_empty(),
            start.goes_by_run_id().then_some(owner.is_some()),
        ])?;
        let row = self.connection.last_insert_rowid();
        self.index_attributes(row, namespace, &start.attributes)?;
        self.remember(&start.run, row);
        // No commit wrote these, and none can say that it did: no holder has token 0.
        let mut first = 1;
        for record in std::iter::once(&start.record).chain(&start.copied) {
            self.insert_record(row, first, record.at.as_micros(), 0, record)?;
            first += u64::from(record.count);
        }
        for (position, message) in (1..).zip(&start.inbox) {
            self.insert_message(row, position, message, start.record.at, false)?;
        }
        self.heard.work |= owner.is_none();
        Ok(Opened { row, owned: owner.is_some() })
    }

    /// Ends a run from outside; answers with its row number.
    pub(crate) fn terminate(&mut self, terminate: &Terminate) -> Result<(Applied, i64), Stop> {
        let (run, state) = self.open_run(&terminate.target)?;
        self.end(&state, &terminate.closing, terminate.at)?;
        Ok((Applied::Terminated(run), state.row))
    }

    /// One event more, one token more, no tasks, no inbox.
    fn end(&mut self, state: &RunState, closing: &ClosingEvent, at: Timestamp) -> Result<()> {
        self.close_terminated(state, closing, at)?;
        self.drop_tasks_and_inbox(state.row)
    }

    /// One event more, one token more; unsettled if others depend on it.
    fn close_terminated(&mut self, state: &RunState, closing: &ClosingEvent, at: Timestamp) -> Result<()> {
        let at = at.as_micros().max(state.last_at);
        let (first, token) = (state.head + 1, state.token + 1);
        let record = NewRecord { count: 1, at: Timestamp::from_micros(at), bytes: closing.record.clone() };
        self.insert_record(state.row, first, at, token, &record)?;
        self.statement(
            "UPDATE runs SET status = ?2, closed_at = ?3, last_at = ?3, head = ?4, token = ?5, outcome = ?6, \
             owner = 0, wake_at = NULL, rowless = 0, unsettled = dependents, dependents = 0, paused = 0, \
             door_at = NULL, door_continues = 0 WHERE id = ?1",
        )?
        .execute(params![
            state.row,
            status_number(CloseStatus::Terminated)?,
            at,
            first,
            token,
            &closing.outcome[..],
        ])?;
        self.heard.work |= state.dependents;
        Ok(())
    }

    /// What leaves with a run that closes.
    pub(crate) fn drop_tasks_and_inbox(&mut self, row: i64) -> Result<()> {
        self.statement("DELETE FROM activities WHERE run = ?1")?.execute([row])?;
        self.statement("DELETE FROM inbox WHERE run = ?1")?.execute([row])?;
        self.heard.closings = true;
        Ok(())
    }

    /// Appends a record.
    pub(crate) fn insert_record(
        &self,
        run: i64,
        first: u64,
        at: i64,
        token: u64,
        record: &NewRecord,
    ) -> Result<()> {
        self.statement(
            "INSERT INTO records (run, first, count, at, token, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![run, first, record.count, at, token, &record.bytes[..]])?;
        Ok(())
    }

    fn workflow_kind_or_new(&self, namespace: i64, start: &Start) -> Result<i64> {
        let kind = params![
            namespace,
            start.task_queue.as_str(),
            start.workflow.name.as_str(),
            start.workflow.version.0,
            start.semantics.0,
        ];
        let known = self
            .statement(
                "SELECT id FROM workflow_kinds \
                 WHERE namespace = ?1 AND task_queue = ?2 AND name = ?3 AND version = ?4 AND semantics = ?5",
            )?
            .query_row(kind, |row| row.get(0))
            .optional()?;
        if let Some(known) = known {
            return Ok(known);
        }
        self.statement(
            "INSERT INTO workflow_kinds (namespace, task_queue, name, version, semantics) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(kind)?;
        Ok(self.connection.last_insert_rowid())
    }
}

fn may_reuse(policy: IdReusePolicy, closed: CloseStatus) -> bool {
    match policy {
        IdReusePolicy::Allow => true,
        IdReusePolicy::AllowUnlessCompleted => closed != CloseStatus::Completed,
        IdReusePolicy::Reject => false,
    }
}
