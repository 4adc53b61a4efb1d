//! The queued activities of a run.

use retell::backend::QueuedActivity;
use retell::vocabulary::{ActivityName, Attempt, EventId, RunKey, WorkerId};

use crate::batch::Context;
use crate::dialect::Query;
use crate::fault::Fault;
use crate::session::Session;
use crate::value::Row;

/// The queued activities of a run, by the event that scheduled them.
pub(crate) async fn queued(
    session: &mut impl Session,
    cx: Context<'_>,
    run: &RunKey,
) -> Result<Vec<QueuedActivity>, Fault> {
    let mut query = Query::new(
        cx.dialect,
        "SELECT scheduled, activity_kinds.name, attempt, visible_at, workers.worker, last_failure, details, \
         cancel_requested, deferred FROM activities JOIN activity_kinds ON activity_kinds.id = activities.kind \
         LEFT JOIN workers ON workers.id = activities.owner WHERE run = ",
    );
    super::push_run_row(&mut query, run);
    let rows = session.rows(query.push(" ORDER BY scheduled").done()).await?;
    rows.iter().map(read).collect()
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
