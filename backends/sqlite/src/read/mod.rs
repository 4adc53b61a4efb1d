//! Reads: on their own connections and threads, beside the writer and never in its way.

mod answers;
mod closed;
mod history;
mod info;
mod list;
mod pool;
mod stats;

pub(crate) use answers::answers;
pub(crate) use closed::closed_before;
pub(crate) use history::history;
pub(crate) use info::{describe, queued};
pub(crate) use list::list;
pub(crate) use pool::Readers;
pub(crate) use stats::stats;

use retell::vocabulary::{Namespace, RunKey};
use rusqlite::{Connection, OptionalExtension, Result, params};

fn namespace_row(connection: &Connection, namespace: &Namespace) -> Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM namespaces WHERE name = ?1")?
        .query_row([namespace.as_str()], |row| row.get(0))
        .optional()
}

fn run_row(connection: &Connection, run: &RunKey) -> Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT runs.id FROM runs JOIN namespaces ON namespaces.id = runs.namespace \
             WHERE runs.run_id = ?1 AND namespaces.name = ?2 AND runs.workflow_id = ?3",
        )?
        .query_row(
            params![run.run_id.0.as_bytes(), run.namespace.as_str(), run.workflow_id.as_str()],
            |row| row.get(0),
        )
        .optional()
}
