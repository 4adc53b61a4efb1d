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
pub(crate) use history::{Page as HistoryPage, histories};
pub(crate) use info::describe;
pub(crate) use list::list;
pub(crate) use queued::queued;
pub(crate) use stats::stats;

use std::collections::{HashMap, HashSet};

use retell::vocabulary::{RunId, RunKey, WorkflowId};

use crate::batch::Context;
use crate::dialect::Query;
use crate::fault::Fault;
use crate::session::Session;
use crate::value::Type::Bytes;

/// The rows of runs, as far as there are any. Read each time: a run that was removed and started anew has another one.
async fn rows_of<'r>(
    session: &mut impl Session,
    cx: Context<'_>,
    runs: impl IntoIterator<Item = &'r RunKey>,
) -> Result<HashMap<RunKey, i64>, Fault> {
    let runs: HashSet<&RunKey> = runs.into_iter().collect();
    cx.names.find_namespaces(session, cx.dialect, runs.iter().map(|run| &run.namespace)).await?;
    let key = |run: &&'r RunKey| {
        Some(((cx.names.namespace(&run.namespace)?, run.run_id, run.workflow_id.clone()), *run))
    };
    let asked: HashMap<(i64, RunId, WorkflowId), &RunKey> = runs.iter().filter_map(key).collect();
    let ids = asked.keys().map(|(_, run_id, _)| vec![run_id.0.into()]).collect();
    let mut query = Query::new(cx.dialect, "SELECT id, namespace, run_id, workflow_id FROM runs WHERE ");
    query.any_of(&[("run_id", Bytes)], ids);
    let mut found = HashMap::new();
    for row in session.rows(query.done()).await? {
        let key = (row.int(1)?, RunId(row.uuid(2)?), row.id(3, |text| WorkflowId::new(text))?);
        if let Some(run) = asked.get(&key) {
            found.insert((*run).clone(), row.int(0)?);
        }
    }
    Ok(found)
}
