//! Runs that closed long ago, for retention.

use retell::vocabulary::{Namespace, RunId, RunKey, Timestamp, WorkflowId};

use crate::batch::Context;
use crate::dialect::Query;
use crate::fault::Fault;
use crate::session::Session;
use crate::value::{Row, number};

/// Closed runs that closed before then, first those that closed first; without those that are unsettled. One whose key is
/// damaged is left out.
pub(crate) async fn closed_before(
    session: &mut impl Session,
    cx: Context<'_>,
    namespace: &Namespace,
    (before, max): (Timestamp, usize),
) -> Result<Vec<RunKey>, Fault> {
    cx.names.find_namespaces(session, cx.dialect, [namespace]).await?;
    let Some(row) = cx.names.namespace(namespace) else { return Ok(Vec::new()) };
    let mut query = Query::new(cx.dialect, "SELECT workflow_id, run_id FROM runs WHERE namespace = ");
    query.int(row).push(" AND status > 0 AND unsettled = 0 AND closed_at < ").int(before.as_micros());
    query.push(" ORDER BY closed_at LIMIT ").int(number(max));
    let mut found = Vec::new();
    for row in session.rows(query.done()).await? {
        match read_key(&row, namespace) {
            Ok(key) => found.push(key),
            Err(fault) => tracing::error!(error = %fault.source, "a run's row is damaged"),
        }
    }
    Ok(found)
}

fn read_key(row: &Row, namespace: &Namespace) -> Result<RunKey, Fault> {
    Ok(RunKey {
        namespace: namespace.clone(),
        workflow_id: row.id(0, |text| WorkflowId::new(text))?,
        run_id: RunId(row.uuid(1)?),
    })
}
