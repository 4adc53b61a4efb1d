//! The run that follows one that closes: as which it continues as new, or is tried again.

use crate::history::{EventKind, ParentLink, WorkflowContinuedAsNew, WorkflowStarted};
use crate::replay::timed_out;
use crate::vocabulary::{Attempt, EventId, Failure, RunKey, SemanticsVersion, Timestamp};

use super::seed_of;

/// The run that follows one that closes with this event at this time, and its first event; `None` if none does.
///
/// `started` is the first event of the run that closes, with what it shows now.
#[must_use]
pub fn successor(
    run: &RunKey,
    closing: &EventKind,
    at: Timestamp,
    started: &WorkflowStarted,
) -> Option<(RunKey, WorkflowStarted)> {
    let next = match closing {
        EventKind::WorkflowContinuedAsNew(body) => continued(body, started),
        EventKind::WorkflowFailed(body) => again(run, &body.failure, at, started),
        EventKind::WorkflowTimedOut(body) => again(run, &timed_out(body.limit), at, started),
        _ => return None,
    };
    // A termination that goes on elsewhere is no end by the run's own word.
    let run_id = closing.goes_on_as()?;
    let started = WorkflowStarted {
        semantics: SemanticsVersion::CURRENT,
        seed: seed_of(run_id.0),
        continued_from: Some(run.run_id),
        copied_from: None,
        reset: None,
        parent: next.parent.clone().map(|parent| ParentLink { continued: true, ..parent }),
        ..next
    };
    Some((RunKey { run_id, ..run.clone() }, started))
}

fn continued(body: &WorkflowContinuedAsNew, started: &WorkflowStarted) -> WorkflowStarted {
    WorkflowStarted {
        workflow: body.workflow.clone(),
        input: body.input.clone(),
        headers: body.headers.clone(),
        begins_at: None,
        attempt: Attempt(1),
        last_failure: None,
        ..started.clone()
    }
}

/// The next try, after a wait that the policy chooses, the same whoever asks.
fn again(run: &RunKey, failure: &Failure, at: Timestamp, started: &WorkflowStarted) -> WorkflowStarted {
    let call = (run.run_id, EventId(1));
    let wait = started.retry.as_ref().and_then(|retry| retry.delay_in(call, started.attempt, failure));
    WorkflowStarted {
        begins_at: wait.filter(|wait| !wait.is_zero()).map(|wait| at + wait),
        attempt: started.attempt.next(),
        last_failure: Some(Box::new(failure.clone())),
        ..started.clone()
    }
}
