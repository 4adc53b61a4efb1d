//! Claims of runs.

use std::collections::HashMap;

use retell::backend::ClaimedRun;
use retell::vocabulary::{EventId, FencingToken, Position, RunId, RunKey, WorkflowId};
use retell::write::TaskFailure;

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
        self.tell_runs(session, &rows, 1, "runs.inbox_last").await?;
        let mut query = Query::new(self.cx.dialect, "UPDATE runs SET owner = ");
        query.int(self.worker).push(", token = token + 1, shown = inbox_last, door_at = NULL, ");
        query.push("door_continues = 0, shown_by = 0, claimed_by = ").int(number(self.claim.number));
        session.execute(query.push(" WHERE ").among("id", ids(&rows)?).done()).await?;
        Ok(())
    }

    /// Tells what a holder needs of the runs of these rows. `raised` is what the token rises by when they are taken.
    pub(super) async fn tell_runs(
        &mut self,
        session: &mut impl Session,
        rows: &[Row],
        raised: u64,
        up_to: &str,
    ) -> Result<(), Fault> {
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
        for row in rows {
            let (id, kind) = (row.int(0)?, row.int(3)?);
            let known = self.kinds.workflows.iter().find(|(known, ..)| *known == kind);
            let Some((_, workflow, _)) = known else { continue };
            self.claimed.runs.push(ClaimedRun {
                run: RunKey {
                    namespace: self.claim.namespace.clone(),
                    workflow_id: row.id(1, |text| WorkflowId::new(text))?,
                    run_id: RunId(row.uuid(2)?),
                },
                token: FencingToken(row.count::<u64>(4)? + raised),
                workflow: workflow.clone(),
                head: EventId(row.count(5)?),
                taken_in: Position(row.count(6)?),
                inbox: inboxes.remove(&id).unwrap_or_default(),
                rowless: row.flag(7)?,
                failure: failures.remove(&id),
                unsettled: row.flag(8)?,
            });
        }
        Ok(())
    }

    async fn failures(
        &self,
        session: &mut impl Session,
        runs: Vec<i64>,
    ) -> Result<HashMap<i64, TaskFailure>, Fault> {
        let mut failures = HashMap::new();
        if runs.is_empty() {
            return Ok(failures);
        }
        let mut query = Query::new(self.cx.dialect, "SELECT run, failure FROM run_details WHERE ");
        for row in session.rows(query.among("run", runs).done()).await? {
            if let Some(failure) = row.unpacked(1)? {
                failures.insert(row.int(0)?, failure);
            }
        }
        Ok(failures)
    }
}
