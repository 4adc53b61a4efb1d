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
        if let Some(of) = event.kind.outcome_of()
            && let Some(first) = outcomes.insert(of, event.id)
        {
            return Some(format!("event {of} has two outcomes, events {first} and {}", event.id));
        }
    }
    None
}

/// What is wrong with how often a message was taken in, in words: once it must be, and again only in a run to which it was
/// carried over unread. While it may still lie in an inbox, it need not be.
pub(crate) fn broken_reception(
    histories: &[Vec<Event>],
    request_id: RequestId,
    may_wait: bool,
) -> Option<String> {
    let is_it = |event: &&Event| match &event.kind {
        EventKind::SignalReceived(signal) => signal.request_id == request_id,
        EventKind::WorkflowCancelRequested(request) => request.request_id == request_id,
        EventKind::UpdateRequested(update) => update.request_id == request_id,
        _ => false,
    };
    let times = histories.iter().map(|events| events.iter().filter(is_it).count());
    match times.max() {
        Some(times) if times > 1 => Some(format!("is in one history {times} times")),
        Some(0) | None if !may_wait => Some("is in no history".to_owned()),
        _ => None,
    }
}
