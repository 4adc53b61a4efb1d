//! Activities: the user's side effects, what they are given, and how they fail.
//!
//! Imports the vocabulary only. A worker finds an [`ActivityDefinition`] by name, starts it with an
//! [`ActivityContext`], and sends what it returns to the run's inbox.

mod blocking;
mod cancel;
mod context;
mod definition;
mod error;
mod heartbeat;
mod names;
mod state;
mod token;

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use blocking::block_on;
pub use cancel::CancelFlag;
pub use context::{ActivityContext, ActivityInfo};
pub use definition::{ActivityDefinition, ActivityRun};
pub use error::ActivityError;
#[cfg(feature = "worker")]
pub(crate) use heartbeat::Outlet;
pub use names::NamesActivity;
pub use state::SharedState;
#[cfg(feature = "worker")]
pub(crate) use token::TokenParts;
pub use token::{ActivityToken, InvalidToken};

/// A side effect that workflows call: it may read clocks, draw lots, talk to the world.
///
/// `#[retell::activity]` writes the implementation for an `async fn`; by hand it is an empty struct. A worker calls
/// `run` once for each attempt, many attempts at a time. An attempt whose outcome did not reach the store before a
/// crash runs again: use [`ActivityContext::idempotency_key`] where doing the work twice would hurt.
///
/// The future may be dropped at any await: when the attempt's time is over, when the workflow lets go of it, when the
/// run ends elsewhere.
///
/// # Examples
/// ```
/// use retell::activity::{Activity, ActivityContext, ActivityError};
///
/// struct Greet;
///
/// impl Activity for Greet {
///     type Input = String;
///     type Output = String;
///     const NAME: &'static str = "greet";
///
///     async fn run(_cx: ActivityContext, name: String) -> Result<String, ActivityError> {
///         Ok(format!("Hello, {name}!"))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an activity",
    label = "not an activity",
    note = "write `#[retell::activity]` above the function, or implement `Activity` or `BlockingActivity`"
)]
pub trait Activity: Send + Sync + 'static {
    /// The argument, as callers give it.
    type Input: Serialize + DeserializeOwned + Send + 'static;
    /// What a call of it yields.
    type Output: Serialize + DeserializeOwned + Send + 'static;
    /// The name under which it is registered and recorded; histories hold it for ever.
    const NAME: &'static str;
    /// Whether `run` is polled on a thread that it may block. [`BlockingActivity`] sets it.
    const BLOCKING: bool = false;
    /// Whether its calls have a row in the queue from the start, by which an attempt can commit its outcome with the user's
    /// own transaction: [`ActivityContext::commit`]. `#[retell::activity(transactional)]` sets it.
    const TRANSACTIONAL: bool = false;

    /// Runs one attempt.
    ///
    /// # Errors
    /// What the retry policy of the call judges; an error that is not retryable ends the call.
    fn run(
        cx: ActivityContext,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, ActivityError>> + Send + 'static;
}

/// An [`Activity`] that blocks its thread: files, synchronous clients, long computation.
///
/// It runs on a thread of its own kind, of which a worker has few. Nothing can stop it from outside: a long one checks
/// [`ActivityContext::is_cancelled`] now and then. Every `BlockingActivity` is an `Activity`, called like any other.
///
/// # Examples
/// ```
/// use retell::activity::{ActivityContext, ActivityError, BlockingActivity};
///
/// struct ReadNote;
///
/// impl BlockingActivity for ReadNote {
///     type Input = String;
///     type Output = String;
///     const NAME: &'static str = "read_note";
///
///     fn run(_cx: ActivityContext, path: String) -> Result<String, ActivityError> {
///         Ok(std::fs::read_to_string(path)?)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an activity",
    label = "not an activity",
    note = "write `#[retell::activity]` above the function, or implement `Activity` or `BlockingActivity`"
)]
pub trait BlockingActivity: Send + Sync + 'static {
    /// The argument, as callers give it.
    type Input: Serialize + DeserializeOwned + Send + 'static;
    /// What a call of it yields.
    type Output: Serialize + DeserializeOwned + Send + 'static;
    /// The name under which it is registered and recorded; histories hold it for ever.
    const NAME: &'static str;
    /// As [`Activity::TRANSACTIONAL`].
    const TRANSACTIONAL: bool = false;

    /// Runs one attempt to its end.
    ///
    /// # Errors
    /// As [`Activity::run`].
    fn run(cx: ActivityContext, input: Self::Input) -> Result<Self::Output, ActivityError>;
}

impl<B: BlockingActivity> Activity for B {
    type Input = B::Input;
    type Output = B::Output;
    const NAME: &'static str = B::NAME;
    const BLOCKING: bool = true;
    const TRANSACTIONAL: bool = B::TRANSACTIONAL;

    async fn run(cx: ActivityContext, input: Self::Input) -> Result<Self::Output, ActivityError> {
        <B as BlockingActivity>::run(cx, input)
    }
}
