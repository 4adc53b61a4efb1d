//! Reads: one question to each partition that it concerns, side by side.

use std::collections::BTreeMap;

use bytes::Bytes;
use redis::Value;
use retell::backend::{AnswerKey, Answered, QueuedActivity, RunInfo, StoreError, StoreStats};
use retell::history::Record;
use retell::vocabulary::{EventId, Namespace, RunId, RunKey, Timestamp, WorkflowId};
use retell::write::Target;
use serde::Serialize;

use crate::fault::unreadable;
use crate::key::{hex, of_namespace, read_tail, tail};
use crate::link::Link;
use crate::pack::{Place, packed};
use crate::reply::{Reply, uuid};
use crate::row::{queued as read_queued, run_info};
use crate::script::READ;

/// The greatest event ID that scripts count to; none comes near.
const EVENT_MAX: u64 = 1 << 52;

/// Asks the partition of each key about it; answers in the order of the keys.
async fn ask_each<'a, T, Q: Serialize>(
    link: &Link,
    operation: &'static str,
    keys: &'a [T],
    place: impl Fn(&'a T) -> (&'a Namespace, &'a WorkflowId),
    question: impl Fn(Vec<&'a T>) -> Q,
) -> Result<Vec<Value>, StoreError> {
    let mut places: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (index, key) in keys.iter().enumerate() {
        let (namespace, workflow_id) = place(key);
        places.entry(link.keys.partition(namespace, workflow_id)).or_default().push(index);
    }
    let calls = places.into_iter().map(|(partition, indexes)| {
        let asked = packed(&question(indexes.iter().map(|index| &keys[*index]).collect()));
        async move {
            let found = link.call(operation, partition, READ, &[asked]).await?.list(operation)?;
            if found.len() != indexes.len() {
                return Err(unreadable(operation, "not all that was asked for was answered"));
            }
            Ok(indexes.into_iter().zip(found).collect::<Vec<_>>())
        }
    });
    let mut answers = vec![Value::Nil; keys.len()];
    for (index, answer) in futures::future::try_join_all(calls).await?.into_iter().flatten() {
        answers[index] = answer;
    }
    Ok(answers)
}

pub(crate) async fn describe(link: &Link, targets: &[Target]) -> Result<Vec<Option<RunInfo>>, StoreError> {
    #[derive(Serialize)]
    struct Asked<'a> {
        what: &'static str,
        targets: Vec<Place<'a>>,
    }
    let found = ask_each(
        link,
        "describe",
        targets,
        |target| (&target.namespace, &target.workflow_id),
        |targets| Asked { what: "describe", targets: targets.into_iter().map(place_of).collect() },
    )
    .await?;
    let mut infos = Vec::with_capacity(found.len());
    for (target, row) in targets.iter().zip(found) {
        let is_there = matches!(&row, Value::Array(row) if !row.is_empty());
        infos.push(is_there.then(|| run_info(&target.namespace, row)).transpose()?);
    }
    Ok(infos)
}

fn place_of(target: &Target) -> Place<'_> {
    Place {
        ns: of_namespace(&target.namespace),
        id: target.workflow_id.as_str(),
        run: target.run_id.map(|run| hex(run.0)),
    }
}

/// A question about one run.
#[derive(Serialize)]
struct OfRun {
    what: &'static str,
    ns: String,
    tail: String,
    after: u64,
    bytes_max: usize,
}

async fn ask_run(link: &Link, run: &RunKey, question: OfRun) -> Result<Vec<Value>, StoreError> {
    let partition = link.keys.partition(&run.namespace, &run.workflow_id);
    link.call(question.what, partition, READ, &[packed(&question)]).await?.list(question.what)
}

pub(crate) async fn history(
    link: &Link,
    run: &RunKey,
    after: EventId,
    bytes_max: usize,
) -> Result<Vec<Record>, StoreError> {
    let question = OfRun {
        what: "history",
        ns: of_namespace(&run.namespace),
        tail: tail(run),
        after: after.0.min(EVENT_MAX),
        bytes_max,
    };
    ask_run(link, run, question).await?.into_iter().map(record).collect()
}

/// Reads a record: its token, first event, number of events and time, then its bytes.
fn record(found: Value) -> Result<Record, StoreError> {
    let found = found.bytes("history")?;
    let parts = || {
        let mut begins = 0;
        let mut part = || {
            let ends = begins + found.get(begins..)?.iter().position(|byte| *byte == b'/')?;
            let part = std::str::from_utf8(&found[begins..ends]).ok()?;
            begins = ends + 1;
            Some(part)
        };
        let (_token, first, count, at) = (part()?, part()?, part()?, part()?);
        Some(Record {
            first: EventId(first.parse().ok()?),
            count: count.parse().ok()?,
            at: Timestamp::from_micros(at.parse().ok()?),
            bytes: found.slice(begins..),
        })
    };
    parts().ok_or_else(|| unreadable("history", "a record has no head"))
}

pub(crate) async fn queued(link: &Link, run: &RunKey) -> Result<Vec<QueuedActivity>, StoreError> {
    let question =
        OfRun { what: "queued", ns: of_namespace(&run.namespace), tail: tail(run), after: 0, bytes_max: 0 };
    let found = ask_run(link, run, question).await?;
    let mut queued = found.into_iter().map(read_queued).collect::<Result<Vec<_>, _>>()?;
    queued.sort_by_key(|activity| activity.scheduled);
    Ok(queued)
}

pub(crate) async fn answers(link: &Link, asked: &[AnswerKey]) -> Result<Vec<Option<Answered>>, StoreError> {
    #[derive(Serialize)]
    struct Key<'a> {
        ns: String,
        id: &'a str,
        request: String,
    }
    #[derive(Serialize)]
    struct Asked<'a> {
        what: &'static str,
        keys: Vec<Key<'a>>,
    }
    let found = ask_each(
        link,
        "answers",
        asked,
        |key| (&key.namespace, &key.workflow_id),
        |keys| {
            let keys = keys.into_iter().map(|key| Key {
                ns: of_namespace(&key.namespace),
                id: key.workflow_id.as_str(),
                request: hex(key.request_id.0),
            });
            Asked { what: "answers", keys: keys.collect() }
        },
    )
    .await?;
    asked.iter().zip(found).map(|(key, found)| found.optional(|found| answered(key, found))).collect()
}

/// Reads an answer: "<age>/<run>" and the body.
fn answered(key: &AnswerKey, found: Value) -> Result<Answered, StoreError> {
    let bytes = found.bytes("answers")?;
    let parts = || {
        let begins = bytes.iter().position(|byte| *byte == b'/')? + 1;
        let run = std::str::from_utf8(bytes.get(begins..begins + 32)?).ok()?.to_owned();
        Some((run, bytes.slice(begins + 32..)))
    };
    let (run, body): (String, Bytes) =
        parts().ok_or_else(|| unreadable("answers", "an answer names no run"))?;
    let run = RunKey {
        namespace: key.namespace.clone(),
        workflow_id: key.workflow_id.clone(),
        run_id: RunId(uuid(&run, "answers")?),
    };
    Ok(Answered { run, body })
}

pub(crate) async fn stats(link: &Link, namespace: &Namespace) -> Result<StoreStats, StoreError> {
    #[derive(Serialize)]
    struct Asked {
        what: &'static str,
        ns: String,
    }
    let asked = packed(&Asked { what: "stats", ns: of_namespace(namespace) });
    let mut stats = StoreStats::default();
    for reply in link.call_all("stats", READ, asked).await? {
        let [open, parked, closed, queued, messages] = reply.fields("stats")?;
        stats.open += open.parsed::<u64>("stats")?;
        stats.parked += parked.parsed::<u64>("stats")?;
        stats.closed += closed.parsed::<u64>("stats")?;
        stats.queued += queued.parsed::<u64>("stats")?;
        stats.messages += messages.parsed::<u64>("stats")?;
    }
    Ok(stats)
}

pub(crate) async fn closed_before(
    link: &Link,
    namespace: &Namespace,
    before: Timestamp,
    max: usize,
) -> Result<Vec<RunKey>, StoreError> {
    #[derive(Serialize)]
    struct Asked {
        what: &'static str,
        ns: String,
        before: String,
        max: usize,
    }
    let operation = "closed before";
    let before = before.as_micros().to_string();
    let asked = packed(&Asked { what: "closed_before", ns: of_namespace(namespace), before, max });
    let mut found: Vec<(i64, RunKey)> = Vec::new();
    for reply in link.call_all(operation, READ, asked).await? {
        for run in reply.list(operation)? {
            let [closed_at, tail] = run.fields(operation)?;
            match read_tail(namespace, &tail.text(operation)?, operation) {
                Ok(run) => found.push((closed_at.parsed(operation)?, run)),
                Err(error) => tracing::error!(%error, "a run's key is damaged"),
            }
        }
    }
    found.sort_by_key(|(closed_at, _)| *closed_at);
    Ok(found.into_iter().take(max).map(|(_, run)| run).collect())
}
