//! Commit: turns what a workflow task gathered into the one value that a store applies.
//!
//! Pure: events and decisions in, one [`Commit`] out. Stands on the road between `replay`, which makes the events, and
//! `backend`, which stores them; the worker decides where activities run, and this module says so to the store.

mod errands;
mod reset;
mod successor;

pub use errands::{BegunChild, Errands, Owner, errands, farewell};
pub use reset::{Reset, ResetFault, reset, reset_points};
pub use successor::successor;

use std::sync::Arc;

use crate::history::{
    Event, EventKind, HistoryError, PayloadCodec, WorkflowStarted, WorkflowTerminated, encode_kind,
    encode_record,
};
use crate::vocabulary::{
    Attempt, Attributes, EventId, FencingToken, Memo, Payload, Position, RequestId, RunKey, Timestamp,
    WorkerId,
};
use crate::write::{
    Answer, CloseStatus, ClosingEvent, Commit, IdConflictPolicy, IdReusePolicy, NewActivityTask, NewMessage,
    NewRecord, Next, OpenRun, Outgoing, Shown, Start,
};

/// Who commits: the run, its holder and the holder's token.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The run.
    pub run: RunKey,
    /// The worker that holds it.
    pub worker: WorkerId,
    /// The worker's token.
    pub token: FencingToken,
}

/// What a workflow task gathered.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The events in order.
    pub events: Vec<Event>,
    /// The last inbox position that they take in.
    pub taken_in: Position,
    /// Activities that go to the queue.
    pub schedule: Vec<NewActivityTask>,
    /// Queued activities whose outcome is among the events.
    pub ended: Vec<(EventId, Attempt)>,
    /// Queued activities that the events cancel.
    pub cancelled: Vec<EventId>,
    /// What the code shows of the run from now on.
    pub published: Option<Payload>,
    /// What the run can be found by from now on, if that has changed.
    pub attributes: Option<Attributes>,
    /// Its memo from now on, if that has changed.
    pub memo: Option<Memo>,
    /// Activities that the events ask to stop.
    pub cancel_requested: Vec<EventId>,
    /// What is asked of other runs.
    pub outgoing: Vec<Outgoing>,
}

/// What a run that goes on as another leaves to its successor.
#[derive(Debug, Clone)]
pub struct Legacy {
    /// How the run itself was started, with what it shows now.
    pub started: Arc<WorkflowStarted>,
    /// What its code has not read, in order.
    pub unread: Vec<EventKind>,
    /// Who holds the successor from the start.
    pub owner: Option<WorkerId>,
}

/// Builds the commit of a run that stays open.
///
/// # Errors
/// [`HistoryError`] if an event does not encode.
pub fn open(
    holder: &Holder,
    head: EventId,
    progress: Progress,
    open: OpenRun,
    codec: &dyn PayloadCodec,
) -> Result<Commit, HistoryError> {
    build(holder, head, progress, Next::Open(open), codec)
}

/// Builds the commit of a run whose last event closes it.
///
/// # Errors
/// [`HistoryError`] if an event does not encode, or if the last event does not close a run.
pub fn close(
    holder: &Holder,
    head: EventId,
    progress: Progress,
    legacy: Legacy,
    codec: &dyn PayloadCodec,
) -> Result<Commit, HistoryError> {
    let closing = progress.events.last().map(|event| (event.at, event.kind.clone()));
    let Some((at, kind)) = closing.filter(|(_, kind)| kind.closes()) else {
        return Err(HistoryError::Damaged(
            "the last event of a closing task does not close its run".to_owned(),
        ));
    };
    let outcome = encode_kind(kind.clone(), codec)?;
    let status = close_status(&kind);
    let next = match successor(&holder.run, &kind, at, &legacy.started) {
        Some((run, started)) => {
            let successor = Box::new(start_successor(run, &Arc::new(started), at, legacy, codec)?);
            Next::Continued { status, successor, outcome }
        }
        None => Next::Closed { status, outcome },
    };
    build(holder, head, progress, next, codec)
}

/// Builds the commit that settles a run which was ended from outside.
#[must_use]
pub fn settled(
    holder: &Holder,
    head: EventId,
    taken_in: Position,
    request_id: RequestId,
    outgoing: Vec<Outgoing>,
) -> Commit {
    Commit {
        run: holder.run.clone(),
        worker: holder.worker,
        token: holder.token,
        expected_head: head,
        request_id: Some(request_id),
        record: None,
        taken_in,
        schedule: Vec::new(),
        ended: Vec::new(),
        cancelled: Vec::new(),
        cancel_requested: Vec::new(),
        outgoing,
        answers: Vec::new(),
        shown: Shown::default(),
        next: Next::Settled,
    }
}

/// What a run's random numbers start from: the random part of its ID.
#[must_use]
pub fn seed_of(run_id: uuid::Uuid) -> u64 {
    run_id.as_u64_pair().1
}

/// How a closing event closes its run.
fn close_status(kind: &EventKind) -> CloseStatus {
    match kind {
        EventKind::WorkflowCompleted(_) => CloseStatus::Completed,
        EventKind::WorkflowCancelled(_) => CloseStatus::Cancelled,
        EventKind::WorkflowTerminated(_) => CloseStatus::Terminated,
        EventKind::WorkflowTimedOut(_) => CloseStatus::TimedOut,
        EventKind::WorkflowContinuedAsNew(_) => CloseStatus::ContinuedAsNew,
        _ => CloseStatus::Failed,
    }
}

fn build(
    holder: &Holder,
    expected_head: EventId,
    progress: Progress,
    next: Next,
    codec: &dyn PayloadCodec,
) -> Result<Commit, HistoryError> {
    let record = match progress.events.last() {
        None => None,
        Some(last) => Some(NewRecord {
            count: u32::try_from(progress.events.len()).unwrap_or(u32::MAX),
            at: last.at,
            bytes: encode_record(&progress.events, codec)?,
        }),
    };
    Ok(Commit {
        run: holder.run.clone(),
        worker: holder.worker,
        token: holder.token,
        expected_head,
        request_id: None,
        record,
        taken_in: progress.taken_in,
        schedule: progress.schedule,
        ended: progress.ended,
        cancelled: progress.cancelled,
        cancel_requested: progress.cancel_requested,
        outgoing: progress.outgoing,
        answers: answers(&progress.events, codec)?,
        shown: Shown {
            published: progress.published.map(|status| codec.encode(status)).transpose()?,
            attributes: progress.attributes,
            memo: progress.memo.map(|memo| encode_memo(memo, codec)).transpose()?,
        },
        next,
    })
}

/// A memo as it passes the codec.
fn encode_memo(memo: Memo, codec: &dyn PayloadCodec) -> Result<Memo, HistoryError> {
    memo.into_iter().map(|(name, value)| Ok((name, codec.encode(value)?))).collect()
}

/// What the events answer requests with: the last answer to each.
fn answers(events: &[Event], codec: &dyn PayloadCodec) -> Result<Vec<Answer>, HistoryError> {
    let mut answers: Vec<Answer> = Vec::new();
    for event in events {
        if let Some(request_id) = event.kind.answers() {
            answers.retain(|answer| answer.request_id != request_id);
            answers.push(Answer { request_id, body: encode_kind(event.kind.clone(), codec)? });
        }
    }
    Ok(answers)
}

fn start_successor(
    run: RunKey,
    started: &Arc<WorkflowStarted>,
    at: Timestamp,
    legacy: Legacy,
    codec: &dyn PayloadCodec,
) -> Result<Start, HistoryError> {
    let inbox = messages(legacy.unread, codec)?;
    let request_id = RequestId(run.run_id.0);
    let mut start = start(run, request_id, started, at, codec)?;
    start.owner = legacy.owner;
    start.inbox = inbox;
    Ok(start)
}

/// What a run finds in its inbox from the start, in order, with the identities that it came by.
fn messages(unread: Vec<EventKind>, codec: &dyn PayloadCodec) -> Result<Vec<NewMessage>, HistoryError> {
    let unread = unread.into_iter().filter_map(|kind| Some((kind.request_id()?, kind)));
    unread.map(|(request_id, kind)| Ok(NewMessage { request_id, body: encode_kind(kind, codec)? })).collect()
}

/// The start of a run from its first event; policies, owner and inbox are for the caller to set.
///
/// # Errors
/// [`HistoryError`] if the event does not encode.
pub fn start(
    run: RunKey,
    request_id: RequestId,
    started: &Arc<WorkflowStarted>,
    at: Timestamp,
    codec: &dyn PayloadCodec,
) -> Result<Start, HistoryError> {
    let event = Event { id: EventId(1), at, place: None, kind: EventKind::WorkflowStarted(started.clone()) };
    let dependents = started.parent.as_ref().is_some_and(|parent| !parent.unheard);
    let record = NewRecord { count: 1, at, bytes: encode_record(&[event], codec)? };
    let wake_at = started.begins(at);
    Ok(Start {
        run,
        request_id,
        workflow: started.workflow.clone(),
        semantics: started.semantics,
        task_queue: started.task_queue.clone(),
        priority: started.priority,
        fairness_key: started.fairness_key.clone(),
        attributes: started.attributes.clone(),
        memo: encode_memo(started.memo.clone(), codec)?,
        record,
        copied: Vec::new(),
        conflict: IdConflictPolicy::Reject,
        reuse: IdReusePolicy::Allow,
        owner: None,
        inbox: Vec::new(),
        wake_at,
        dependents,
    })
}

/// The event by which a client ends a run, in the two forms that a store keeps; the store gives it its ID and time.
///
/// # Errors
/// [`HistoryError`] if the event does not encode.
pub fn closing_event(
    terminated: WorkflowTerminated,
    at: Timestamp,
    codec: &dyn PayloadCodec,
) -> Result<ClosingEvent, HistoryError> {
    let kind = EventKind::from(terminated);
    let outcome = encode_kind(kind.clone(), codec)?;
    let record = encode_record(&[Event { id: EventId(0), at, place: None, kind }], codec)?;
    Ok(ClosingEvent { record, outcome })
}
