//! The macros of `retell`: `#[workflow]` and `#[activity]` turn functions into what the engine can register and call;
//! `join!`, `select!` and `race!` wait for several futures in an order that replay can repeat.
//!
//! Use them through `retell`, which re-exports them. They expand to `::retell` and `::core` paths only.

mod attribute;
mod combine;
mod folder;

use proc_macro::TokenStream;

/// Makes a workflow of an `async fn`.
///
/// It becomes a type of the same name that implements `retell::workflow::Workflow` (`RunHandle<process_order>`), and a
/// function of that name, which stands for the type where a value is asked for (`client.start(process_order, ..)`); a
/// local variable may have the name too. What is written takes a `WorkflowContext`, then at most one input, and returns a
/// `WorkflowResult<T>`.
///
/// # Options
/// - `name = "..."`: the name under which it is registered and recorded; the function's own unless said otherwise.
///   Runs are bound to it for ever: keep the old name when you rename the function.
/// - `version = 2`: the version of its code, 1 unless said otherwise.
/// - `crate = path`: where `retell` is to be found, for crates that re-export it.
///
/// # Determinism
/// The body runs again at each replay and must take the same decisions: no clock, no randomness, no I/O, no threads but
/// through its context.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use retell::activity::{ActivityContext, ActivityError};
/// use retell::workflow::{Workflow, WorkflowContext, WorkflowError, WorkflowResult};
///
/// #[retell::activity]
/// async fn charge(_cx: ActivityContext, order: u64) -> Result<String, ActivityError> {
///     Ok(format!("payment-{order}"))
/// }
///
/// /// Charges what was approved within a day.
/// #[retell::workflow(name = "process-order", version = 2)]
/// async fn process_order(cx: WorkflowContext, order: u64) -> WorkflowResult<String> {
///     let approved = retell::select! {
///         decision = cx.signal::<bool>("decision") => decision?,
///         timer = cx.sleep(Duration::from_secs(24 * 3600)) => { timer?; false }
///     };
///     if !approved {
///         return Err(WorkflowError::new("not approved"));
///     }
///     Ok(cx.activity(charge, &order).await?)
/// }
///
/// assert_eq!((process_order::NAME, process_order::VERSION), ("process-order", 2));
/// ```
#[proc_macro_attribute]
pub fn workflow(options: TokenStream, function: TokenStream) -> TokenStream {
    attribute::expand(attribute::Kind::Workflow, options.into(), function.into()).into()
}

/// Makes an activity of an `async fn`, or of a `fn` that may block its thread.
///
/// It becomes a type of the same name that implements `retell::activity::Activity`, or `BlockingActivity` for a `fn`, and a
/// function that stands for the type, as for [`workflow`](macro@workflow). What is written takes an `ActivityContext`, then
/// at most one input, and returns a `Result<T, ActivityError>`.
///
/// # Options
/// - `name = "..."`: the name under which it is registered and recorded; the function's own unless said otherwise.
///   Histories hold it for ever: keep the old name when you rename the function.
/// - `transactional`: its outcome commits with a transaction of the user's own, by `cx.commit(transaction, output)`. Its
///   calls have a row in the queue from the start.
/// - `crate = path`: where `retell` is to be found, for crates that re-export it.
///
/// # Examples
/// ```
/// use retell::activity::{Activity, ActivityContext, ActivityError};
///
/// /// Greets somebody.
/// #[retell::activity]
/// async fn greet(_cx: ActivityContext, name: String) -> Result<String, ActivityError> {
///     Ok(format!("Hello, {name}!"))
/// }
///
/// #[retell::activity(name = "read-note")]
/// fn read_note(_cx: ActivityContext, path: String) -> Result<String, ActivityError> {
///     Ok(std::fs::read_to_string(path)?)
/// }
///
/// assert_eq!((greet::NAME, greet::BLOCKING), ("greet", false));
/// assert_eq!((<read_note as Activity>::NAME, read_note::BLOCKING), ("read-note", true));
/// ```
#[proc_macro_attribute]
pub fn activity(options: TokenStream, function: TokenStream) -> TokenStream {
    attribute::expand(attribute::Kind::Activity, options.into(), function.into()).into()
}

/// Waits for all of several futures: `join!(a, b, c)` yields the tuple of their outputs.
///
/// Each may be of its own type, and anything that is `IntoFuture`. The expressions are evaluated in order. Whenever
/// the whole is woken, those that are not done are polled in order; each is dropped when it is done.
///
/// # Determinism
/// The order of polling is that of the arguments, always: commands of the branches come in that order.
///
/// # Cancel safety
/// Dropping the whole drops every branch that is not done, in order.
///
/// # Examples
/// ```
/// # futures::executor::block_on(async {
/// let (sum, text) = retell::join!(async { 1 + 1 }, async { "two" });
/// assert_eq!((sum, text), (2, "two"));
/// # });
/// ```
#[proc_macro]
pub fn join(futures: TokenStream) -> TokenStream {
    combine::join(futures.into()).into()
}

/// Waits for the first of several futures and runs its handler: `select! { pattern = future => handler, ... }`.
///
/// Polled in order of declaration, the first that is ready wins. The losers, in order, and then the winner are dropped
/// **before** the handler runs, so that what they borrowed or stood for is free again. The value of the whole is that
/// of the handler, which stands in the surrounding function: `?`, `return`, `break` and `.await` work there. Patterns
/// are irrefutable. A comma may be left out after a handler that is a block.
///
/// # Determinism
/// No lots are drawn: of two branches that are ready at once the one that is declared first wins, always.
///
/// # Cancel safety
/// Dropping the whole drops every branch. Only the winner was polled ready, so that a message that came for a loser
/// lies where it lay.
///
/// # Examples
/// ```
/// use std::future::{pending, ready};
///
/// # futures::executor::block_on(async {
/// let approved = retell::select! {
///     decision = ready(Some(true)) => decision.unwrap_or(false),
///     () = pending() => false,
/// };
/// assert!(approved);
/// # });
/// ```
#[proc_macro]
pub fn select(branches: TokenStream) -> TokenStream {
    combine::select(branches.into()).into()
}

/// Waits for the first of several futures of one output type: `race!(a, b, ...)` yields its output.
///
/// Polled in order, the first that is ready wins; then all are dropped, in order.
///
/// # Determinism
/// No lots are drawn: of two that are ready at once the one that stands first wins, always.
///
/// # Cancel safety
/// Dropping the whole drops every branch. Only the winner was polled ready.
///
/// # Examples
/// ```
/// use std::future::{pending, ready};
///
/// # futures::executor::block_on(async {
/// assert_eq!(retell::race!(pending(), ready("second"), ready("third")), "second");
/// # });
/// ```
#[proc_macro]
pub fn race(futures: TokenStream) -> TokenStream {
    combine::race(futures.into()).into()
}

/// What `retell_tester::replay_folder!` expands to; use that.
#[doc(hidden)]
#[proc_macro]
pub fn replay_folder(tokens: TokenStream) -> TokenStream {
    folder::expand(tokens.into()).into()
}
