//! Starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use retell::vocabulary::{TaskQueue, WorkflowType};
use retell::write::{ClosingEvent, IdConflictPolicy, IdReusePolicy, NewRecord, Start};
use serde::{Deserialize, Serialize};

use super::{Message, Place, blob, message, queue, request};
use crate::attribute::{self, Entry};
use crate::key::hex;

/// What of a run never changes and no script reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Queue {
    pub(crate) workflow: WorkflowType,
    pub(crate) task_queue: TaskQueue,
    pub(crate) priority: i32,
    pub(crate) fairness_key: Option<Arc<str>>,
}

#[derive(Serialize)]
pub(super) struct Packed<'a> {
    #[serde(flatten)]
    run: Place<'a>,
    request: String,
    name: &'a str,
    queue: String,
    kind: String,
    info: Bytes,
    attributes: Option<Bytes>,
    index: Vec<Entry>,
    memo: Option<Bytes>,
    records: Vec<Record>,
    conflict: &'static str,
    closing: Option<Closing>,
    replaced: Option<Replaced>,
    reuse: &'static str,
    owner: Option<String>,
    inbox: Vec<Message>,
    wake: String,
    dependents: bool,
}

#[derive(Serialize)]
pub(super) struct Record {
    count: String,
    at: String,
    bytes: Bytes,
}

#[derive(Serialize)]
pub(super) struct Closing {
    record: Bytes,
    outcome: Bytes,
}

#[derive(Serialize)]
struct Replaced {
    run: String,
    head: String,
    at: String,
}

pub(super) fn record(record: &NewRecord) -> Record {
    Record {
        count: record.count.to_string(),
        at: record.at.as_micros().to_string(),
        bytes: record.bytes.clone(),
    }
}

pub(super) fn closing(closing: &ClosingEvent) -> Closing {
    Closing { record: closing.record.clone(), outcome: closing.outcome.clone() }
}

/// A map as it stands in a row, or nothing where it is empty.
pub(super) fn map<V: Serialize>(map: &BTreeMap<Arc<str>, V>) -> Option<Bytes> {
    if map.is_empty() { None } else { Some(blob(map)) }
}

pub(super) fn start(start: &Start) -> Packed<'_> {
    let info = Queue {
        workflow: start.workflow.clone(),
        task_queue: start.task_queue.clone(),
        priority: start.priority,
        fairness_key: start.fairness_key.clone(),
    };
    let (conflict, closes, replaced) = match &start.conflict {
        IdConflictPolicy::Reject => ("reject", None, None),
        IdConflictPolicy::UseExisting => ("use", None, None),
        IdConflictPolicy::SendToExisting => ("send", None, None),
        IdConflictPolicy::TerminateExisting(event) => ("terminate", Some(event), None),
        IdConflictPolicy::ReplaceExisting(replacement) => {
            let replaced = Replaced {
                run: hex(replacement.run.0),
                head: replacement.head.to_string(),
                at: replacement.at.as_micros().to_string(),
            };
            ("replace", Some(&replacement.closing), Some(replaced))
        }
    };
    let WorkflowType { name, version } = &start.workflow;
    Packed {
        run: Place::of(&start.run),
        request: request(start.request_id),
        name: name.as_str(),
        queue: queue(&start.task_queue),
        kind: format!("{}/{}/{name}", version.0, start.semantics.0),
        info: blob(&info),
        attributes: map(&start.attributes),
        index: attribute::entries(&start.attributes),
        memo: map(&start.memo),
        records: std::iter::once(&start.record).chain(&start.copied).map(record).collect(),
        conflict,
        closing: closes.map(closing),
        replaced,
        reuse: match start.reuse {
            IdReusePolicy::Allow => "allow",
            IdReusePolicy::AllowUnlessCompleted => "unless-completed",
            IdReusePolicy::Reject => "reject",
        },
        owner: start.owner.map(|owner| hex(owner.0)),
        inbox: start.inbox.iter().map(message).collect(),
        wake: start.wake_at.as_micros().to_string(),
        dependents: start.dependents,
    }
}
