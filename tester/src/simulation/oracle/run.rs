//! The model of one run: who may write its history, and what that may hold.

use std::collections::BTreeMap;

use retell::history::{Event, EventKind, Plain, Record, decode_record};
use retell::vocabulary::{
    EventId, FencingToken, RequestId, RunId, RunKey, Timestamp, WorkerId, WorkflowType,
};
use retell::write::{CloseStatus, NewRecord, Start};

use super::super::report::{Broken, ensure};

/// A run as the oracle knows it.
pub(super) struct Run {
    pub(super) key: RunKey,
    pub(super) workflow: WorkflowType,
    pub(super) token: FencingToken,
    pub(super) holder: Option<WorkerId>,
    /// Its records as the store must have them, each with the token that wrote it.
    pub(super) records: Vec<(FencingToken, Record)>,
    pub(super) events: Vec<Event>,
    pub(super) open: BTreeMap<EventId, Open>,
    pub(super) closed: Option<CloseStatus>,
    /// Messages that lay in its inbox from the start.
    pub(super) inherited: Vec<RequestId>,
    /// Messages that the store accepted for it, in order.
    pub(super) accepted: Vec<RequestId>,
    pub(super) continued_from: Option<RunId>,
    /// Whether others are to be told if it is terminated.
    pub(super) dependents: bool,
    /// Whether it was terminated, and they were not told yet.
    pub(super) unsettled: bool,
}

/// Something that has no outcome yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    Activity,
    Timer(Timestamp),
    SideEffect,
    /// A child, or a request to another run.
    Other,
}

impl Run {
    /// A run with event 1.
    pub(super) fn opened(start: &Start, holder: Option<WorkerId>) -> Result<Self, Broken> {
        let mut run = Self {
            key: start.run.clone(),
            workflow: start.workflow.clone(),
            token: FencingToken(0),
            holder,
            records: Vec::new(),
            events: Vec::new(),
            open: BTreeMap::new(),
            closed: None,
            inherited: start.inbox.iter().map(|message| message.request_id).collect(),
            accepted: Vec::new(),
            continued_from: None,
            dependents: start.dependents,
            unsettled: false,
        };
        run.append(&start.record)?;
        run.token = FencingToken(u64::from(holder.is_some()));
        if let Some(EventKind::WorkflowStarted(started)) = run.events.first().map(|event| &event.kind) {
            run.continued_from = started.continued_from;
        }
        Ok(run)
    }

    pub(super) fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    pub(super) fn head(&self) -> EventId {
        EventId(self.events.len() as u64)
    }

    pub(super) fn event(&self, id: EventId) -> Option<&EventKind> {
        let index = usize::try_from(id.0.checked_sub(1)?).ok()?;
        self.events.get(index).map(|event| &event.kind)
    }

    /// Whether an activity of it is scheduled, and has no outcome.
    pub(super) fn is_wanted(&self, scheduled: EventId) -> bool {
        self.is_open() && self.open.get(&scheduled) == Some(&Open::Activity)
    }

    /// Appends a record; the events that it brought.
    pub(super) fn append(&mut self, new: &NewRecord) -> Result<usize, Broken> {
        ensure!(self.is_open(), "H5", "a record was added to {}, which is closed", self.key);
        let before = self.records.last().map_or(new.at, |(_, record)| record.at);
        let (first, at) = (self.head().next(), new.at.max(before));
        let record = Record { first, count: new.count, at, bytes: new.bytes.clone() };
        let events = decode_record(&record, &Plain).map_err(|error| {
            Broken::new("H1", format!("a record of {} does not decode: {error}", self.key))
        })?;
        ensure!(
            events.len() == new.count as usize && new.count > 0,
            "H1",
            "a record of {} says that it holds {} events and holds {}",
            self.key,
            new.count,
            events.len()
        );
        self.records.push((self.token, record));
        let count = events.len();
        for event in events {
            self.take(&event)?;
            self.events.push(event);
        }
        Ok(count)
    }

    /// Each call has one outcome, and nothing comes after the end.
    fn take(&mut self, event: &Event) -> Result<(), Broken> {
        let id = event.id;
        let ended = self.events.last().is_some_and(|last| last.kind.closes());
        ensure!(!ended, "H5", "event {id} of {} comes after its closing event", self.key);
        ensure!(id == self.head().next(), "H1", "event {id} of {} follows {}", self.key, self.head());
        match &event.kind {
            EventKind::ActivityScheduled(_) => _ = self.open.insert(id, Open::Activity),
            EventKind::TimerStarted(body) => _ = self.open.insert(id, Open::Timer(body.due)),
            EventKind::SideEffectScheduled(_) => _ = self.open.insert(id, Open::SideEffect),
            EventKind::ActivityCompleted(body) => self.settle(id, body.scheduled)?,
            EventKind::ActivityFailed(body) => self.settle(id, body.scheduled)?,
            EventKind::ActivityCancelled(body) => self.settle(id, body.scheduled)?,
            EventKind::TimerCancelled(body) => self.settle(id, body.started)?,
            EventKind::SideEffectRecorded(body) => self.settle(id, body.scheduled)?,
            EventKind::TimerFired(body) => {
                if let Some(Open::Timer(due)) = self.open.get(&body.started) {
                    ensure!(*due <= event.at, "H8", "event {id} of {} is before its due time", self.key);
                }
                self.settle(id, body.started)?;
            }
            EventKind::ChildWorkflowScheduled(body) if !body.unheard => {
                self.open.insert(id, Open::Other);
            }
            EventKind::ExternalSignalRequested(body) if !body.unheard => {
                self.open.insert(id, Open::Other);
            }
            EventKind::ExternalCancelRequested(body) if !body.unheard => {
                self.open.insert(id, Open::Other);
            }
            other => {
                if let Some(of) = other.outcome_of() {
                    self.settle(id, of)?;
                }
            }
        }
        Ok(())
    }

    fn settle(&mut self, id: EventId, of: EventId) -> Result<(), Broken> {
        let open = self.open.remove(&of);
        ensure!(open.is_some(), "H5", "event {id} of {} is a second outcome of event {of}", self.key);
        Ok(())
    }

    /// The messages that its history holds, in order.
    pub(super) fn messages(&self) -> Vec<RequestId> {
        self.events.iter().filter_map(|event| request_id(&event.kind)).collect()
    }
}

/// The identity of the message that an event came by.
pub(super) fn request_id(kind: &EventKind) -> Option<RequestId> {
    match kind {
        EventKind::SignalReceived(signal) => Some(signal.request_id),
        EventKind::WorkflowCancelRequested(request) => Some(request.request_id),
        _ => None,
    }
}
