//! What holds of every history, whatever the workflow: the engine's own promises, as a history shows them.

use std::collections::BTreeMap;

use retell::history::{Event, EventKind};
use retell::vocabulary::{EventId, RequestId};

/// What is wrong with a history, in words.
pub(crate) fn broken_law(events: &[Event]) -> Option<String> {
    let mut outcomes: BTreeMap<EventId, EventId> = BTreeMap::new();
    let mut last_at = None;
    for (event, expected) in events.iter().zip(1..) {
        if event.id != EventId(expected) {
            return Some(format!("event {} stands where event {expected} belongs", event.id));
        }
        if last_at > Some(event.at) {
            return Some(format!("event {} is earlier than the one before it", event.id));
        }
        last_at = Some(event.at);
        if event.kind.closes() && expected != events.len() as u64 {
            return Some(format!("event {} closes the run, but is not its last", event.id));
        }
        if let Some(of) = outcome_of(&event.kind)
            && let Some(first) = outcomes.insert(of, event.id)
        {
            return Some(format!("event {of} has two outcomes, events {first} and {}", event.id));
        }
    }
    None
}

/// How often a message is in these histories.
pub(crate) fn times_received(histories: &[Vec<Event>], request_id: RequestId) -> usize {
    let is_it = |event: &&Event| match &event.kind {
        EventKind::SignalReceived(signal) => signal.request_id == request_id,
        EventKind::WorkflowCancelRequested(request) => request.request_id == request_id,
        EventKind::UpdateRequested(update) => update.request_id == request_id,
        _ => false,
    };
    histories.iter().flatten().filter(is_it).count()
}

fn outcome_of(kind: &EventKind) -> Option<EventId> {
    match kind {
        EventKind::ActivityCompleted(body) => Some(body.scheduled),
        EventKind::ActivityFailed(body) => Some(body.scheduled),
        EventKind::ActivityCancelled(body) => Some(body.scheduled),
        EventKind::TimerFired(body) => Some(body.started),
        EventKind::TimerCancelled(body) => Some(body.started),
        EventKind::SideEffectRecorded(body) => Some(body.scheduled),
        _ => None,
    }
}
