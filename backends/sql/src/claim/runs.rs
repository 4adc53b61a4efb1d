//! Claims of runs.

use std::collections::HashMap;

use retell::backend::{ClaimedRun, InboxMessage};
use retell::vocabulary::{
    EventId, FencingToken, Namespace, Position, RunId, RunKey, WorkflowId, WorkflowType,
};
use retell::write::TaskFailure;

use super::damage::Damaged;
use super::{Claiming, ids};
use crate::dialect::Query;
use crate::fault::Fault;
use crate::session::Session;
use crate::value::{Row, number};

/// What is read of a run that is taken, for [`Claiming::tell_runs`].
pub(super) const SELECT_TAKEN: &str = "SELECT id, workflow_id, run_id, kind, token, head, taken_in, rowless, unsettled, \
     inbox_last, parked FROM runs WHERE ";

impl Claiming<'_> {
    /// Takes those of the candidates that are free still and that nobody else is about to take.
    pub(super) async fn take_runs(
        &mut self,
        session: &mut impl Session,
        candidates: HashMap<i64, usize>,
    ) -> Result<(), Fault> {
        if candidates.is_empty() {
            return Ok(());
        }
        let mut query = Query::new(self.cx.dialect, SELECT_TAKEN);
        query.among("id", candidates.keys().copied());
        query.push(" AND ").among("owner", self.ownerless.iter().copied());
        query.push(" AND (unsettled = 1 OR (status = 0 AND (wake_at <= ").int(self.now);
        query.push(" OR (rowless = 1 AND owner <> 0)))) ORDER BY id FOR UPDATE SKIP LOCKED");
        let mut rows = session.rows(query.done()).await?;
        self.contended |= rows.len() < candidates.len();
        if rows.is_empty() {
            return Ok(());
        }
        rows.sort_by_key(|row| row.int(0).ok().and_then(|run| candidates.get(&run).copied()));
        let damaged = self.tell_runs(session, &rows, 1, "runs.inbox_last").await?;
        let taken: Vec<i64> = ids(&rows)?.into_iter().filter(|run| !damaged.contains_key(run)).collect();
        self.park(session, damaged).await?;
        if taken.is_empty() {
            return Ok(());
        }
        let mut query = Query::new(self.cx.dialect, "UPDATE runs SET owner = ");
        query.int(self.worker).push(", token = token + 1, shown = inbox_last, door_at = NULL, ");
        query.push("door_continues = 0, shown_by = 0, claimed_by = ").int(number(self.claim.number));
        session.execute(query.push(" WHERE ").among("id", taken).done()).await?;
        Ok(())
    }

    /// Tells what a holder needs of the runs of these rows. `raised` is what the token rises by when they are taken.
    /// Answers those that cannot be read.
    pub(super) async fn tell_runs(
        &mut self,
        session: &mut impl Session,
        rows: &[Row],
        raised: u64,
        up_to: &str,
    ) -> Result<Damaged, Fault> {
        let (mut with_messages, mut parked) = (Vec::new(), Vec::new());
        for row in rows {
            if row.int(9)? > row.int(6)? && !row.flag(8)? {
                with_messages.push(row.int(0)?);
            }
            if row.flag(10)? {
                parked.push(row.int(0)?);
            }
        }
        let mut inboxes = self.messages(session, &with_messages, "runs.taken_in", up_to).await?;
        let mut failures = self.failures(session, parked).await?;
        let mut damaged = Damaged::new();
        for row in rows {
            let (id, kind) = (row.int(0)?, row.int(3)?);
            let known = self.kinds.workflows.iter().find(|(known, ..)| *known == kind);
            let Some((_, workflow, _)) = known else { continue };
            let read = Read {
                namespace: &self.claim.namespace,
                workflow,
                raised,
                inbox: inboxes.remove(&id).unwrap_or(Ok(Vec::new())),
                failure: failures.remove(&id).unwrap_or(Ok(None)),
            };
            match read.with(row) {
                Ok(run) => self.claimed.runs.push(run),
                Err(fault) => _ = damaged.insert(id, fault),
            }
        }
        Ok(damaged)
    }

    async fn failures(
        &self,
        session: &mut impl Session,
        runs: Vec<i64>,
    ) -> Result<HashMap<i64, Result<Option<TaskFailure>, Fault>>, Fault> {
        let mut failures = HashMap::new();
        if runs.is_empty() {
            return Ok(failures);
        }
        let mut query = Query::new(self.cx.dialect, "SELECT run, failure FROM run_details WHERE ");
        for row in session.rows(query.among("run", runs).done()).await? {
            failures.insert(row.int(0)?, row.unpacked(1));
        }
        Ok(failures)
    }
}

/// What is read of a run beside its row.
struct Read<'a> {
    namespace: &'a Namespace,
    workflow: &'a WorkflowType,
    raised: u64,
    inbox: Result<Vec<InboxMessage>, Fault>,
    failure: Result<Option<TaskFailure>, Fault>,
}

impl Read<'_> {
    fn with(self, row: &Row) -> Result<ClaimedRun, Fault> {
        Ok(ClaimedRun {
            run: RunKey {
                namespace: self.namespace.clone(),
                workflow_id: row.id(1, |text| WorkflowId::new(text))?,
                run_id: RunId(row.uuid(2)?),
            },
            token: FencingToken(row.count::<u64>(4)? + self.raised),
            workflow: self.workflow.clone(),
            head: EventId(row.count(5)?),
            taken_in: Position(row.count(6)?),
            inbox: self.inbox?,
            rowless: row.flag(7)?,
            failure: self.failure?,
            unsettled: row.flag(8)?,
        })
    }
}
