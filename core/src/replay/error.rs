//! Why a workflow task failed. None of these closes the run: it keeps its place and is tried again.

use crate::vocabulary::{EventId, PayloadError, Place, SemanticsVersion, WorkflowType};
use crate::write::TaskFailureKind;

/// A workflow task that failed. The machine that returned it is to be thrown away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// The code asked for something else than history holds: deploy the code that wrote the history, or a fixed one.
    #[error(transparent)]
    Nondeterminism(Box<Nondeterminism>),
    /// The code awaits what is not Retell's: do that in an activity.
    #[error(
        "the workflow awaits what is not Retell's ({reason}), near {}; do this in an activity",
        shown(.place.as_ref())
    )]
    ForeignAwait {
        /// How it was found.
        reason: String,
        /// The last place of ours that the code had come to.
        place: Option<Place>,
    },
    /// The code rests, and nothing of ours can ever wake it: the await after this place has nobody to end it.
    #[error(
        "the workflow awaits what nothing can ever wake, after {}: no activity, timer, side effect or signal is awaited",
        shown(.place.as_ref())
    )]
    NeverEndingAwait {
        /// The last place of ours that the code had come to.
        place: Option<Place>,
    },
    /// The code panicked: fix and deploy it.
    #[error("the workflow panicked after {}: {message}", shown(.place.as_ref()))]
    Panic {
        /// The panic's message.
        message: String,
        /// The last place of ours that the code had come to.
        place: Option<Place>,
    },
    /// The workflow's input does not decode: the caller and this code disagree about its type.
    #[error("the workflow's input (event {event_id}) does not decode: {source}")]
    Undecodable {
        /// The event that holds it.
        event_id: EventId,
        /// Why.
        source: PayloadError,
    },
    /// The history cannot be replayed by this engine.
    #[error(transparent)]
    History(#[from] HistoryFault),
}

/// See [`TaskError::Nondeterminism`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "nondeterminism at event {event_id}: history holds {expected}, the code asked for {actual} at {}; {hint}",
    shown(.place.as_ref())
)]
#[non_exhaustive]
pub struct Nondeterminism {
    /// The event at which code and history part.
    pub event_id: EventId,
    /// What history holds there.
    pub expected: String,
    /// What the code asked for there.
    pub actual: String,
    /// The place of the code's command; if it asked for nothing, the place that history remembers.
    pub place: Option<Place>,
    /// What to look for.
    pub hint: &'static str,
}

/// See [`TaskError::History`].
///
/// A history that is damaged, or that belongs to another engine or another workflow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryFault {
    /// An event is missing or doubled: the store broke promise H1.
    #[error("the history has event {found} where event {expected} belongs")]
    Gap {
        /// The ID that comes next.
        expected: EventId,
        /// The ID that came.
        found: EventId,
    },
    /// The first event is not `WorkflowStarted`, or another one is.
    #[error(
        "event {0} is not what a history can hold there: WorkflowStarted is its first event, and only that"
    )]
    Misplaced(EventId),
    /// An event comes after the one that closed the run.
    #[error("event {0} comes after the end of the run")]
    AfterClose(EventId),
    /// An event is earlier than the one before it.
    #[error("event {0} is earlier than the event before it")]
    TimeGoesBack(EventId),
    /// An outcome belongs to an event that can have no such outcome.
    #[error("event {event_id} cannot be the outcome of event {of}")]
    OutcomeOfNothing {
        /// The event.
        event_id: EventId,
        /// What it points at.
        of: EventId,
    },
    /// Written by a newer engine (promise H15): update this program.
    #[error("the history is written under semantics {0}, newer than this engine's {current}; update this program",
        current = SemanticsVersion::CURRENT)]
    NewerSemantics(SemanticsVersion),
    /// The run is bound to another workflow than the one that it was given to.
    #[error("the run is bound to {bound}, and was given to {given}")]
    OtherWorkflow {
        /// What the history says.
        bound: WorkflowType,
        /// What is to replay it.
        given: WorkflowType,
    },
}

impl TaskError {
    /// The class under which a store keeps it.
    #[must_use]
    pub fn kind(&self) -> TaskFailureKind {
        match self {
            Self::Nondeterminism(_) => TaskFailureKind::Nondeterminism,
            Self::ForeignAwait { .. } | Self::NeverEndingAwait { .. } => TaskFailureKind::ForeignAwait,
            Self::Panic { .. } => TaskFailureKind::Panic,
            Self::Undecodable { .. } => TaskFailureKind::Undecodable,
            Self::History(_) => TaskFailureKind::History,
        }
    }
}

impl From<Nondeterminism> for TaskError {
    fn from(mismatch: Nondeterminism) -> Self {
        Self::Nondeterminism(Box::new(mismatch))
    }
}

fn shown(place: Option<&Place>) -> String {
    place.map_or_else(|| "an unknown place".to_owned(), Place::to_string)
}
