//! Counts, from indexes.

use retell::backend::StoreStats;
use retell::vocabulary::Namespace;

use crate::batch::Context;
use crate::dialect::Query;
use crate::fault::Fault;
use crate::session::Session;

/// Counts what a namespace holds.
pub(crate) async fn stats(
    session: &mut impl Session,
    cx: Context<'_>,
    namespace: &Namespace,
) -> Result<StoreStats, Fault> {
    cx.names.find_namespaces(session, cx.dialect, [namespace]).await?;
    let Some(namespace) = cx.names.namespace(namespace) else {
        return Ok(StoreStats::default());
    };
    let counts = [
        "(SELECT count(*) FROM runs WHERE status = 0 AND namespace = ",
        "(SELECT count(*) FROM runs WHERE status = 0 AND parked = 1 AND namespace = ",
        "(SELECT count(*) FROM runs WHERE status > 0 AND namespace = ",
        "(SELECT count(*) FROM activities JOIN runs ON runs.id = activities.run WHERE namespace = ",
        "(SELECT count(*) FROM inbox JOIN runs ON runs.id = inbox.run WHERE status = 0 AND namespace = ",
    ];
    let mut query = Query::new(cx.dialect, "SELECT ");
    for (index, count) in counts.iter().enumerate() {
        query.push(if index == 0 { "" } else { ", " }).push(count).int(namespace).push(")");
    }
    let rows = session.rows(query.done()).await?;
    let row = rows.first().cloned().unwrap_or_default();
    Ok(StoreStats {
        open: row.count(0)?,
        parked: row.count(1)?,
        closed: row.count(2)?,
        queued: row.count(3)?,
        messages: row.count(4)?,
    })
}
