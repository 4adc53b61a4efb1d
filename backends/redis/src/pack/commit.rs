//! Commits of workflow tasks.

use bytes::Bytes;
use retell::vocabulary::Timestamp;
use retell::write::{Commit, Errand, Hold, NewActivityTask, Next, Outgoing, Start};
use serde::Serialize;

use super::start::{Packed as PackedStart, Record, map, record, start};
use super::{Message, Place, blob, message, queue, request};
use crate::attribute::{self, Entry};
use crate::key::{Keys, hex};
use crate::row::status_code;

#[derive(Serialize)]
pub(super) struct Packed<'a> {
    #[serde(flatten)]
    run: Place<'a>,
    worker: String,
    token: String,
    head: String,
    request: Option<String>,
    record: Option<Record>,
    taken: String,
    schedule: Vec<Task<'a>>,
    ended: Vec<(String, String)>,
    cancelled: Vec<String>,
    asked: Vec<String>,
    outgoing: Vec<Asked<'a>>,
    answers: Vec<Message>,
    published: Option<Bytes>,
    /// Whether `attributes` and `index` take the place of what there was.
    shows: bool,
    attributes: Option<Bytes>,
    index: Vec<Entry>,
    /// Whether `memo` takes the place of what there was.
    remembers: bool,
    memo: Option<Bytes>,
    #[serde(flatten)]
    next: Todo<'a>,
}

/// What becomes of the run; what does not apply is left out.
#[derive(Default, Serialize)]
struct Todo<'a> {
    next: &'static str,
    wake: Option<String>,
    rowless: bool,
    dependents: bool,
    paused: bool,
    release: bool,
    failure: Option<Bytes>,
    status: Option<&'static str>,
    outcome: Option<Bytes>,
    successor: Option<PackedStart<'a>>,
}

#[derive(Serialize)]
struct Task<'a> {
    scheduled: String,
    queue: String,
    activity: &'a str,
    priority: String,
    call: Bytes,
    attempt: String,
    visible: String,
    close_by: Option<String>,
    failure: Option<Bytes>,
    details: Option<Bytes>,
    running: bool,
}

#[derive(Serialize)]
struct Asked<'a> {
    partition: u16,
    /// The write, packed: it goes to its partition as it is.
    errand: Bytes,
    /// The run that it opens.
    starts: Option<Place<'a>>,
    if_done: Option<Message>,
    if_refused: Option<Message>,
}

fn micros(at: Timestamp) -> String {
    at.as_micros().to_string()
}

fn task(task: &NewActivityTask) -> Task<'_> {
    Task {
        scheduled: task.scheduled.to_string(),
        queue: queue(&task.task_queue),
        activity: task.activity.as_str(),
        priority: task.priority.to_string(),
        call: task.call.clone(),
        attempt: task.attempt.to_string(),
        visible: micros(task.visible_at),
        close_by: task.close_by.map(micros),
        failure: task.last_failure.as_ref().map(blob),
        details: task.details.as_ref().map(blob),
        running: task.running,
    }
}

fn asked<'a>(outgoing: &'a Outgoing, keys: &Keys) -> Asked<'a> {
    let (errand, starts) = match &outgoing.errand {
        Errand::Send(send) => (super::write::send(send), None),
        Errand::Start(start) => (super::write::start(start), Some(Place::of(&start.run))),
        Errand::Terminate(terminate) => (super::write::terminate(terminate), None),
    };
    Asked {
        partition: keys.partition(outgoing.errand.namespace(), outgoing.errand.workflow_id()),
        errand,
        starts,
        if_done: outgoing.if_done.as_ref().map(message),
        if_refused: outgoing.if_refused.as_ref().map(message),
    }
}

fn todo(next: &Next) -> Todo<'_> {
    match next {
        Next::Open(open) => Todo {
            next: "open",
            wake: open.wake_at.map(micros),
            rowless: open.rowless,
            dependents: open.dependents,
            paused: open.paused,
            release: open.hold == Hold::Release,
            failure: open.failure.as_ref().map(blob),
            ..Todo::default()
        },
        Next::Closed { status, outcome } => Todo {
            next: "closed",
            status: status_code(*status),
            outcome: Some(outcome.clone()),
            ..Todo::default()
        },
        Next::Continued { status, successor, outcome } => Todo {
            next: "continued",
            status: status_code(*status),
            outcome: Some(outcome.clone()),
            successor: Some(start(successor as &Start)),
            ..Todo::default()
        },
        Next::Settled => Todo { next: "settled", ..Todo::default() },
    }
}

pub(super) fn commit<'a>(commit: &'a Commit, keys: &Keys) -> Packed<'a> {
    let shown = &commit.shown;
    let events = |events: &[retell::vocabulary::EventId]| events.iter().map(ToString::to_string).collect();
    Packed {
        run: Place::of(&commit.run),
        worker: hex(commit.worker.0),
        token: commit.token.to_string(),
        head: commit.expected_head.to_string(),
        request: commit.request_id.map(request),
        record: commit.record.as_ref().map(record),
        taken: commit.taken_in.to_string(),
        schedule: commit.schedule.iter().map(task).collect(),
        ended: commit.ended.iter().map(|(event, attempt)| (event.to_string(), attempt.to_string())).collect(),
        cancelled: events(&commit.cancelled),
        asked: events(&commit.cancel_requested),
        outgoing: commit.outgoing.iter().map(|outgoing| asked(outgoing, keys)).collect(),
        answers: commit
            .answers
            .iter()
            .map(|answer| Message { request: request(answer.request_id), body: answer.body.clone() })
            .collect(),
        published: shown.published.as_ref().map(blob),
        shows: shown.attributes.is_some(),
        attributes: shown.attributes.as_ref().and_then(map),
        index: shown.attributes.as_ref().map(attribute::entries).unwrap_or_default(),
        remembers: shown.memo.is_some(),
        memo: shown.memo.as_ref().and_then(map),
        next: todo(&commit.next),
    }
}
