//! Reads: on connections of their own, without locks and never in a writer's way.

mod answers;
mod closed;
mod history;
mod info;
mod list;
mod queued;
mod stats;

pub(crate) use answers::answers;
pub(crate) use closed::closed_before;
pub(crate) use history::history;
pub(crate) use info::describe;
pub(crate) use list::list;
pub(crate) use queued::queued;
pub(crate) use stats::stats;

use retell::vocabulary::RunKey;

use crate::dialect::Query;

/// Appends a query in parentheses for the row of a run.
fn push_run_row(query: &mut Query, run: &RunKey) {
    query.push(
        "(SELECT runs.id FROM runs JOIN namespaces ON namespaces.id = runs.namespace WHERE runs.run_id = ",
    );
    query.bytes(run.run_id.0).push(" AND namespaces.name = ").text(run.namespace.as_str());
    query.push(" AND runs.workflow_id = ").text(run.workflow_id.as_str()).push(")");
}
