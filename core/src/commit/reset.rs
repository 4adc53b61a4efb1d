//! The start of a run that begins as a copy of another one's events, to go on from there.
//!
//! Copied are whole steps: an inbox event with all that the code asked for after it. The first event of the copy names
//! the run that its code is to see until the `WorkflowReset` behind the copy; nothing else of the copied events changes.
//! Messages that the first run took in after the copied part lie in the new run's inbox, in order and with their
//! identities, but for updates that have their last answer, cancel requests, and pauses: those were for the run as it
//! was. A copy of event 1 alone is a new beginning: its first event says so, and no other follows.

use std::collections::HashSet;
use std::sync::Arc;

use super::{encode_memo, messages, seed_of, start};
use crate::history::{
    Event, EventKind, HistoryError, ParentLink, PayloadCodec, WorkflowReset, WorkflowStarted, encode_record,
};
use crate::vocabulary::{Attributes, EventId, Memo, RequestId, RunId, RunKey, Timestamp};
use crate::write::{NewRecord, Start};

/// What is asked of a reset.
#[derive(Debug, Clone)]
pub struct Reset {
    /// The run whose events are copied.
    pub from: RunKey,
    /// The last event to copy.
    pub to: EventId,
    /// The new run.
    pub run_id: RunId,
    /// Why.
    pub reason: Arc<str>,
    /// The identity of the request.
    pub request_id: RequestId,
    /// When, by the store's time as the client knows it.
    pub at: Timestamp,
}

/// A history that cannot be gone on from there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResetFault {
    /// In the middle of a step, at the run's end or beyond it: take one of those named, the nearest before and after.
    #[error("a run cannot be reset to event {to}; the nearest that it can be reset to are {nearest:?}")]
    NotAPoint {
        /// The event asked for.
        to: EventId,
        /// The nearest events that it could be.
        nearest: Vec<EventId>,
    },
    /// What this event asked of a child or of another run is open there, and its outcome would go to the run that is
    /// left: take an event before it, or one after its outcome.
    #[error("event {0} asks something of another run that is open at event {to}; reset to an event before it, or after its outcome", to = .1)]
    AsksAnother(EventId, EventId),
    /// The execution timeout of the workflow has passed: start it anew.
    #[error("the execution timeout of the workflow has passed at {0}")]
    OutOfTime(Timestamp),
    /// The history does not begin with its start, or cannot be encoded.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// The events that a run with this history can be reset to, in order: the first, and the last one of each step.
#[must_use]
pub fn reset_points(events: &[Event]) -> Vec<EventId> {
    let ends_step = |index: usize| match events.get(index + 1) {
        Some(next) => index == 0 || !next.kind.is_command(),
        None => !events[index].kind.closes(),
    };
    (0..events.len()).filter(|index| ends_step(*index)).map(|index| events[index].id).collect()
}

/// The start of the run that a reset asks for, from the whole history of the run that it copies. Policies are for the
/// caller to set.
///
/// # Errors
/// [`ResetFault`].
pub fn reset(reset: &Reset, events: &[Event], codec: &dyn PayloadCodec) -> Result<Start, ResetFault> {
    let Some(EventKind::WorkflowStarted(started)) = events.first().map(|event| &event.kind) else {
        return Err(HistoryError::Damaged("the history does not begin with its start".to_owned()).into());
    };
    check_point(reset.to, events)?;
    if let Some(deadline) = started.execution_deadline.filter(|deadline| *deadline <= reset.at) {
        return Err(ResetFault::OutOfTime(deadline));
    }
    let (copied, rest) = events.split_at(usize::try_from(reset.to.0).unwrap_or(events.len()));
    if let Some(asking) = asks_another(copied) {
        return Err(ResetFault::AsksAnother(asking, reset.to));
    }
    let mark = WorkflowReset {
        from: reset.from.run_id,
        to: reset.to,
        run_id: reset.run_id,
        seed: seed_of(reset.run_id.0),
        reason: reset.reason.clone(),
        request_id: reset.request_id,
    };
    let mut new = match copied {
        [_] => from_the_beginning(reset, WorkflowStarted::clone(started), mark, codec)?,
        _ => copy(reset, WorkflowStarted::clone(started), copied, mark, codec)?,
    };
    new.inbox = messages(sent_since(rest), codec)?;
    Ok(new)
}

/// The first event of these that asks something of another run, without an outcome among them.
fn asks_another(copied: &[Event]) -> Option<EventId> {
    let outcomes: HashSet<EventId> = copied.iter().filter_map(|event| event.kind.outcome_of()).collect();
    let asks = |event: &&Event| match &event.kind {
        EventKind::ChildWorkflowScheduled(body) => !body.unheard,
        EventKind::ExternalSignalRequested(body) => !body.unheard,
        EventKind::ExternalCancelRequested(body) => !body.unheard,
        _ => false,
    };
    copied.iter().filter(asks).map(|event| event.id).find(|event| !outcomes.contains(event))
}

fn check_point(to: EventId, events: &[Event]) -> Result<(), ResetFault> {
    let points = reset_points(events);
    match points.binary_search(&to) {
        Ok(_) => Ok(()),
        Err(place) => {
            let nearest = [place.checked_sub(1), Some(place)].into_iter().flatten();
            let nearest = nearest.filter_map(|index| points.get(index).copied()).collect();
            Err(ResetFault::NotAPoint { to, nearest })
        }
    }
}

fn from_the_beginning(
    reset: &Reset,
    started: WorkflowStarted,
    mark: WorkflowReset,
    codec: &dyn PayloadCodec,
) -> Result<Start, HistoryError> {
    let run = RunKey { run_id: reset.run_id, ..reset.from.clone() };
    let seed = mark.seed;
    let reset_from = Some(Box::new(mark));
    let parent = continued(started.parent.as_ref());
    let started =
        WorkflowStarted { seed, parent, begins_at: None, copied_from: None, reset: reset_from, ..started };
    start(run, reset.request_id, &Arc::new(started), reset.at, codec)
}

fn copy(
    reset: &Reset,
    started: WorkflowStarted,
    copied: &[Event],
    mark: WorkflowReset,
    codec: &dyn PayloadCodec,
) -> Result<Start, HistoryError> {
    let run = RunKey { run_id: reset.run_id, ..reset.from.clone() };
    let copied_from = started.copied_from.or(Some(reset.from.run_id));
    let started = WorkflowStarted { parent: continued(started.parent.as_ref()), ..started };
    let mut new = start(
        run,
        reset.request_id,
        &Arc::new(WorkflowStarted { copied_from, ..started.clone() }),
        copied[0].at,
        codec,
    )?;
    let last_at = copied.last().map_or(reset.at, |event| event.at.max(reset.at));
    let mark = Event { id: reset.to.next(), at: last_at, place: None, kind: mark.into() };
    let records = copied[1..].chunk_by(|one, next| one.at == next.at).chain([std::slice::from_ref(&mark)]);
    new.copied = records.map(|events| record(events, codec)).collect::<Result<_, _>>()?;
    let (attributes, memo) = shown(started, copied);
    (new.attributes, new.memo) = (attributes, encode_memo(memo, codec)?);
    new.wake_at = reset.at;
    Ok(new)
}

/// The parent of a run that goes on as another: it was told so by the run that is left.
fn continued(parent: Option<&ParentLink>) -> Option<ParentLink> {
    parent.cloned().map(|parent| ParentLink { continued: true, ..parent })
}

fn record(events: &[Event], codec: &dyn PayloadCodec) -> Result<NewRecord, HistoryError> {
    let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
    Ok(NewRecord { count, at: events[0].at, bytes: encode_record(events, codec)? })
}

/// What the run showed when it had come so far.
fn shown(started: WorkflowStarted, copied: &[Event]) -> (Attributes, Memo) {
    let (mut attributes, mut memo) = (started.attributes, started.memo);
    for event in copied {
        match &event.kind {
            EventKind::AttributesUpserted(body) => body.apply(&mut attributes),
            EventKind::MemoUpserted(body) => body.apply(&mut memo),
            _ => {}
        }
    }
    (attributes, memo)
}

/// The messages among these events that a run which goes on before them is to read.
fn sent_since(events: &[Event]) -> Vec<EventKind> {
    let is_last = |kind: &&EventKind| !matches!(kind, EventKind::UpdateAccepted(_));
    let kinds = || events.iter().map(|event| &event.kind);
    let answered: Vec<RequestId> = kinds().filter(is_last).filter_map(EventKind::answers).collect();
    let again = |kind: &&EventKind| match kind {
        EventKind::SignalReceived(_) => true,
        EventKind::UpdateRequested(update) => !answered.contains(&update.request_id),
        _ => false,
    };
    kinds().filter(again).cloned().collect()
}
