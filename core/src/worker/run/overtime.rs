//! The end of a run that has passed its limit, by the worker that holds it.
//!
//! A live run takes in what waits and closes. One that is parked has no code to ask: what waits is taken in as it came,
//! and the run closes all the same, though it is not tried again, since nobody can tell what its code had left unread. A
//! run that nobody holds is claimed for it, since its `wake_at` says when; one that nobody serves waits.

use std::collections::HashSet;
use std::sync::Arc;

use super::park::Trouble;
use super::{Closing, InFlight, Incoming, Leave, Phase, Run, Submission, Then};
use crate::commit::{self, Legacy, Progress};
use crate::history::{Event, EventKind, HistoryError, WorkflowStarted, WorkflowTimedOut, decode_kind};
use crate::replay::Machine;
use crate::vocabulary::{EventId, TimeoutKind, Timestamp, WorkerId};
use crate::worker::committer::Ticket;
use crate::worker::context::Context;

impl Run {
    /// The limit that the run has passed.
    pub(super) fn passed_limit(&self, now: Timestamp) -> Option<TimeoutKind> {
        self.limit.filter(|(due, _)| *due <= now).map(|(_, limit)| limit)
    }

    /// When a run that is live next needs a worker by itself.
    pub(super) fn needs_worker_at(&self, machine: &Machine) -> Option<Timestamp> {
        let limit = self.limit.map(|(due, _)| due);
        machine.next_due().into_iter().chain(self.overdue.earliest()).chain(limit).min()
    }

    /// Whether the code begins later than now: at a delayed start, or another try.
    pub(super) fn begins_later(&self, now: Timestamp) -> bool {
        let delayed = self.started.as_ref().is_some_and(|started| started.begins_at.is_some());
        delayed && self.begin_at.is_some_and(|begin_at| begin_at > now)
    }

    /// Closes a parked run whose time is over; `None` if it isn't, or if messages are still to come that must be taken in
    /// before that.
    pub(super) fn time_out_parked(
        &mut self,
        cx: &Context,
        worker: WorkerId,
        now: Timestamp,
    ) -> Option<Submission> {
        if !self.is_parked() || self.in_flight.is_some() {
            return None;
        }
        let limit = match &self.closing {
            Some(closing) if self.last_waiting() < closing.door => return None,
            Some(closing) => closing.progress.events.last().and_then(limit_of)?,
            None => self.passed_limit(now)?,
        };
        // Once: what cannot be stored now is tried again by whoever loads the run next.
        self.limit = None;
        self.closing = None;
        match self.closed_as_it_lies(cx, worker, limit, now) {
            Ok(submission) => Some(submission),
            Err(error) => {
                tracing::error!(run = %self.key, %error, "a parked run cannot be ended although its time is over");
                None
            }
        }
    }

    fn closed_as_it_lies(
        &mut self,
        cx: &Context,
        worker: WorkerId,
        limit: TimeoutKind,
        now: Timestamp,
    ) -> Result<Submission, Trouble> {
        let Some(started) = self.started.clone() else { return Err(Trouble::not_live()) };
        let codec = cx.codec.as_ref();
        let mut kinds = Vec::new();
        for incoming in &self.incoming {
            if let Incoming::Message(message) = incoming {
                let kind = decode_kind(&message.body, codec)?;
                kinds.extend(kind.is_message().then_some(kind));
            }
        }
        let absorbed = u32::try_from(kinds.len()).unwrap_or(u32::MAX);
        kinds.push(WorkflowTimedOut { limit, absorbed, retried_as: None }.into());
        let ids = (self.head.next().0..).map(EventId);
        let event = |(id, kind)| Event { id, at: now, place: None, kind };
        let events: Vec<Event> = ids.zip(kinds).map(event).collect();
        let progress = Progress { events, taken_in: self.last_waiting(), ..Progress::default() };
        self.timed_out(cx, worker, progress, started).map_err(Trouble::History)
    }

    fn timed_out(
        &mut self,
        cx: &Context,
        worker: WorkerId,
        progress: Progress,
        started: Arc<WorkflowStarted>,
    ) -> Result<Submission, HistoryError> {
        let legacy = Legacy { started, unread: Vec::new(), owner: None };
        let (taken, head) = (self.incoming.len(), self.head);
        let closing = progress.events.last().map(|event| (event.id, event.kind.clone()));
        let commit = commit::close(&self.holder(worker), head, progress.clone(), legacy, cx.codec.as_ref())?;
        self.in_flight = Some(InFlight {
            head: closing.as_ref().map_or(head, |(id, _)| *id),
            taken_in: progress.taken_in,
            taken,
            aborts: Vec::new(),
            asks: Vec::new(),
            deposited: HashSet::new(),
            rows: None,
            closing: Some(Box::new(Closing { progress, taken, aborts: Vec::new(), door: self.taken_in })),
            then: Then::Leave(Leave::Ended),
        });
        let ticket = Ticket {
            closing: closing.map(|(_, kind)| Box::new(kind)),
            ..Ticket::new(self.key.run_id, self.token)
        };
        Ok(Submission { commit: Box::new(commit), ticket })
    }

    /// Whether a closing task waits that only [`time_out_parked`](Self::time_out_parked) can finish.
    pub(super) fn is_ending_parked(&self) -> bool {
        self.closing.is_some() && matches!(self.phase, Phase::Cold { parked: true, .. })
    }
}

/// The limit that a closing event tells of.
pub(super) fn limit_of(event: &Event) -> Option<TimeoutKind> {
    match &event.kind {
        EventKind::WorkflowTimedOut(body) => Some(body.limit),
        _ => None,
    }
}
