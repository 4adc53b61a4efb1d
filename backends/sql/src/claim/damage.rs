//! Rows that cannot be read: each stops its own run only, and no claim meets it again (promise H10).

use std::collections::BTreeMap;

use retell::write::{TaskFailure, TaskFailureKind};

use super::Claiming;
use crate::dialect::Query;
use crate::fault::Fault;
use crate::session::Session;
use crate::value::Type::Int;
use crate::value::{Cell, packed};

/// Runs that cannot be read, and why.
pub(super) type Damaged = BTreeMap<i64, Fault>;
/// Activities that cannot be read, by their runs' rows and events, and why.
pub(super) type DamagedActivities = BTreeMap<(i64, i64), Fault>;

/// Who has what nobody can read: no worker's row.
const NO_WORKER: i64 = -1;

impl Claiming<'_> {
    /// Parks runs that cannot be read; each says so where runs are shown. One that is put right by hand goes on when it
    /// is next due or gets a message.
    pub(super) async fn park(&self, session: &mut impl Session, damaged: Damaged) -> Result<(), Fault> {
        if damaged.is_empty() {
            return Ok(());
        }
        let mut query = Query::new(
            self.cx.dialect,
            "UPDATE runs SET wake_at = NULL, rowless = 0, parked = 1, shown = inbox_last, \
             owner = CASE WHEN status = 0 THEN 0 ELSE ",
        );
        query.int(NO_WORKER).push(" END WHERE ").among("id", damaged.keys().copied());
        session.execute(query.done()).await?;
        for (row, fault) in damaged {
            tracing::error!(row, error = %fault.source, "a run is parked because its row is damaged");
            let failure = TaskFailure {
                kind: TaskFailureKind::History,
                message: format!("row {row} of table runs, or its inbox, is damaged: {}", fault.source),
                count: 1,
                at: self.claimed.now,
            };
            let mut query = Query::new(self.cx.dialect, "UPDATE run_details SET failure = ");
            query.bytes(packed(&failure)?).push(" WHERE run = ").int(row);
            session.execute(query.done()).await?;
        }
        Ok(())
    }

    /// Moves activities that cannot be read out of the way of others; they stay for a person to look at.
    pub(super) async fn put_aside(
        &self,
        session: &mut impl Session,
        damaged: DamagedActivities,
    ) -> Result<(), Fault> {
        if damaged.is_empty() {
            return Ok(());
        }
        for ((run, scheduled), fault) in &damaged {
            let error = &fault.source;
            tracing::error!(run, scheduled, %error, "a queued activity is put aside because its row is damaged");
        }
        let cells = |(run, scheduled): &(i64, i64)| vec![Cell::Int(*run), Cell::Int(*scheduled)];
        let mut query = Query::new(self.cx.dialect, "UPDATE activities SET owner = ");
        query.int(NO_WORKER).push(" WHERE ");
        query.any_of(&[("run", Int), ("scheduled", Int)], damaged.keys().map(cells).collect());
        session.execute(query.done()).await?;
        Ok(())
    }
}
