//! Claims of runs: what a worker comes to hold, and what is new for what it holds.

use retell::backend::{Claim, Claimed, ClaimedRun, InboxMessage, StoreError, UnreadInbox};
use retell::vocabulary::{
    EventId, FencingToken, Position, RequestId, RunId, RunKey, Timestamp, WorkflowId, WorkflowType,
};
use retell::write::{TaskFailure, TaskFailureKind};
use rusqlite::{Result, Row, params};

use super::lease::{Watch, lease_lost};
use super::transaction::Transaction;
use crate::column;
use crate::fault::is_of_the_data;

/// The most runs whose new messages one claim answers with; the next claim has the rest.
const UNREAD_RUNS_MAX: usize = 1_000;

/// When a run that nobody alive holds may be claimed, in the words of the index `runs_ready`.
macro_rules! due {
    () => {
        "CASE WHEN rowless = 1 AND owner <> 0 THEN 0 ELSE wake_at END"
    };
}

/// Who asks, and who has left something to take.
pub(crate) struct Claimer {
    /// The worker's row.
    pub(crate) worker: i64,
    /// Nobody's row, 0, and those of dead workers.
    pub(crate) ownerless: Vec<i64>,
}

/// Something that may be claimed: since when, and its row.
pub(crate) type Ready = (i64, i64);

impl Transaction<'_> {
    /// Takes what a worker has room for.
    pub(crate) fn claim(
        &mut self,
        claim: &Claim,
        watch: &mut Watch,
    ) -> Result<std::result::Result<Claimed, StoreError>> {
        let Some(worker) = self.alive(claim.worker) else {
            return Ok(Err(lease_lost("claim")));
        };
        self.look_for_the_dead(watch)?;
        let mut ownerless = vec![0];
        ownerless.extend(self.dead()?);
        let claimer = Claimer { worker, ownerless };
        let mut claimed = Claimed { now: self.now, ..Claimed::default() };
        self.unread(worker, &mut claimed)?;
        if let Some(namespace) = self.namespace(&claim.namespace)? {
            self.claim_runs(claim, namespace, &claimer, &mut claimed)?;
            for request in &claim.activities {
                self.claim_activities(claim, namespace, request, &claimer, &mut claimed)?;
            }
        }
        Ok(Ok(claimed))
    }

    /// What came for runs that the worker held before this claim, each message once.
    fn unread(&mut self, worker: i64, claimed: &mut Claimed) -> Result<()> {
        let rows: Vec<(i64, u64)> = self
            .statement(
                "SELECT id, shown FROM runs WHERE status = 0 AND owner = ?1 AND inbox_last > shown \
                 AND coalesce(door_at, inbox_last) > shown LIMIT ?2",
            )?
            .query_map(params![worker, UNREAD_RUNS_MAX], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_>>()?;
        self.heard.work |= rows.len() == UNREAD_RUNS_MAX;
        for (row, shown) in rows {
            let read = self.show(row, shown);
            if let Some(unread) = self.or_park(row, read)? {
                claimed.unread.push(unread);
            }
        }
        Ok(())
    }

    fn show(&mut self, row: i64, shown: u64) -> Result<UnreadInbox> {
        let (run, token, end) = self
            .statement(
                "SELECT namespaces.name, workflow_id, run_id, token, coalesce(door_at, inbox_last) FROM runs \
                 JOIN namespaces ON namespaces.id = runs.namespace WHERE runs.id = ?1",
            )?
            .query_row([row], |row| Ok((run_key(row)?, FencingToken(row.get(3)?), row.get(4)?)))?;
        let messages = self.messages(row, shown, end)?;
        self.statement("UPDATE runs SET shown = ?2 WHERE id = ?1")?.execute(params![row, end])?;
        Ok(UnreadInbox { run, token, messages })
    }

    fn claim_runs(
        &mut self,
        claim: &Claim,
        namespace: i64,
        claimer: &Claimer,
        claimed: &mut Claimed,
    ) -> Result<()> {
        let mut kinds = Vec::new();
        for workflow in &claim.workflows {
            let found = self.workflow_kinds(claim, namespace, workflow)?;
            kinds.extend(found.into_iter().map(|kind| (kind, workflow)));
        }
        let mut ready: Vec<(Ready, &WorkflowType)> = Vec::new();
        for (kind, workflow) in kinds {
            for owner in &claimer.ownerless {
                let found = self.ready_runs(*owner, kind, claim.runs_max, claimed)?;
                ready.extend(found.into_iter().map(|ready| (ready, workflow)));
            }
        }
        ready.sort_by_key(|(ready, _)| *ready);
        ready.truncate(claim.runs_max);
        for ((_, row), workflow) in ready {
            let taken = self.take_run(row, claimer.worker, claim, workflow);
            claimed.runs.extend(self.or_park(row, taken)?);
        }
        Ok(())
    }

    fn workflow_kinds(&self, claim: &Claim, namespace: i64, workflow: &WorkflowType) -> Result<Vec<i64>> {
        self.statement(
            "SELECT id FROM workflow_kinds \
             WHERE namespace = ?1 AND task_queue = ?2 AND name = ?3 AND version = ?4 AND semantics <= ?5",
        )?
        .query_map(
            params![
                namespace,
                claim.task_queue.as_str(),
                workflow.name.as_str(),
                workflow.version.0,
                claim.semantics.0
            ],
            |row| row.get(0),
        )?
        .collect()
    }

    /// Runs of a kind that nobody alive holds and that need a worker, the oldest first; notes when the next will.
    fn ready_runs(&self, owner: i64, kind: i64, max: usize, claimed: &mut Claimed) -> Result<Vec<Ready>> {
        let now = self.now.as_micros();
        let mut ready: Vec<Ready> = self
            .statement(concat!(
                "SELECT min(coalesce(wake_at, ?3), ?3), id FROM runs \
                     WHERE status = 0 AND owner = ?1 AND kind = ?2 AND ",
                due!(),
                " <= ?3 ORDER BY ",
                due!(),
                " LIMIT ?4"
            ))?
            .query_map(params![owner, kind, now, column::number(max)], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_>>()?;
        let unsettled: Vec<Ready> = self
            .statement(
                "SELECT closed_at, id FROM runs WHERE unsettled = 1 AND owner = ?1 AND kind = ?2 LIMIT ?3",
            )?
            .query_map(params![owner, kind, column::number(max)], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_>>()?;
        ready.extend(unsettled);
        let next: Option<i64> = self
            .statement(concat!(
                "SELECT min(",
                due!(),
                ") FROM runs WHERE status = 0 AND owner = ?1 AND kind = ?2 AND ",
                due!(),
                " > ?3"
            ))?
            .query_row(params![owner, kind, now], |row| row.get(0))?;
        note_due(claimed, next);
        Ok(ready)
    }

    fn take_run(
        &mut self,
        row: i64,
        worker: i64,
        claim: &Claim,
        workflow: &WorkflowType,
    ) -> Result<ClaimedRun> {
        let (mut run, inbox_last) = self
            .statement(
                "SELECT ?2, workflow_id, run_id, token, head, taken_in, rowless, failure, unsettled, inbox_last \
                 FROM runs WHERE id = ?1",
            )?
            .query_row(params![row, claim.namespace.as_str()], |row| read_claimed(row, claim, workflow))?;
        if inbox_last > run.taken_in.0 && !run.unsettled {
            run.inbox = self.messages(row, run.taken_in.0, inbox_last)?;
        }
        self.statement(
            "UPDATE runs SET owner = ?2, token = ?3, shown = ?4, door_at = NULL, door_continues = 0 WHERE id = ?1",
        )?
        .execute(params![row, worker, run.token.0, inbox_last])?;
        self.remember(&run.run, row);
        Ok(run)
    }

    fn messages(&self, run: i64, after: u64, up_to: u64) -> Result<Vec<InboxMessage>> {
        self.statement(
            "SELECT position, request_id, at, body FROM inbox \
             WHERE run = ?1 AND position > ?2 AND position <= ?3 ORDER BY position",
        )?
        .query_map(params![run, after, up_to], |row| {
            Ok(InboxMessage {
                position: Position(row.get(0)?),
                request_id: RequestId(column::uuid(row, 1)?),
                at: column::time(row, 2)?,
                body: column::bytes(row, 3)?,
            })
        })?
        .collect()
    }

    /// Parks a run whose row cannot be read, so that it blocks no other (promise H10).
    fn or_park<T>(&self, row: i64, read: Result<T>) -> Result<Option<T>> {
        let error = match read {
            Err(error) if is_of_the_data(&error) => error,
            read => return read.map(Some),
        };
        tracing::error!(row, %error, "a run is parked because its row is damaged");
        let failure = TaskFailure {
            kind: TaskFailureKind::History,
            message: format!("row {row} of table runs, or its inbox, is damaged: {error}"),
            count: 1,
            at: self.now,
        };
        self.statement(
            "UPDATE runs SET wake_at = NULL, rowless = 0, owner = 0, shown = inbox_last, failure = ?2 WHERE id = ?1",
        )?
        .execute(params![row, column::packed(&failure)?])?;
        Ok(None)
    }
}

/// Keeps the earlier of what was noted and this.
pub(crate) fn note_due(claimed: &mut Claimed, next: Option<i64>) {
    let next = next.map(Timestamp::from_micros);
    claimed.next_due = claimed.next_due.into_iter().chain(next).min();
}

fn run_key(row: &Row) -> Result<RunKey> {
    Ok(RunKey {
        namespace: column::text(row, 0, |text| text.try_into())?,
        workflow_id: column::text(row, 1, |text| WorkflowId::new(text))?,
        run_id: RunId(column::uuid(row, 2)?),
    })
}

fn read_claimed(row: &Row, claim: &Claim, workflow: &WorkflowType) -> Result<(ClaimedRun, u64)> {
    let run = run_key(row)?;
    let claimed = ClaimedRun {
        run: RunKey { namespace: claim.namespace.clone(), ..run },
        token: FencingToken(row.get::<_, u64>(3)?).next(),
        workflow: workflow.clone(),
        head: EventId(row.get(4)?),
        taken_in: Position(row.get(5)?),
        inbox: Vec::new(),
        rowless: row.get(6)?,
        failure: column::unpacked(row, 7)?,
        unsettled: row.get(8)?,
    };
    Ok((claimed, row.get(9)?))
}
