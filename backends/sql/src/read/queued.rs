//! The queued activities of runs.

use std::collections::HashMap;

use retell::backend::QueuedActivity;
use retell::vocabulary::{ActivityName, Attempt, EventId, RunKey, WorkerId};

use super::rows_of;
use crate::batch::Context;
use crate::dialect::Query;
use crate::fault::Fault;
use crate::session::Session;
use crate::value::Row;

/// The queued activities of each run, by the event that scheduled them.
pub(crate) async fn queued(
    session: &mut impl Session,
    cx: Context<'_>,
    runs: &[RunKey],
) -> Result<Vec<Vec<QueuedActivity>>, Fault> {
    let rows = rows_of(session, cx, runs).await?;
    let mut queued: HashMap<i64, Vec<QueuedActivity>> = HashMap::new();
    if !rows.is_empty() {
        let mut query = Query::new(
            cx.dialect,
            "SELECT scheduled, activity_kinds.name, attempt, visible_at, workers.worker, last_failure, details, \
             cancel_requested, deferred, run FROM activities JOIN activity_kinds \
             ON activity_kinds.id = activities.kind LEFT JOIN workers ON workers.id = activities.owner WHERE ",
        );
        query.among("run", rows.values().copied()).push(" ORDER BY run, scheduled");
        for row in session.rows(query.done()).await? {
            queued.entry(row.int(9)?).or_default().push(read(&row)?);
        }
    }
    let of = |run: &RunKey| rows.get(run).and_then(|row| queued.get(row).cloned()).unwrap_or_default();
    Ok(runs.iter().map(of).collect())
}
fn read(row: &Row) -> Result<QueuedActivity, Fault> {
    Ok(QueuedActivity {
        scheduled: EventId(row.count(0)?),
        activity: row.id(1, |text| ActivityName::new(text))?,
        attempt: Attempt(crate::names::count(row, 2)?),
        visible_at: row.time(3)?,
        worker: row.maybe_uuid(4)?.map(WorkerId),
        last_failure: row.unpacked(5)?,
        details: row.unpacked(6)?,
        cancel_requested: row.flag(7)?,
        deferred: row.flag(8)?,
    })
}
