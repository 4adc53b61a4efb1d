//! What stands for a workflow where one is started, registered or faked.

use super::Workflow;

/// What says which workflow is meant: the name under `#[retell::workflow]`, or a value of a type that implements
/// [`Workflow`] by hand.
///
/// As for activities ([`NamesActivity`](crate::activity::NamesActivity)): the attribute makes a type and a function of
/// one name, and the function, which nothing calls, stands for the type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a workflow",
    label = "not a workflow",
    note = "write `#[retell::workflow]` above the function, or implement `Workflow`"
)]
pub trait NamesWorkflow<W: Workflow, M>: Send + Sync + 'static {}

impl<W: Workflow> NamesWorkflow<W, ()> for W {}

impl<W: Workflow, F: FnOnce() -> W + Send + Sync + 'static> NamesWorkflow<W, fn()> for F {}
