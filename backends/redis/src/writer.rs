//! Writes: members of a batch for one partition are one call, in order; partitions go side by side.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use futures::future::try_join_all;
use redis::Value;
use retell::backend::StoreError;
use retell::vocabulary::{EventId, Namespace, Position, RunId, RunKey, Timestamp, WorkflowId};
use retell::write::{Applied, Batch, Commit, ExistingId, Next, Outcome, Refusal, Write};

use crate::fault::unreadable;
use crate::key::Keys;
use crate::remembered::Standing;
use crate::reply::{Reply, uuid};
use crate::row::{close_status, sibling};
use crate::{Store, lane, outbox, pack};

/// What the script says to a step of a run that is not as it is remembered.
const NOT_AS_REMEMBERED: &[u8] = b"-R";

/// Applies a batch.
pub(crate) async fn apply(store: &Arc<Store>, batch: Batch) -> Result<Vec<Outcome>, StoreError> {
    let moves = store.link.keys.partitions > 1
        && batch.iter().any(|write| matches!(write, Write::Commit(commit) if !commit.outgoing.is_empty()));
    if !moves {
        return apply_all(store, &batch).await;
    }
    // Whoever goes away in the middle leaves errands to be done; they are done at once, not when others look.
    let applying = tokio::spawn({
        let store = Arc::clone(store);
        async move { apply_all(&store, &batch).await }
    });
    applying.await.map_err(|error| unreadable("apply", error.to_string()))?
}

async fn apply_all(store: &Arc<Store>, batch: &[Write]) -> Result<Vec<Outcome>, StoreError> {
    let mut outcomes = Vec::with_capacity(batch.len());
    for part in independent(batch, &store.link.keys) {
        outcomes.extend(apply_part(store, &batch[part]).await?);
    }
    Ok(outcomes)
}

fn place(write: &Write) -> (&Namespace, &WorkflowId) {
    match write {
        Write::Start(start) => (&start.run.namespace, &start.run.workflow_id),
        Write::Send(send) => (&send.target.namespace, &send.target.workflow_id),
        Write::Terminate(terminate) => (&terminate.target.namespace, &terminate.target.workflow_id),
        Write::Commit(commit) => (&commit.run.namespace, &commit.run.workflow_id),
        Write::Remove(remove) => (&remove.run.namespace, &remove.run.workflow_id),
        Write::Activity(report) => (&report.run.namespace, &report.run.workflow_id),
    }
}

/// Parts of a batch, in order, so that no member of a part concerns what an errand of an earlier one in it does.
fn independent(batch: &[Write], keys: &Keys) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut begin, mut touched) = (0, HashSet::new());
    for (index, write) in batch.iter().enumerate() {
        if keys.partitions == 1 {
            break;
        }
        if touched.contains(&place(write)) {
            parts.push(begin..index);
            begin = index;
            touched.clear();
        }
        if let Write::Commit(commit) = write
            && !commit.outgoing.is_empty()
        {
            touched.insert(place(write));
            let targets = commit.outgoing.iter().map(|outgoing| &outgoing.errand);
            touched.extend(targets.map(|errand| (errand.namespace(), errand.workflow_id())));
        }
    }
    parts.push(begin..batch.len());
    parts
}

async fn apply_part(store: &Arc<Store>, part: &[Write]) -> Result<Vec<Outcome>, StoreError> {
    let mut places: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (index, write) in part.iter().enumerate() {
        let (namespace, workflow_id) = place(write);
        places.entry(store.link.keys.partition(namespace, workflow_id)).or_default().push(index);
    }
    let calls = places.into_iter().map(|(partition, indexes)| async move {
        let writes: Vec<&Write> = indexes.iter().map(|index| &part[*index]).collect();
        let replies = call(store, partition, &writes).await?;
        Ok(indexes.into_iter().zip(replies).collect::<Vec<_>>())
    });
    let mut replies: Vec<_> = try_join_all(calls).await?.into_iter().flatten().collect();
    replies.sort_by_key(|(index, _)| *index);
    let outcomes = replies.into_iter().map(|(index, reply)| finish(store, &part[index], reply));
    try_join_all(outcomes).await
}

/// Applies writes in one partition; answers each one's reply.
async fn call(store: &Arc<Store>, partition: u16, writes: &[&Write]) -> Result<Vec<Value>, StoreError> {
    let whole = |write: &Write| pack::write(write, &store.link.keys);
    let mut packed = Vec::with_capacity(writes.len());
    let mut steps = Vec::new();
    for (index, write) in writes.iter().enumerate() {
        let step = match write {
            Write::Commit(commit) => store.remembered.step(commit).map(|step| (commit, step)),
            _ => None,
        };
        match step {
            Some((commit, step)) => {
                packed.push(pack::step(&commit.run, &step));
                steps.push((index, &commit.run, step.after));
            }
            None => packed.push(whole(write)),
        }
    }
    let mut replies = lane::call(store, partition, packed).await?;
    let mut again = Vec::new();
    for (index, run, after) in steps {
        if replies[index].is_text(NOT_AS_REMEMBERED) {
            again.push(index);
        } else {
            let inbox = after.inbox;
            store.remembered.keep(run, after);
            replies[index] = Value::BulkString(format!("C{inbox}/0//").into_bytes());
        }
    }
    if !again.is_empty() {
        let packed = again.iter().map(|index| whole(writes[*index])).collect();
        for (index, reply) in again.into_iter().zip(lane::call(store, partition, packed).await?) {
            replies[index] = reply;
        }
    }
    Ok(replies)
}

/// Reads a member's reply; of a commit, does what it asks of others.
async fn finish(store: &Arc<Store>, write: &Write, reply: Value) -> Result<Outcome, StoreError> {
    let text = reply.text("apply")?;
    match write {
        Write::Commit(commit) if text.starts_with('C') && !text.starts_with("C-") => {
            committed(store, commit, &text[1..]).await.map(Ok)
        }
        _ => outcome(write, &text),
    }
}

async fn committed(store: &Arc<Store>, commit: &Commit, reply: &str) -> Result<Applied, StoreError> {
    let mut parts = reply.splitn(4, '/');
    let mut part = || parts.next().ok_or_else(|| unreadable("apply", format!("{reply:?} is no answer")));
    let (inbox, waits) = (part()?, part()? == "1");
    let (stands, held) = (part()?, part()?.to_owned());
    let mut inbox = Position(number(inbox)?);
    if let (false, Next::Open(open)) = (stands.is_empty(), &commit.next) {
        let last_at = Timestamp::from_micros(number(stands)?);
        let standing = Standing::of(commit, open, last_at, inbox);
        store.remembered.keep(&commit.run, standing);
    }
    let is_told = |run: &RunKey| {
        let hex = run.run_id.0.simple().to_string();
        (0..held.len() / 32).any(|index| held[index * 32..][..32] == hex)
    };
    // Of those that went through the outbox it is not known yet.
    let is_whole = store.link.keys.partitions == 1;
    let moved: Vec<RunKey> =
        outbox::starts(commit).filter(|run| !is_whole && !is_told(run)).cloned().collect();
    if waits {
        match outbox::empty(store, &commit.run).await {
            Ok(last) => inbox = last.max(inbox),
            // Whether its worker holds what it starts must be known before it is told.
            Err(error) if !moved.is_empty() => return Err(error),
            // It is committed, and others will move what waits.
            Err(error) => tracing::warn!(run = %commit.run, %error, "errands of a commit wait"),
        }
    }
    let held_now = outbox::held(store, commit.worker, &moved).await?;
    let started = outbox::starts(commit).filter(|run| is_told(run) || held_now.contains(&run.run_id));
    Ok(Applied::Committed { inbox, started: started.map(|run| run.run_id).collect() })
}

fn number<T: FromStr>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| unreadable("apply", format!("{text:?} is no number")))
}

/// Reads the reply to any other write: a letter, and what belongs to it.
fn outcome(write: &Write, reply: &str) -> Result<Outcome, StoreError> {
    let unknown = || unreadable("apply", format!("{reply:?} is no answer to a write"));
    let (namespace, workflow_id) = place(write);
    let this = |run_id| RunKey { namespace: namespace.clone(), workflow_id: workflow_id.clone(), run_id };
    let run = |hex: &str| Ok::<_, StoreError>(this(RunId(uuid(hex, "apply")?)));
    if reply == "-B" {
        return Err(unreadable("apply", format!("the row of a run of {workflow_id} is damaged")));
    }
    if let Some(refused) = reply.strip_prefix('-') {
        return refusal(refused, &this(RunId(uuid::Uuid::nil()))).map(Err);
    }
    let (kind, rest) = reply.split_at_checked(2).unwrap_or((reply, ""));
    Ok(Ok(match kind {
        "S0" | "S1" => Applied::Started { run: run(rest)?, owned: kind == "S1" },
        "E-" => Applied::Existing(run(rest)?),
        "M-" => Applied::Sent(run(rest)?),
        "T-" => Applied::Terminated(run(rest)?),
        "C-" => Applied::Committed { inbox: Position(0), started: Vec::new() },
        "R-" => Applied::Reported,
        "W0" | "W1" => Applied::Wanted { cancel_requested: kind == "W1" },
        "X" => Applied::Removed,
        _ => return Err(unknown()),
    }))
}

/// Reads a refusal; `of` is any run of the same workflow ID.
fn refusal(reply: &str, of: &RunKey) -> Result<Refusal, StoreError> {
    let unknown = || unreadable("apply", format!("{reply:?} is no refusal"));
    let (kind, rest) = reply.split_at_checked(1).ok_or_else(unknown)?;
    let parts = || rest.split_at_checked(32).ok_or_else(unknown);
    Ok(match kind {
        "N" => Refusal::RunNotFound,
        "C" => Refusal::RunClosed(sibling(of, rest, "apply")?),
        "O" => Refusal::RunOpen(sibling(of, rest, "apply")?),
        "A" => {
            let (run, head) = parts()?;
            Refusal::RunAdvanced { run: sibling(of, run, "apply")?, head: EventId(number(head)?) }
        }
        "I" => {
            let (run, status) = parts()?;
            Refusal::IdTaken(ExistingId { run: sibling(of, run, "apply")?, closed: close_status(status) })
        }
        "L" => Refusal::LeaseLost,
        "D" => Refusal::InboxAdvanced(Position(number(rest)?)),
        "T" => Refusal::TaskLost,
        "V" => Refusal::Invalid(rest.to_owned()),
        _ => return Err(unknown()),
    })
}
