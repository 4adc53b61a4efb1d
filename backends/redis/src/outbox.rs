//! What commits ask of runs in other partitions: moved there in order, each exactly once.
//!
//! An entry stands with its commit until it is done. Done again it is known by its request ID; taken off again it is
//! gone already. So anybody may move it, any number of times, and whoever finds one that was left does.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures::future::{join_all, try_join_all};
use redis::Value;
use retell::backend::StoreError;
use retell::vocabulary::{Position, RunId, RunKey, WorkerId};
use retell::write::{Commit, Errand};

use crate::key::read_ref;
use crate::reply::Reply;
use crate::{Store, lane, pack};

const OPERATION: &str = "do errands";

/// The runs that a commit's errands start. Those of its own partition may be started by its own script, and tell so with
/// its reply; or through the outbox, behind an errand to another partition.
pub(crate) fn starts(commit: &Commit) -> impl Iterator<Item = &RunKey> {
    commit.outgoing.iter().filter_map(|outgoing| match &outgoing.errand {
        Errand::Start(start) => Some(&start.run),
        Errand::Send(_) | Errand::Terminate(_) => None,
    })
}

/// Those among runs that this worker holds since they were started.
pub(crate) async fn held(
    store: &Arc<Store>,
    worker: WorkerId,
    runs: &[RunKey],
) -> Result<HashSet<RunId>, StoreError> {
    let mut places: BTreeMap<u16, Vec<&RunKey>> = BTreeMap::new();
    for run in runs {
        places.entry(store.link.keys.partition(&run.namespace, &run.workflow_id)).or_default().push(run);
    }
    let calls = places.into_iter().map(|(partition, runs)| async move {
        let asked = runs.iter().map(|run| pack::held(run, worker)).collect();
        let replies = lane::call(store, partition, asked).await?;
        let held = runs.into_iter().zip(replies).filter(|(_, reply)| *reply == Value::Int(1));
        Ok::<_, StoreError>(held.map(|(run, _)| run.run_id).collect::<Vec<_>>())
    });
    Ok(try_join_all(calls).await?.into_iter().flatten().collect())
}

/// Does all that waits in a run's outbox; answers the last position of the run's inbox then.
pub(crate) async fn empty(store: &Arc<Store>, run: &RunKey) -> Result<Position, StoreError> {
    let partition = store.link.keys.partition(&run.namespace, &run.workflow_id);
    loop {
        let asked = lane::call(store, partition, vec![pack::outgoing(run)]).await?;
        let mut entries = asked.into_iter().next().unwrap_or_default().list(OPERATION)?;
        let entries = entries.drain(..together(&entries, partition)).collect();
        let (done, failed) = do_entries(store, entries).await?;
        let settled = lane::call(store, partition, vec![pack::settle(run, &done)]).await?;
        let [waits, last] = settled.into_iter().next().unwrap_or_default().fields(OPERATION)?;
        if let Some(error) = failed {
            return Err(error);
        }
        if waits == Value::Int(0) {
            return Ok(Position(last.parsed(OPERATION)?));
        }
    }
}

/// How many of the first entries are done side by side. What concerns the sender's own partition may concern its own
/// inbox, where it stands behind the answers to what was asked before: such an entry is done alone.
fn together(entries: &[Value], own: u16) -> usize {
    let is_own =
        |entry: &Value| matches!(entry, Value::Array(parts) if parts.get(1) == Some(&Value::Int(own.into())));
    entries.iter().position(is_own).unwrap_or(entries.len()).max(1).min(entries.len())
}

/// Does entries, those for one partition in order. Answers those that were done before the first that was not, in
/// order, each with whether it was accepted, and what stood in the way.
async fn do_entries(
    store: &Arc<Store>,
    entries: Vec<Value>,
) -> Result<(Vec<(String, bool)>, Option<StoreError>), StoreError> {
    let mut numbers = Vec::with_capacity(entries.len());
    let mut places: BTreeMap<u16, (Vec<usize>, Vec<bytes::Bytes>)> = BTreeMap::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let [number, partition, errand] = entry.fields(OPERATION)?;
        numbers.push(number.text(OPERATION)?);
        let (indexes, errands) = places.entry(partition.parsed(OPERATION)?).or_default();
        indexes.push(index);
        errands.push(errand.bytes(OPERATION)?);
    }
    let calls = places.into_iter().map(|(partition, (indexes, errands))| async move {
        (indexes, lane::call(store, partition, errands).await)
    });
    let mut accepted = vec![None; numbers.len()];
    let mut failed = None;
    for (indexes, replies) in join_all(calls).await {
        match replies {
            Ok(replies) => {
                for (index, reply) in indexes.into_iter().zip(replies) {
                    accepted[index] = Some(!reply.text(OPERATION)?.starts_with('-'));
                }
            }
            Err(error) => failed = Some(error),
        }
    }
    let done = numbers.into_iter().zip(accepted).map_while(|(number, accepted)| Some((number, accepted?)));
    Ok((done.collect(), failed))
}

/// Empties outboxes that somebody left, beside whatever goes on.
pub(crate) fn move_later(store: &Arc<Store>, stale: Value) -> Result<(), StoreError> {
    for run in stale.list(OPERATION)? {
        let run = read_ref(&run.text(OPERATION)?, OPERATION)?;
        let store = Arc::clone(store);
        tokio::spawn(async move {
            if let Err(error) = empty(&store, &run).await {
                tracing::warn!(%run, %error, "errands that were left wait on");
            }
        });
    }
    Ok(())
}
