//! Where today's code parts from a history, told so that a reader finds the line: the two sides in columns, both places
//! in the source, and the likely remedy.
//!
//! Pure: made of a failed machine and the history that it was given. Imports the machine and the commands.

mod align;
mod rows;
mod show;

use std::fmt;

use super::error::{HistoryFault, TaskError};
use super::machine::Machine;
use crate::command::Command;
use crate::history::Event;
use crate::vocabulary::{EventId, Place, RunKey, WorkflowType};

pub use rows::{Row, Verdict};

/// The first place where today's code does not follow a history.
///
/// Nondeterminism is one reason; a panic, a foreign await, an input that does not decode or a damaged history are
/// others, and have no rows. `Display` is the whole report, several lines of at most 117 columns, for a person; to
/// branch, look at [`error`](Self::error).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Divergence {
    /// The run.
    pub run: RunKey,
    /// The code that was run.
    pub workflow: WorkflowType,
    /// The event at which they part, or that the code was taking in when it failed. One past the last if the code
    /// asks for more than an open history holds; 0 if not even event 1 could be taken in.
    pub event_id: EventId,
    /// That event in its text form, without its number, time and place; `None` if the history ends before it.
    pub event: Option<String>,
    /// Why.
    pub error: TaskError,
    /// Where the code that wrote the history asked for that event; `None` for what came through the inbox.
    pub held_at: Option<Place>,
    /// Where today's code asked for something else, or failed. If it asked for nothing, or returned: the last place
    /// of ours that it had come to.
    pub asked_at: Option<Place>,
    /// For nondeterminism the two sides, from a few events before the place where they part to the end of the code's
    /// step there; else empty. Texts are whole; `Display` cuts them.
    pub rows: Vec<Row>,
    /// How many events stand before the first row.
    before: usize,
    /// How many events stand after the last row.
    after: usize,
    /// Whether the code only came past `asked_at` instead of asking there.
    asked_nothing_there: bool,
}

impl Divergence {
    /// Tells a failed replay: the machine that has returned `error`, and the history that it was given, from event 1.
    ///
    /// [`check`](super::check) does both. Events behind the failing one may be missing, but then they are missing from
    /// the report too.
    #[must_use]
    pub fn new(machine: Machine, events: &[Event], error: TaskError) -> Self {
        let (asked, last) = {
            let mut state = machine.world.state();
            (std::mem::take(&mut state.issued), state.location.map(Place::of))
        };
        let asked = Vec::from(asked);
        let event_id = event_of(&error, machine.head);
        let event = events.iter().find(|event| event.id == event_id);
        let asked_at = match &error {
            TaskError::Nondeterminism(_) => asked.first().and_then(Command::place).or(last.clone()),
            _ => place_of(&error),
        };
        let mut told = Self {
            run: machine.world.run().clone(),
            workflow: machine.definition.workflow_type().clone(),
            event_id,
            event: event.map(rows::text),
            held_at: event.and_then(|event| event.place.clone()),
            asked_at,
            rows: Vec::new(),
            before: 0,
            after: 0,
            asked_nothing_there: asked.first().is_none_or(|command| command.location.is_none()),
            error,
        };
        if matches!(told.error, TaskError::Nondeterminism(_)) {
            let table = rows::table(events, event_id, asked);
            (told.rows, told.before, told.after) = (table.rows, table.before, table.after);
        }
        told
    }

    /// What to do about it, in one sentence; `None` if the error says it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match &self.error {
            TaskError::Nondeterminism(found) => Some(found.hint),
            TaskError::ForeignAwait { .. } => None,
            TaskError::NeverEndingAwait { .. } => {
                Some("await something that can end: an activity, a sleep, a side effect, a signal")
            }
            TaskError::Panic { .. } => {
                Some("fix the code; a deploy of this would park the run there until a fixed one comes")
            }
            TaskError::Undecodable { .. } => Some(
                "let the input's type read what older callers sent (`#[serde(default)]` for what is new), or give \
                 the code a new version",
            ),
            TaskError::History(HistoryFault::OtherWorkflow { .. }) => {
                Some("give the run to the workflow and version that its first event names")
            }
            TaskError::History(HistoryFault::NewerSemantics(_)) => None,
            TaskError::History(_) => Some("read the history from its store again; it is damaged or cut"),
        }
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show::divergence(f, self)
    }
}

// No source: what the error says is part of what is displayed.
impl std::error::Error for Divergence {}

fn event_of(error: &TaskError, head: EventId) -> EventId {
    match error {
        TaskError::Nondeterminism(found) => found.event_id,
        TaskError::Undecodable { event_id, .. } => *event_id,
        TaskError::History(
            HistoryFault::Misplaced(event_id)
            | HistoryFault::AfterClose(event_id)
            | HistoryFault::TimeGoesBack(event_id)
            | HistoryFault::OutcomeOfNothing { event_id, .. }
            | HistoryFault::Gap { found: event_id, .. },
        ) => *event_id,
        TaskError::ForeignAwait { .. }
        | TaskError::NeverEndingAwait { .. }
        | TaskError::Panic { .. }
        | TaskError::History(HistoryFault::NewerSemantics(_) | HistoryFault::OtherWorkflow { .. }) => head,
    }
}

fn place_of(error: &TaskError) -> Option<Place> {
    match error {
        TaskError::ForeignAwait { place, .. }
        | TaskError::NeverEndingAwait { place }
        | TaskError::Panic { place, .. } => place.clone(),
        TaskError::Nondeterminism(_) | TaskError::Undecodable { .. } | TaskError::History(_) => None,
    }
}
