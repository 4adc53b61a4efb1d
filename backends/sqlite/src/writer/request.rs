//! Identities of applied writes: a request that comes again gets its first outcome.

use retell::vocabulary::{Namespace, Position, RequestId, RunKey, WorkflowId};
use retell::write::{Applied, IDENTITY_KEPT};
use rusqlite::{OptionalExtension, Result, Row, params};

use super::transaction::Transaction;

/// How many old identities a transaction forgets for each new one, so that forgetting keeps up and never stalls.
const FORGOTTEN_FOR_EACH: usize = 2;

/// `outcome` in the table.
mod outcome {
    pub(super) const STARTED: i64 = 0;
    pub(super) const STARTED_OWNED: i64 = 1;
    pub(super) const EXISTING: i64 = 2;
    pub(super) const SENT: i64 = 3;
    pub(super) const TERMINATED: i64 = 4;
    pub(super) const REPORTED: i64 = 5;
    pub(super) const COMMITTED: i64 = 6;
}

impl Transaction<'_> {
    /// The first outcome of a request, if it was applied before.
    pub(crate) fn first_outcome(
        &mut self,
        namespace: &Namespace,
        request_id: RequestId,
    ) -> Result<Option<Applied>> {
        let Some(row) = self.namespace(namespace)? else {
            return Ok(None);
        };
        self.statement(
            "SELECT requests.outcome, runs.workflow_id, runs.run_id FROM requests JOIN runs ON runs.id = requests.run \
             WHERE requests.namespace = ?1 AND requests.request_id = ?2",
        )?
        .query_row(params![row, request_id.0.as_bytes()], |row| read(namespace, row))
        .optional()
    }

    /// The first outcome of a start whose run ID is its identity, if it was applied before.
    pub(crate) fn started_as(&mut self, run: &RunKey) -> Result<Option<Applied>> {
        let Some(namespace) = self.namespace(&run.namespace)? else {
            return Ok(None);
        };
        let started = self
            .statement("SELECT workflow_id, started_held FROM runs WHERE run_id = ?1 AND namespace = ?2")?
            .query_row(params![run.run_id.0.as_bytes(), namespace], |row| {
                let workflow_id = crate::column::text(row, 0, |text| WorkflowId::new(text))?;
                Ok((workflow_id, row.get::<_, Option<bool>>(1)?))
            })
            .optional()?;
        Ok(started.and_then(|(workflow_id, held)| {
            let run = RunKey { workflow_id, ..run.clone() };
            held.map(|owned| Applied::Started { run, owned })
        }))
    }

    /// Keeps the outcome of a request.
    pub(crate) fn keep_outcome(
        &mut self,
        namespace: &Namespace,
        request_id: RequestId,
        applied: &Applied,
        run: i64,
    ) -> Result<()> {
        let outcome = match applied {
            Applied::Started { owned: false, .. } => outcome::STARTED,
            Applied::Started { owned: true, .. } => outcome::STARTED_OWNED,
            Applied::Existing(_) => outcome::EXISTING,
            Applied::Sent(_) => outcome::SENT,
            Applied::Terminated(_) => outcome::TERMINATED,
            Applied::Reported => outcome::REPORTED,
            Applied::Committed { .. } => outcome::COMMITTED,
            other => {
                let reason = format!("the outcome {other:?} has no number in this schema");
                return Err(rusqlite::Error::ToSqlConversionFailure(reason.into()));
            }
        };
        let namespace = self.namespace_or_new(namespace)?;
        self.statement(
            "INSERT INTO requests (namespace, request_id, at, outcome, run) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![namespace, request_id.0.as_bytes(), self.age, outcome, run])?;
        self.kept += 1;
        Ok(())
    }

    /// Forgets a few of the oldest outcomes, if they are older than they must be. Called once a transaction.
    pub(crate) fn forget_old_outcomes(&self) -> Result<()> {
        if self.kept == 0 {
            return Ok(());
        }
        let kept = i64::try_from(IDENTITY_KEPT.as_micros()).unwrap_or(i64::MAX);
        let before = self.age.saturating_sub(kept);
        self.statement(
            "DELETE FROM requests WHERE id IN (SELECT id FROM requests ORDER BY id LIMIT ?1) AND at < ?2",
        )?
        .execute(params![self.kept * FORGOTTEN_FOR_EACH, before])?;
        Ok(())
    }
}

fn read(namespace: &Namespace, row: &Row) -> Result<Applied> {
    let run = RunKey {
        namespace: namespace.clone(),
        workflow_id: crate::column::text(row, 1, |text| WorkflowId::new(text))?,
        run_id: retell::vocabulary::RunId(crate::column::uuid(row, 2)?),
    };
    Ok(match row.get(0)? {
        outcome::STARTED => Applied::Started { run, owned: false },
        outcome::STARTED_OWNED => Applied::Started { run, owned: true },
        outcome::EXISTING => Applied::Existing(run),
        outcome::SENT => Applied::Sent(run),
        outcome::TERMINATED => Applied::Terminated(run),
        outcome::REPORTED => Applied::Reported,
        // Where the inbox ends is for whoever asks to read: it goes on.
        outcome::COMMITTED => Applied::Committed { inbox: Position(0), started: Vec::new() },
        other => return Err(rusqlite::Error::IntegralValueOutOfRange(0, other)),
    })
}
