//! Runs that closed long ago, for retention.

use retell::vocabulary::{Namespace, RunId, RunKey, Timestamp, WorkflowId};
use rusqlite::{Connection, Result, params};

use crate::column;

/// Closed runs that closed before then, first those that closed first; without those that are unsettled. One whose key is
/// damaged is left out.
pub(crate) fn closed_before(
    connection: &Connection,
    namespace: &Namespace,
    before: Timestamp,
    max: usize,
) -> Result<Vec<RunKey>> {
    let Some(row) = super::namespace_row(connection, namespace)? else { return Ok(Vec::new()) };
    let mut statement = connection.prepare_cached(
        "SELECT workflow_id, run_id FROM runs WHERE namespace = ?1 AND status > 0 AND closed_at < ?2 \
         AND unsettled = 0 ORDER BY closed_at LIMIT ?3",
    )?;
    let mut rows = statement.query(params![row, before.as_micros(), column::number(max)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key = || -> Result<RunKey> {
            Ok(RunKey {
                namespace: namespace.clone(),
                workflow_id: column::text(row, 0, |text| WorkflowId::new(text))?,
                run_id: RunId(column::uuid(row, 1)?),
            })
        };
        match key() {
            Ok(key) => found.push(key),
            Err(error) => tracing::error!(%error, "a run's row is damaged"),
        }
    }
    Ok(found)
}
