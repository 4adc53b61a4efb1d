//! A recorded history against the code of one workflow, or of the one of several that it belongs to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use retell::history::EventKind;
use retell::replay::{Definition, Divergence, check};
use retell::vocabulary::{InvalidId, WorkflowType};
use retell::workflow::{NamesWorkflow, Workflow, definition};

use super::{Recorded, RecordedError};

/// What can be read as a recorded history: a `&str` that **is** its text, a `Path` or `PathBuf` to a file, or a
/// [`Recorded`].
pub trait IntoRecorded {
    /// Reads it.
    ///
    /// # Errors
    /// If the file cannot be read, or the text is no recorded history.
    fn into_recorded(self) -> Result<Recorded, RecordedError>;
}

/// A recorded history that today's code does not replay, or that could not be brought to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The history could not be read.
    #[error(transparent)]
    Recorded(#[from] RecordedError),
    /// The workflow's own name is none: change its `NAME`.
    #[error(transparent)]
    Name(#[from] InvalidId),
    /// The history belongs to a workflow, or a version of it, that was not given: give that one.
    #[error("{}", other_workflow(bound.as_ref(), given))]
    OtherWorkflow {
        /// What its first event says; `None` if that does not start a run.
        bound: Option<WorkflowType>,
        /// What it was to be replayed against.
        given: Vec<WorkflowType>,
    },
    /// The code does not follow the history; the text of this is the whole report.
    #[error(transparent)]
    Diverged(Box<Divergence>),
}

/// Replays a recorded history against a workflow's code: a test in one line.
///
/// Takes the text, as from `include_str!`, or a path, which is relative to the package in a test. The history may be
/// open or closed. May be called in an async test too: the code is polled on a thread of its own.
///
/// # Panics
/// If the code does not follow the history, with what history holds and what the code asks for side by side; or if
/// the history cannot be read or belongs to another workflow or version.
///
/// # Examples
/// ```
/// use retell::prelude::*;
///
/// #[retell::activity]
/// async fn charge(_cx: ActivityContext, cents: u64) -> Result<(), ActivityError> {
///     Ok(())
/// }
///
/// #[retell::workflow]
/// async fn pay(cx: WorkflowContext, cents: u64) -> WorkflowResult<()> {
///     cx.activity(charge, &cents).await?;
///     Ok(())
/// }
///
/// // In a test: include_str!("histories/pay.txt")
/// let history = r#"
///     retell history 1
///     1 2026-11-21T06:55:00.000000Z WorkflowStarted workflow={"name":"pay","version":1} semantics=1 task_queue="default" input=5 seed=7
///     2 2026-11-21T06:55:00.000000Z ActivityScheduled activity="charge" input=5
/// "#;
/// retell_tester::replay(pay, history);
/// ```
#[track_caller]
pub fn replay<W: Workflow, M>(workflow: impl NamesWorkflow<W, M>, history: impl IntoRecorded) {
    if let Err(error) = try_replay(workflow, history) {
        panic!("a recorded history does not replay\n\n{}", told(&error));
    }
}

/// Replays a recorded history against a workflow's code, as [`replay`] does, and returns what is wrong.
///
/// # Errors
/// [`ReplayError`].
pub fn try_replay<W: Workflow, M>(
    _workflow: impl NamesWorkflow<W, M>,
    history: impl IntoRecorded,
) -> Result<(), ReplayError> {
    replay_one_of(&[definition::<W>()?], &history.into_recorded()?)
}

/// Replays against the one that the history belongs to.
pub(super) fn replay_one_of(
    definitions: &[Arc<dyn Definition>],
    recorded: &Recorded,
) -> Result<(), ReplayError> {
    let bound = match recorded.events.first().map(|event| &event.kind) {
        Some(EventKind::WorkflowStarted(body)) => Some(&body.workflow),
        _ => None,
    };
    let found = definitions.iter().find(|given| Some(given.workflow_type()) == bound);
    let Some(definition) = found else {
        let given = definitions.iter().map(|given| given.workflow_type().clone()).collect();
        return Err(ReplayError::OtherWorkflow { bound: bound.cloned(), given });
    };
    // The caller may stand in an async runtime, which the code must not find.
    let checked = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("replay".to_owned());
        let check = || check(definition, &recorded.run, &recorded.events);
        thread.spawn_scoped(scope, check).expect("a thread can be started").join()
    });
    match checked {
        Ok(checked) => checked.map_err(ReplayError::Diverged),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// An error with its sources, for a panic.
pub(super) fn told(error: &ReplayError) -> String {
    match error {
        ReplayError::Recorded(
            error @ (RecordedError::Read { source, .. } | RecordedError::Write { source, .. }),
        ) => {
            format!("{error}: {source}")
        }
        error => error.to_string(),
    }
}

fn other_workflow(bound: Option<&WorkflowType>, given: &[WorkflowType]) -> String {
    let Some(bound) = bound else {
        return "the history does not begin with WorkflowStarted, so that it belongs to no workflow"
            .to_owned();
    };
    let shown = |given: Vec<&WorkflowType>| {
        given.into_iter().map(WorkflowType::to_string).collect::<Vec<_>>().join(", ")
    };
    let versions: Vec<_> = given.iter().filter(|given| given.name == bound.name).collect();
    if versions.is_empty() {
        let given = shown(given.iter().collect());
        format!("the history belongs to {bound}, and was given to {given}; give it to {bound}")
    } else {
        let versions = shown(versions);
        format!(
            "the history belongs to {bound}, and was given to {versions}; give it to version {} as long as runs of \
             that are open, then drop it or record a new one",
            bound.version
        )
    }
}

impl IntoRecorded for Recorded {
    fn into_recorded(self) -> Result<Recorded, RecordedError> {
        Ok(self)
    }
}

impl IntoRecorded for &Recorded {
    fn into_recorded(self) -> Result<Recorded, RecordedError> {
        Ok(self.clone())
    }
}

impl IntoRecorded for &str {
    fn into_recorded(self) -> Result<Recorded, RecordedError> {
        Recorded::from_text(self).map_err(|mut text| {
            if !self.trim().contains('\n') {
                text.reason.push_str("; a `&str` is the text itself, for a file give a `Path`");
            }
            RecordedError::Text { path: None, text }
        })
    }
}

impl IntoRecorded for &Path {
    fn into_recorded(self) -> Result<Recorded, RecordedError> {
        Recorded::load(self)
    }
}

impl IntoRecorded for PathBuf {
    fn into_recorded(self) -> Result<Recorded, RecordedError> {
        Recorded::load(self)
    }
}
