//! Workflows: what users write them with.
//!
//! A workflow is a deterministic `async fn` over a [`WorkflowContext`]. What it awaits of ours is recorded; everything
//! else in it runs again at each replay, and must do the same each time. Thin and typed, over `replay`.

mod async_signal_handlers;
mod calls;
mod cancellation;
mod chance;
mod child_error;
mod children;
mod code;
mod context;
mod deadline;
mod definition;
mod error;
mod external;
mod finished;
mod group;
mod headers;
mod limits;
mod names;
mod patch;
mod publish;
mod queries;
mod saga;
mod scope;
mod semaphore;
mod shared;
mod shown;
mod signal_handlers;
mod signals;
mod step;
mod together;
mod updates;
mod wait_until;

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::history::{ActivityCancellation, ChildCancellation, ChildIdConflict, ParentClosePolicy};
pub use calls::{ActivityCall, SideEffectCall, Sleep, StepCall};
pub use child_error::{ChildError, ExternalError};
pub use children::{ChildCall, ChildHandle, ChildStart};
pub use code::NamesWorkflow;
pub use context::{SUGGESTED_BYTES, SUGGESTED_EVENTS, WorkflowContext, WorkflowInfo};
pub use deadline::TimedOut;
pub use definition::{definition, workflow_type};
pub use error::{CallError, WorkflowError, WorkflowResult};
pub use external::{ExternalCall, ExternalWorkflow};
pub use finished::HandlersFinished;
pub use names::{NamesQuery, NamesSignal, NamesUpdate, QueryType, SignalType, UpdateType};
pub use saga::{CompensationId, FailedCompensation, Saga, Uncompensated};
pub use scope::CancelScope;
pub use semaphore::{Acquire, Mutex, MutexGuard, Permit, Semaphore};
pub use shared::Shared;
pub use signals::{Signal, Signals};
pub use together::{All, TryAll, all, try_all};
pub use wait_until::WaitUntil;

/// A deterministic function whose every decision is kept in a history.
///
/// `#[retell::workflow]` writes the implementation for an `async fn`; by hand it is an empty struct.
///
/// # Determinism
/// At a replay the function is called again from its start, with the same input, and is given the same outcomes in the
/// same order. It must then call the same things of [`WorkflowContext`] in the same order: no clock, randomness,
/// environment, threads, runtime, or walk over a `HashMap` may decide what it does. Changed code gets a new `VERSION`
/// (the old one stays registered until its runs have ended).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use retell::workflow::{Workflow, WorkflowContext, WorkflowResult};
///
/// struct Reminder;
///
/// impl Workflow for Reminder {
///     type Input = u64;
///     type Output = String;
///     const NAME: &'static str = "reminder";
///
///     async fn run(cx: WorkflowContext, minutes: u64) -> WorkflowResult<String> {
///         cx.sleep(Duration::from_secs(60 * minutes)).await?;
///         Ok(format!("{minutes} minutes have passed"))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a workflow",
    label = "not a workflow",
    note = "write `#[retell::workflow]` above the function, or implement `Workflow`"
)]
pub trait Workflow: Send + Sync + 'static {
    /// The argument.
    type Input: Serialize + DeserializeOwned + Send + 'static;
    /// What it returns.
    type Output: Serialize + DeserializeOwned + Send + 'static;
    /// The name under which it is registered and recorded; histories hold it for ever.
    const NAME: &'static str;
    /// The version of its code. A run stays with the version that it was started under.
    const VERSION: u32 = 1;

    /// The function.
    ///
    /// # Errors
    /// Ends the run as failed; or as cancelled, if the error comes from a cancel request.
    fn run(
        cx: WorkflowContext,
        input: Self::Input,
    ) -> impl Future<Output = WorkflowResult<Self::Output>> + Send + 'static;
}
