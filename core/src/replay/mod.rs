//! Replay: the pure machine that turns the events of a run into the commands of its code.
//!
//! Owns the code's futures and polls them itself, one event at a time, the same way for a stored history and live.
//! No clock, no I/O, no async runtime. Imports the vocabulary, history, commands, and the classes of task failures;
//! `workflow` puts what users meet on top, and the worker, the tester and the debugger drive it.

mod around;
mod call;
mod check;
mod child;
mod divergence;
mod error;
mod family;
mod foreign;
mod limits;
mod machine;
mod mailboxes;
mod matching;
mod operations;
mod overtime;
mod pause;
mod presence;
mod queries;
mod random;
mod receive;
mod scope;
mod standing;
mod state;
mod step;
mod tasks;
mod updates;
mod views;
mod world;

use futures::future::BoxFuture;

pub(crate) use around::Around;
pub(crate) use call::Call;
pub use check::check;
#[cfg(feature = "worker")]
pub(crate) use check::panics_of;
pub(crate) use child::HeldChild;
pub use divergence::{Divergence, Row, Verdict};
pub use error::{HistoryFault, Nondeterminism, TaskError};
pub use family::{Child, Family};
pub use foreign::Alarm;
pub use limits::Overdue;
pub use machine::{Machine, MachineOptions, PanicPolicy};
pub(crate) use operations::Resolution;
pub(crate) use overtime::timed_out;
pub use queries::QueryFault;
pub(crate) use receive::Receive;
pub(crate) use scope::Scope;
pub(crate) use standing::{Wait, Wanted};
pub(crate) use state::{ChildRequest, Manner, Received, Request};
pub(crate) use step::panic_message;
pub(crate) use updates::Updates;
pub use world::World;

use crate::vocabulary::{Failure, Headers, Payload, PayloadError, WorkflowType};

/// The user's function, ready to be launched. [`workflow::definition`](crate::workflow::definition) makes one.
pub trait Definition: Send + Sync + 'static {
    /// What runs it serves.
    fn workflow_type(&self) -> &WorkflowType;

    /// Decodes the input and makes the function's future, which the machine polls.
    ///
    /// Called by a machine when it takes event 1 in, on the thread that drives it.
    ///
    /// # Errors
    /// If the input is not what the function takes.
    fn launch(&self, world: World, input: &Payload) -> Result<BoxFuture<'static, Conclusion>, PayloadError>;
}

/// How the user's function ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Conclusion {
    /// It returned a value.
    Completed(Payload),
    /// It returned an error.
    Failed(Failure),
    /// It returned because of a cancel request.
    Cancelled,
    /// It asked to go on as a new run with an empty history.
    ContinueAsNew {
        /// The code of the new run.
        workflow: WorkflowType,
        /// Its argument.
        input: Payload,
        /// What travels with all that it calls.
        headers: Headers,
    },
}

/// What a local call does: a value that is the driver's to understand, and the machine's to keep. `None` in its place
/// stands for the activity of the call's name.
pub type Step = Box<dyn std::any::Any + Send>;

/// The closure of a side effect: run once, after the commit that holds its event is acknowledged.
pub type SideEffect = Box<dyn FnOnce() -> Result<Payload, PayloadError> + Send>;
