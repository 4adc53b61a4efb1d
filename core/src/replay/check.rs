//! The replay check: a whole history against today's code, before the code is deployed or in a test.

use std::sync::Arc;

use super::Definition;
use super::divergence::Divergence;
use super::machine::{Machine, MachineOptions, PanicPolicy};
use crate::history::{Event, EventKind};
use crate::vocabulary::{FailureKind, RunKey};

/// Replays a history from its first event against a workflow's code, and says where the code parts from it.
///
/// The history may be open or closed, and may hold event 1 alone: then the code is polled once, which finds panics and
/// inputs that do not decode. An empty history agrees with everything. `run` is what the code sees as its own run; give
/// the run that the history belongs to, or code that puts its run ID into an input does not find it there again.
///
/// Stores nothing, runs no activity and no side effect, and keeps the code's `tracing` events silent. Call it outside of
/// an async runtime, as [`Machine`] says.
///
/// # Errors
/// [`Divergence`]: the first place where the code does not follow, with both sides.
///
/// # Examples
/// ```
/// use retell::history::from_text;
/// use retell::prelude::*;
/// use retell::replay;
/// use retell::vocabulary::{EventId, Namespace, RunId, RunKey, WorkflowId};
///
/// #[retell::activity]
/// async fn charge(_cx: ActivityContext, cents: u64) -> Result<(), ActivityError> {
///     Ok(())
/// }
///
/// #[retell::workflow]
/// async fn pay(cx: WorkflowContext, cents: u64) -> WorkflowResult<()> {
///     cx.activity(charge, &(cents + 1)).await?;
///     Ok(())
/// }
///
/// let history = from_text(
///     r#"retell history 1
///     1 2026-11-21T06:55:00.000000Z WorkflowStarted workflow={"name":"pay","version":1} semantics=1 task_queue="default" input=5 seed=7
///     2 2026-11-21T06:55:00.000000Z ActivityScheduled activity="charge" input=5"#,
/// )?;
/// let run = RunKey {
///     namespace: Namespace::default(),
///     workflow_id: WorkflowId::new("pay-1")?,
///     run_id: RunId::fresh(),
/// };
/// let divergence = replay::check(&retell::workflow::definition::<pay>()?, &run, &history).unwrap_err();
/// assert_eq!(divergence.event_id, EventId(2));
/// println!("{divergence}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check(
    definition: &Arc<dyn Definition>,
    run: &RunKey,
    events: &[Event],
) -> Result<(), Box<Divergence>> {
    tracing::dispatcher::with_default(&tracing::Dispatch::none(), || {
        let options = MachineOptions { panics: panics_of(events), alarm: None };
        let mut machine = Machine::new(definition.clone(), run.clone(), options);
        let replayed = machine.replay(events.to_vec()).and_then(|()| machine.replayed());
        replayed.map_err(|error| Box::new(Divergence::new(machine, events, error)))
    })
}

/// What a panic did where the history was written, as far as it tells.
pub(crate) fn panics_of(events: &[Event]) -> PanicPolicy {
    match events.last().map(|event| &event.kind) {
        Some(EventKind::WorkflowFailed(body)) if body.failure.kind == FailureKind::Panic => {
            PanicPolicy::FailRun
        }
        _ => PanicPolicy::FailTask,
    }
}
