//! What keeps a test from going on: not the workflow's outcome, but a fault of its code or of the test itself.

use retell::replay::Divergence;
use retell::vocabulary::RunKey;
use retell::write::TaskFailure;

/// Why a test cannot go on. Methods without `try_` panic with its text.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// The workflow's code did something else when it was told its own history again: take out what is not replayed.
    #[error("the workflow does not replay its own history\n{0}")]
    Nondeterminism(Box<Divergence>),
    /// A workflow task failed: the code panicked, awaits what is not Retell's, or cannot read its input.
    #[error("a workflow task of run {run} failed ({:?}): {}", .failure.kind, .failure.message)]
    TaskFailed {
        /// Whose.
        run: RunKey,
        /// How.
        failure: TaskFailure,
    },
    /// Nothing can happen any more, and what the test waits for has not: the text says what is open, and why.
    #[error("{0}")]
    Still(String),
    /// An activity was called that neither a fake nor code takes.
    #[error("an unexpected call: {0}")]
    UnexpectedCall(String),
    /// Real code ran for a minute of real time, while virtual time stood still for it: let it end, or fake it.
    #[error(
        "real code has run for a minute, and time stands still while it does: {}; let it end, or fake it",
        .0.join(", ")
    )]
    RealCode(Vec<String>),
    /// The engine does not come to rest: workflow code or a fake goes round without time passing.
    #[error("the engine does not come to rest: something goes round without time passing")]
    Restless,
    /// What was expected has not happened; a line for each.
    #[error("what was expected did not happen:\n  {}", .0.join("\n  "))]
    Unmet(Vec<String>),
}
