//! Why nothing can happen any more, told so that a reader sees what the test forgot.

use std::collections::BTreeMap;
use std::fmt::Write;

use retell::backend::{ListRequest, RunInfo, StatusFilter};
use retell::history::{Event, EventKind};
use retell::vocabulary::{EventId, Namespace};

use super::inner::{Inner, lock};
use super::setup::Time;
use crate::world::World;

/// The most runs that are told of.
const RUNS_MAX: usize = 5;

/// What is open, and what it waits for.
pub(super) fn still(inner: &Inner, wanted: &str) -> String {
    let mut text = format!("{wanted} has not come, and nothing can happen any more");
    if lock(&inner.setup).time == Time::ByHand
        && let Some(next) = inner.until_next()
    {
        let _ = write!(text, " unless time is moved by hand: something is due in {next:?}");
    }
    let request = ListRequest {
        namespace: Namespace::default(),
        workflow_id: None,
        workflow: None,
        status: StatusFilter::Open,
        attributes: Vec::new(),
        page_size: RUNS_MAX,
        after: None,
    };
    let page = World::read(inner.store().list(&request));
    for info in &page.runs {
        open_run(inner, info, &mut text);
    }
    if page.next.is_some() {
        text.push_str("\n  and more runs are open");
    }
    text
}

fn open_run(inner: &Inner, info: &RunInfo, text: &mut String) {
    let events = inner.history(&info.run);
    let open = open_calls(&events);
    let _ =
        write!(text, "\n  {} ({}) is open after event {}", info.run.workflow_id, info.workflow, info.head);
    if let Some(failure) = &info.failure {
        let _ = write!(text, "; its last workflow task failed: {}", failure.message);
    }
    if open.is_empty() {
        text.push_str("; it waits for no activity and no timer: for a signal, perhaps, that nobody sends");
    }
    for event in open.values() {
        let place = event.place.as_ref().map_or_else(String::new, |place| format!(" at {place}"));
        match &event.kind {
            EventKind::ActivityScheduled(call) => {
                let served = lock(&inner.setup).serves(&call.activity, &inner.fakes);
                let why = if served { "which does not end" } else { "which is neither registered nor faked" };
                let _ = write!(
                    text,
                    "\n    waits for activity {:?}, {why} (event {}{place})",
                    call.activity, event.id
                );
            }
            EventKind::TimerStarted(timer) => {
                let _ = write!(text, "\n    sleeps until {} (event {}{place})", timer.due, event.id);
            }
            EventKind::ChildWorkflowScheduled(child) => {
                let _ = write!(
                    text,
                    "\n    waits for child workflow {:?} ({}) (event {}{place})",
                    child.workflow_id, child.workflow, event.id
                );
            }
            _ => {}
        }
    }
}

/// The calls and timers that have no outcome.
fn open_calls(events: &[Event]) -> BTreeMap<EventId, &Event> {
    let mut open = BTreeMap::new();
    for event in events {
        if let Some(of) = event.kind.outcome_of() {
            open.remove(&of);
        }
        if matches!(event.kind, EventKind::ActivityScheduled(_) | EventKind::TimerStarted(_))
            || is_awaited(&event.kind)
        {
            open.insert(event.id, event);
        }
    }
    open
}

/// Whether this schedules a child whose end is told.
fn is_awaited(kind: &EventKind) -> bool {
    matches!(kind, EventKind::ChildWorkflowScheduled(child) if !child.unheard)
}
