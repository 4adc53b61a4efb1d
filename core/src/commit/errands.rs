//! What the events of a task ask of other runs: children to start, signals, cancel requests; and what a run that closes
//! owes its parent and its children.
//!
//! Every identity in here is derived from the run and the event: made again, it is the same.

use std::sync::Arc;

use crate::history::{
    ChildIdConflict, ChildWorkflowCancelled, ChildWorkflowCompleted, ChildWorkflowContinued,
    ChildWorkflowDropped, ChildWorkflowFailed, ChildWorkflowRefused, ChildWorkflowScheduled,
    ChildWorkflowStarted, ChildWorkflowTerminated, ChildWorkflowTimedOut, Event, EventKind,
    ExternalDelivered, ExternalRefused, HistoryError, ParentClosePolicy, ParentLink, PayloadCodec,
    SignalReceived, WorkflowCancelRequested, WorkflowStarted, WorkflowTerminated, encode_kind,
};
use crate::replay::Family;
use crate::vocabulary::{
    EventId, Purpose, RequestId, RunId, RunKey, TaskQueue, Timestamp, WorkerId, WorkflowId, WorkflowType,
};
use crate::write::{Errand, IdConflictPolicy, NewMessage, Outgoing, Send, Start, Target, Terminate};

/// Why children are ended or cancelled, in the words that their histories keep.
const PARENT_CLOSED: &str = "its parent has closed";
const PARENT_ASKS: &str = "its parent asks it to";

/// Who would hold a run of this code and queue from its start.
pub type Owner<'a> = &'a dyn Fn(&WorkflowType, &TaskQueue) -> Option<WorkerId>;

/// A child that the committing worker may hold from its start.
#[derive(Debug, Clone)]
pub struct BegunChild {
    /// Its run.
    pub run: RunKey,
    /// Its first event.
    pub started: Arc<WorkflowStarted>,
    /// The time of that.
    pub at: Timestamp,
}

/// What a task asks of others.
#[derive(Debug, Default)]
pub struct Errands {
    /// For the commit.
    pub outgoing: Vec<Outgoing>,
    /// Children that begin here, if the store says so.
    pub begun: Vec<BegunChild>,
}

/// What the events of a task ask of other runs, in their order. A child that was scheduled and let go of in the same task
/// is never started.
///
/// # Errors
/// [`HistoryError`] if an event does not encode.
pub fn errands(
    run: &RunKey,
    started: &WorkflowStarted,
    events: &[Event],
    owner: Owner<'_>,
    codec: &dyn PayloadCodec,
) -> Result<Errands, HistoryError> {
    let mut errands = Errands::default();
    let sender = Sender { run, codec };
    let first = events.first().map_or(EventId(0), |event| event.id);
    let dropped = |scheduled: EventId| {
        let drops = |event: &Event| matches!(&event.kind, EventKind::ChildWorkflowDropped(body) if body.scheduled == scheduled);
        events.iter().any(drops)
    };
    for event in events {
        let outgoing = match &event.kind {
            EventKind::ChildWorkflowScheduled(body) if !dropped(event.id) => {
                let child = sender.child(started, event, body);
                let outgoing = sender.start_child(&child, event, body, owner)?;
                errands.begun.extend(is_owned(&outgoing).then_some(child));
                outgoing
            }
            EventKind::ChildWorkflowDropped(body) if body.scheduled < first => {
                sender.drop_child(event, body)?
            }
            EventKind::ChildWorkflowCancelRequested(body) => {
                let target = sender.target(body.workflow_id.clone(), None);
                sender.cancel(target, event.id, Some(body.run_id), PARENT_ASKS, event.at)?
            }
            EventKind::ExternalSignalRequested(body) => {
                let request_id = sender.request(event.id, Purpose::Request);
                let signal = SignalReceived {
                    signal: body.signal.clone(),
                    input: body.input.clone(),
                    request_id,
                    headers: body.headers.clone(),
                };
                let target = sender.target(body.workflow_id.clone(), body.run_id);
                let send = sender.send(target, request_id, signal.into(), event.at)?;
                sender.told(send, event.id, body.unheard)?
            }
            EventKind::ExternalCancelRequested(body) => {
                let target = sender.target(body.workflow_id.clone(), body.run_id);
                let send = sender.cancel(target, event.id, body.child, &body.reason, event.at)?;
                sender.told(send.errand, event.id, body.unheard)?
            }
            _ => continue,
        };
        errands.outgoing.push(outgoing);
    }
    Ok(errands)
}

fn is_owned(outgoing: &Outgoing) -> bool {
    matches!(&outgoing.errand, Errand::Start(start) if start.owner.is_some())
}

/// What a run that closes with this event owes: word to its parent, and the parent close policy to its open children.
///
/// # Errors
/// [`HistoryError`] if an event does not encode.
pub fn farewell(
    run: &RunKey,
    family: &Family,
    closing: &EventKind,
    at: Timestamp,
    codec: &dyn PayloadCodec,
) -> Result<Vec<Outgoing>, HistoryError> {
    let sender = Sender { run, codec };
    let mut outgoing = Vec::new();
    for (scheduled, child) in family.children() {
        // The first run is meant for as long as it is the only one; a child that has continued has the ID to itself
        // until its parent hears of its end.
        let only = (!child.continued).then_some(child.run_id);
        let request_id = sender.request(scheduled, Purpose::Farewell);
        match child.parent_close {
            ParentClosePolicy::Terminate => {
                let target = sender.target(child.workflow_id.clone(), only);
                let closing = super::closing_event(
                    WorkflowTerminated { reason: PARENT_CLOSED.into(), reset_as: None },
                    at,
                    codec,
                )?;
                let terminate = Terminate { target, request_id, closing, at };
                outgoing.push(silent(Errand::Terminate(terminate)));
            }
            ParentClosePolicy::RequestCancel => {
                let target = sender.target(child.workflow_id.clone(), None);
                let (reason, child) = (PARENT_CLOSED.into(), Some(child.run_id));
                let request = WorkflowCancelRequested { request_id, reason, child };
                outgoing.push(silent(sender.send(target, request_id, request.into(), at)?));
            }
            ParentClosePolicy::Abandon => {}
        }
    }
    if let Some(parent) = family.parent().filter(|parent| !parent.unheard)
        && let Some(word) = word_to_parent(parent, closing)
    {
        // A run says one such thing in its life, as its last.
        let request_id = sender.request(EventId(0), Purpose::Farewell);
        outgoing.push(silent(sender.send(parent.parent(run).into(), request_id, word, at)?));
    }
    Ok(outgoing)
}

/// What the parent is told of a child that closes so.
fn word_to_parent(parent: &ParentLink, closing: &EventKind) -> Option<EventKind> {
    let (scheduled, run_id) = (parent.scheduled, parent.child);
    if closing.goes_on_as().is_some() {
        // It continues as new, is tried again or was reset: told once.
        return (!parent.continued).then(|| ChildWorkflowContinued { scheduled, run_id }.into());
    }
    Some(match closing {
        EventKind::WorkflowCompleted(body) => {
            ChildWorkflowCompleted { scheduled, run_id, result: body.result.clone() }.into()
        }
        EventKind::WorkflowFailed(body) => {
            ChildWorkflowFailed { scheduled, run_id, failure: body.failure.clone() }.into()
        }
        EventKind::WorkflowCancelled(_) => ChildWorkflowCancelled { scheduled, run_id }.into(),
        EventKind::WorkflowTerminated(body) => {
            ChildWorkflowTerminated { scheduled, run_id, reason: body.reason.clone() }.into()
        }
        EventKind::WorkflowTimedOut(_) => ChildWorkflowTimedOut { scheduled, run_id }.into(),
        _ => return None,
    })
}

fn silent(errand: Errand) -> Outgoing {
    Outgoing { errand, if_done: None, if_refused: None }
}

/// Who asks, and how what it asks is encoded.
struct Sender<'a> {
    run: &'a RunKey,
    codec: &'a dyn PayloadCodec,
}

impl Sender<'_> {
    fn request(&self, event: EventId, purpose: Purpose) -> RequestId {
        RequestId(self.run.run_id.derive(event, purpose))
    }

    fn target(&self, workflow_id: WorkflowId, run_id: Option<RunId>) -> Target {
        Target { namespace: self.run.namespace.clone(), workflow_id, run_id }
    }

    /// A message to this run itself.
    fn answer(
        &self,
        event: EventId,
        purpose: Purpose,
        kind: impl Into<EventKind>,
    ) -> Result<Option<NewMessage>, HistoryError> {
        let body = encode_kind(kind.into(), self.codec)?;
        Ok(Some(NewMessage { request_id: self.request(event, purpose), body }))
    }

    fn send(
        &self,
        target: Target,
        request_id: RequestId,
        kind: EventKind,
        at: Timestamp,
    ) -> Result<Errand, HistoryError> {
        let message = NewMessage { request_id, body: encode_kind(kind, self.codec)? };
        Ok(Errand::Send(Send { target, message, at }))
    }

    /// Lets the sender know what became of it, if it wants to.
    fn told(&self, errand: Errand, requested: EventId, unheard: bool) -> Result<Outgoing, HistoryError> {
        if unheard {
            return Ok(silent(errand));
        }
        let request_id = self.request(requested, Purpose::Request);
        let if_done = self.answer(requested, Purpose::Done, ExternalDelivered { requested, request_id })?;
        let if_refused =
            self.answer(requested, Purpose::Refused, ExternalRefused { requested, request_id })?;
        Ok(Outgoing { errand, if_done, if_refused })
    }

    fn cancel(
        &self,
        target: Target,
        event: EventId,
        child: Option<RunId>,
        reason: &str,
        at: Timestamp,
    ) -> Result<Outgoing, HistoryError> {
        let request_id = self.request(event, Purpose::Request);
        let request = WorkflowCancelRequested { request_id, reason: reason.into(), child };
        Ok(silent(self.send(target, request_id, request.into(), at)?))
    }

    fn drop_child(&self, event: &Event, body: &ChildWorkflowDropped) -> Result<Outgoing, HistoryError> {
        let target = self.target(body.workflow_id.clone(), None);
        self.cancel(target, event.id, Some(body.run_id), PARENT_ASKS, event.at)
    }

    /// The child's run and first event.
    fn child(&self, started: &WorkflowStarted, event: &Event, body: &ChildWorkflowScheduled) -> BegunChild {
        let parent = ParentLink {
            workflow_id: self.run.workflow_id.clone(),
            run_id: self.run.run_id,
            scheduled: event.id,
            child: body.run_id,
            unheard: body.unheard,
            continued: false,
        };
        let (workflow_id, run_id) = (body.workflow_id.clone(), body.run_id);
        let task_queue = body.task_queue.as_ref().unwrap_or(&started.task_queue).clone();
        let seed = super::seed_of(run_id.0);
        let begins_at = body.start_delay.map(|delay| event.at + delay);
        let begins = begins_at.unwrap_or(event.at);
        let first = WorkflowStarted {
            priority: started.priority,
            fairness_key: started.fairness_key.clone(),
            attributes: body.attributes.clone(),
            parent: Some(parent),
            headers: body.headers.clone(),
            memo: body.memo.clone(),
            begins_at,
            run_timeout: body.run_timeout,
            execution_deadline: body.execution_timeout.map(|length| begins + length),
            retry: body.retry.clone(),
            ..WorkflowStarted::new(body.workflow.clone(), task_queue, body.input.clone(), seed)
        };
        let run = RunKey { namespace: self.run.namespace.clone(), workflow_id, run_id };
        BegunChild { run, started: Arc::new(first), at: event.at }
    }

    fn start_child(
        &self,
        child: &BegunChild,
        event: &Event,
        body: &ChildWorkflowScheduled,
        owner: Owner<'_>,
    ) -> Result<Outgoing, HistoryError> {
        let (run, first) = (child.run.clone(), &child.started);
        let (scheduled, run_id) = (event.id, body.run_id);
        // One that begins later is claimed when it does.
        let owner = if first.begins_at.is_none() { owner(&first.workflow, &first.task_queue) } else { None };
        let conflict = match &body.conflict {
            ChildIdConflict::Reject => IdConflictPolicy::Reject,
            ChildIdConflict::Terminate(reason) => {
                let terminated = WorkflowTerminated { reason: reason.clone(), reset_as: None };
                IdConflictPolicy::TerminateExisting(super::closing_event(terminated, event.at, self.codec)?)
            }
        };
        let start = super::start(run, RequestId(run_id.0), first, event.at, self.codec)?;
        let start = Start { conflict, reuse: body.reuse, owner, ..start };
        let mut outgoing = silent(Errand::Start(Box::new(start)));
        if body.tells_start {
            let word = ChildWorkflowStarted { scheduled, run_id };
            outgoing.if_done = self.answer(scheduled, Purpose::Done, word)?;
        }
        if !body.unheard {
            let word = ChildWorkflowRefused { scheduled, run_id };
            outgoing.if_refused = self.answer(scheduled, Purpose::Refused, word)?;
        }
        Ok(outgoing)
    }
}
