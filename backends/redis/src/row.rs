//! Runs and queued activities as hashes hold them.
//!
//! A field that cannot be read stops nobody but whoever asks for its run (promise H10): the run is described without it,
//! and its failure says so.

use std::collections::HashMap;
use std::str::FromStr;

use bytes::Bytes;
use redis::Value;
use retell::backend::{InboxMessage, QueuedActivity, RunInfo, RunStatus, StoreError};
use retell::vocabulary::{
    ActivityName, EventId, Namespace, Position, RequestId, RunId, RunKey, TaskQueue, Timestamp, WorkerId,
    WorkflowName, WorkflowType, WorkflowVersion,
};
use retell::write::{CloseStatus, TaskFailure, TaskFailureKind};
use serde::de::DeserializeOwned;

use crate::fault::unreadable;
use crate::key::read_tail;
use crate::pack::Queue;
use crate::reply::{Reply, text_id, uuid};
use crate::state;

/// How many bytes of an element of an inbox come before its time.
const ELEMENT_HEAD: usize = 33;

const STATUSES: [(CloseStatus, &str); 6] = [
    (CloseStatus::Completed, "1"),
    (CloseStatus::Failed, "2"),
    (CloseStatus::Cancelled, "3"),
    (CloseStatus::Terminated, "4"),
    (CloseStatus::TimedOut, "5"),
    (CloseStatus::ContinuedAsNew, "6"),
];

/// How an open run's status is written.
pub(crate) const OPEN: &str = "0";

/// How a status is written, if this schema knows it.
pub(crate) fn status_code(status: CloseStatus) -> Option<&'static str> {
    STATUSES.iter().find(|(known, _)| *known == status).map(|(_, code)| *code)
}

/// Every status that a closed run can have.
pub(crate) fn closed_codes() -> impl Iterator<Item = &'static str> {
    STATUSES.iter().map(|(_, code)| *code)
}

pub(crate) fn close_status(code: &str) -> Option<CloseStatus> {
    STATUSES.iter().find(|(_, known)| *known == code).map(|(status, _)| *status)
}

/// Reads a blob of this crate.
pub(crate) fn unpacked<T: DeserializeOwned>(bytes: &[u8], operation: &str) -> Result<T, StoreError> {
    rmp_serde::from_slice(bytes).map_err(|error| unreadable(operation, error.to_string()))
}

/// A hash, and the first damage that was met in it.
struct Row {
    fields: HashMap<Vec<u8>, Bytes>,
    operation: &'static str,
    damage: Option<StoreError>,
}

impl Row {
    fn new(hash: Value, operation: &'static str) -> Result<Self, StoreError> {
        let mut list = hash.list(operation)?.into_iter();
        let mut fields = HashMap::new();
        while let (Some(field), Some(value)) = (list.next(), list.next()) {
            fields.insert(field.bytes(operation)?.into(), value.bytes(operation)?);
        }
        let mut row = Self { fields, operation, damage: None };
        let state = row.text(state::FIELD);
        let state = row.or_none(state).flatten().unwrap_or_default();
        let parts = state::parts(&state).map(|(part, value)| (part.into(), value.to_owned().into()));
        row.fields.extend(parts);
        Ok(row)
    }

    fn bytes(&self, field: &str) -> Option<Bytes> {
        self.fields.get(field.as_bytes()).cloned()
    }

    fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field.as_bytes())
    }

    fn or_none<T>(&mut self, read: Result<T, StoreError>) -> Option<T> {
        read.map_err(|error| self.damage.get_or_insert(error).clone()).ok()
    }

    fn text(&self, field: &str) -> Result<Option<String>, StoreError> {
        let text = self.bytes(field).map(|bytes| String::from_utf8(bytes.into()));
        text.transpose().map_err(|_| unreadable(self.operation, format!("{field} is no UTF-8")))
    }

    fn parsed<T: FromStr>(&mut self, field: &str) -> Option<T> {
        let text = self.text(field);
        let text = self.or_none(text).flatten()?;
        let value = text.parse().map_err(|_| unreadable(self.operation, format!("{field} is {text:?}")));
        self.or_none(value)
    }

    fn time(&mut self, field: &str) -> Option<Timestamp> {
        self.parsed(field).map(Timestamp::from_micros)
    }

    fn uuid(&mut self, field: &str) -> Option<uuid::Uuid> {
        let text = self.text(field);
        let text = self.or_none(text).flatten()?;
        let id = uuid(&text, self.operation);
        self.or_none(id)
    }

    fn unpacked<T: DeserializeOwned>(&mut self, field: &str) -> Option<T> {
        let bytes = self.bytes(field)?;
        let value = unpacked(&bytes, self.operation);
        self.or_none(value)
    }
}

/// Reads a run as scripts answer it: its tail, its row, and how many messages wait.
pub(crate) fn run_info(namespace: &Namespace, found: Value) -> Result<RunInfo, StoreError> {
    const OPERATION: &str = "describe a run";
    let [tail, hash, inbox] = found.fields(OPERATION)?;
    let run = read_tail(namespace, &tail.text(OPERATION)?, OPERATION)?;
    let mut row = Row::new(hash, OPERATION)?;
    let queue = row.unpacked("info").or_else(|| without_info(&mut row));
    let queue = queue.ok_or_else(|| unreadable(OPERATION, "the row names no workflow"))?;
    let status = row.text("status")?.unwrap_or_default();
    let closed = close_status(&status);
    let mut info = RunInfo {
        run,
        workflow: queue.workflow,
        task_queue: queue.task_queue,
        priority: queue.priority,
        fairness_key: queue.fairness_key,
        attributes: row.unpacked("attributes").unwrap_or_default(),
        memo: row.unpacked("memo").unwrap_or_default(),
        status: closed.map_or(RunStatus::Running, RunStatus::Closed),
        started_at: row.time("started").unwrap_or_default(),
        closed_at: row.time("closed"),
        head: EventId(row.parsed("head").unwrap_or_default()),
        inbox: inbox.parsed(OPERATION)?,
        wake_at: row.time("wake"),
        owner: row.uuid("owner").map(WorkerId),
        failure: row.unpacked("failure"),
        outcome: row.bytes("outcome"),
        continued_as: row.uuid("continued").map(RunId),
        published: row.unpacked("published"),
        paused: row.has("paused"),
    };
    if closed.is_none() && status != OPEN {
        row.damage.get_or_insert(unreadable(OPERATION, format!("status is {status:?}")));
    }
    if let Some(damage) = row.damage {
        info.failure = Some(damaged(&damage, info.started_at));
    }
    Ok(info)
}

/// What is known of a run whose `info` cannot be read.
fn without_info(row: &mut Row) -> Option<Queue> {
    let workflow = read_kind(&row.text("kind").ok()??).ok()?;
    let queue = row.text("queue").ok()??;
    let task_queue = TaskQueue::new(queue.split_once('/')?.1).ok()?;
    Some(Queue { workflow, task_queue, priority: 0, fairness_key: None })
}

/// Reads what a run is served by: "<version>/<semantics>/<name>".
pub(crate) fn read_kind(kind: &str) -> Result<WorkflowType, StoreError> {
    let parts = || {
        let mut parts = kind.splitn(3, '/');
        let version = WorkflowVersion(parts.next()?.parse().ok()?);
        let name = WorkflowName::new(parts.nth(1)?).ok()?;
        Some(WorkflowType { name, version })
    };
    parts().ok_or_else(|| unreadable("read a run", format!("{kind:?} names no workflow")))
}

fn damaged(damage: &StoreError, at: Timestamp) -> TaskFailure {
    let message = format!("the row of this run is damaged: {}", damage.kind);
    TaskFailure { kind: TaskFailureKind::History, message, count: 1, at }
}

/// Reads a queued activity: its event and its row.
pub(crate) fn queued(found: Value) -> Result<QueuedActivity, StoreError> {
    const OPERATION: &str = "read queued activities";
    let [scheduled, hash] = found.fields(OPERATION)?;
    let mut row = Row::new(hash, OPERATION)?;
    let activity = row.text("activity")?.unwrap_or_default();
    let activity = QueuedActivity {
        scheduled: EventId(scheduled.parsed(OPERATION)?),
        activity: text_id(ActivityName::new(activity), OPERATION)?,
        attempt: retell::vocabulary::Attempt(row.parsed("attempt").unwrap_or_default()),
        visible_at: row.time("visible").unwrap_or_default(),
        worker: row.uuid("worker").map(WorkerId),
        last_failure: row.unpacked("failure"),
        details: row.unpacked("details"),
        cancel_requested: row.has("cancel"),
        deferred: row.has("deferred"),
    };
    row.damage.map_or(Ok(activity), Err)
}

/// Reads elements of an inbox, of which the first has this position.
pub(crate) fn messages(first: Position, elements: Value) -> Result<Vec<InboxMessage>, StoreError> {
    let mut position = first;
    let mut messages = Vec::new();
    for element in elements.list("read an inbox")? {
        messages.push(message(position, &element.bytes("read an inbox")?)?);
        position = position.next();
    }
    Ok(messages)
}

fn message(position: Position, element: &Bytes) -> Result<InboxMessage, StoreError> {
    let parts = || {
        let request = std::str::from_utf8(element.get(1..ELEMENT_HEAD)?).ok()?;
        let rest = element.get(ELEMENT_HEAD..)?;
        let ends = ELEMENT_HEAD + rest.iter().position(|byte| *byte == b'/')?;
        let at = std::str::from_utf8(&element[ELEMENT_HEAD..ends]).ok()?;
        Some(InboxMessage {
            position,
            request_id: RequestId(uuid::Uuid::try_parse(request).ok()?),
            at: Timestamp::from_micros(at.parse().ok()?),
            body: element.slice(ends + 1..),
        })
    };
    parts().ok_or_else(|| unreadable("read an inbox", "an element of an inbox has no head"))
}

/// A run of the same workflow ID.
pub(crate) fn sibling(run: &RunKey, hex: &str, operation: &str) -> Result<RunKey, StoreError> {
    Ok(RunKey { run_id: RunId(uuid(hex, operation)?), ..run.clone() })
}
