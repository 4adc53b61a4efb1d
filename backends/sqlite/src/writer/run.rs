//! The part of a run's row that writes look at.

use retell::vocabulary::{RunId, RunKey};
use retell::write::{CloseStatus, Refusal, Target};
use rusqlite::{OptionalExtension, Result, Row, params};

use super::transaction::Transaction;
use crate::fault::Stop;

/// `status` of an open run.
pub(crate) const OPEN: i64 = 0;

macro_rules! select_state {
    ($condition:literal) => {
        concat!(
            "SELECT id, run_id, status, head, last_at, token, owner, wake_at, rowless, failure IS NOT NULL, \
             inbox_last, taken_in, door_at, door_continues, dependents, unsettled, paused FROM runs WHERE ",
            $condition
        )
    };
}

/// Where a run stands.
#[derive(Debug, Clone)]
pub(crate) struct RunState {
    pub(crate) row: i64,
    pub(crate) run_id: RunId,
    pub(crate) status: i64,
    pub(crate) head: u64,
    pub(crate) last_at: i64,
    pub(crate) token: u64,
    /// The holder's row number, or 0.
    pub(crate) owner: i64,
    pub(crate) wake_at: Option<i64>,
    pub(crate) rowless: bool,
    pub(crate) failed: bool,
    pub(crate) inbox_last: u64,
    pub(crate) taken_in: u64,
    pub(crate) door: Option<Door>,
    pub(crate) dependents: bool,
    pub(crate) unsettled: bool,
    pub(crate) paused: bool,
}

/// A door that is shut: what comes beyond `at` is not for this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Door {
    pub(crate) at: u64,
    /// Whether what comes is kept for the run that follows.
    pub(crate) continues: bool,
}

impl RunState {
    fn read(row: &Row) -> Result<Self> {
        let door_at: Option<u64> = row.get(12)?;
        let continues = row.get(13)?;
        Ok(Self {
            row: row.get(0)?,
            run_id: RunId(crate::column::uuid(row, 1)?),
            status: row.get(2)?,
            head: row.get(3)?,
            last_at: row.get(4)?,
            token: row.get(5)?,
            owner: row.get(6)?,
            wake_at: row.get(7)?,
            rowless: row.get(8)?,
            failed: row.get(9)?,
            inbox_last: row.get(10)?,
            taken_in: row.get(11)?,
            door: door_at.map(|at| Door { at, continues }),
            dependents: row.get(14)?,
            unsettled: row.get(15)?,
            paused: row.get(16)?,
        })
    }

    pub(crate) fn is_open(&self) -> bool {
        self.status == OPEN
    }

    /// The last position that is for this run: the door's, or the last.
    pub(crate) fn inbox_end(&self) -> u64 {
        self.door.map_or(self.inbox_last, |door| door.at)
    }
}

/// The number that stands in `status` for a closed run.
pub(crate) fn status_number(status: CloseStatus) -> Result<i64> {
    Ok(match status {
        CloseStatus::Completed => 1,
        CloseStatus::Failed => 2,
        CloseStatus::Cancelled => 3,
        CloseStatus::Terminated => 4,
        CloseStatus::ContinuedAsNew => 5,
        CloseStatus::TimedOut => 6,
        unknown => {
            let reason = format!("the close status {unknown:?} has no number in this schema");
            return Err(rusqlite::Error::ToSqlConversionFailure(reason.into()));
        }
    })
}

/// What a number in `status` stands for; `None` is open.
pub(crate) fn close_status(number: i64) -> Result<Option<CloseStatus>> {
    Ok(Some(match number {
        OPEN => return Ok(None),
        1 => CloseStatus::Completed,
        2 => CloseStatus::Failed,
        3 => CloseStatus::Cancelled,
        4 => CloseStatus::Terminated,
        5 => CloseStatus::ContinuedAsNew,
        6 => CloseStatus::TimedOut,
        other => return Err(rusqlite::Error::IntegralValueOutOfRange(0, other)),
    }))
}

impl Transaction<'_> {
    /// The state of the run in this row.
    pub(crate) fn state(&self, row: i64) -> Result<RunState> {
        self.statement(select_state!("id = ?1"))?.query_row([row], RunState::read)
    }

    /// The run of a workflow ID that was started last. If one is open it is this one.
    pub(crate) fn latest(&self, namespace: i64, workflow_id: &str) -> Result<Option<RunState>> {
        self.statement(select_state!("namespace = ?1 AND workflow_id = ?2 ORDER BY id DESC LIMIT 1"))?
            .query_row(params![namespace, workflow_id], RunState::read)
            .optional()
    }

    /// The open run that a target means, and its key.
    pub(crate) fn open_run(&mut self, target: &Target) -> Result<(RunKey, RunState), Stop> {
        let state = match target.run_id {
            Some(run_id) => {
                let run = RunKey {
                    namespace: target.namespace.clone(),
                    workflow_id: target.workflow_id.clone(),
                    run_id,
                };
                self.run_row(&run)?.map(|row| self.state(row)).transpose()?
            }
            None => match self.namespace(&target.namespace)? {
                Some(namespace) => self.latest(namespace, target.workflow_id.as_str())?,
                None => None,
            },
        };
        let state = state.ok_or(Refusal::RunNotFound)?;
        let run = RunKey {
            namespace: target.namespace.clone(),
            workflow_id: target.workflow_id.clone(),
            run_id: state.run_id,
        };
        if state.is_open() { Ok((run, state)) } else { Err(Refusal::RunClosed(run).into()) }
    }
}
