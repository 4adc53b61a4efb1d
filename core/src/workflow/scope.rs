//! Cancellation scopes and shields: which awaits a cancellation reaches.

use std::panic::Location;

use super::WorkflowContext;
use crate::replay::Scope;

/// A part of the workflow that can be cancelled apart from the rest. See [`WorkflowContext::scope`].
///
/// Clones stand for the same scope: give one to the branch that may have to cancel it. Dropping it cancels nothing.
#[derive(Debug, Clone)]
pub struct CancelScope {
    cx: WorkflowContext,
}

impl WorkflowContext {
    /// Opens a cancellation scope: what is awaited through [its context](CancelScope::cx) ends when it is cancelled, and
    /// nothing else does.
    ///
    /// Scopes nest: cancelling one reaches those opened from its context, never those around it; a cancel request of the
    /// run reaches all that were not opened under a shield. A [shield](Self::shielded) opened inside of a scope holds
    /// against the scope too, and a scope opened under a shield ends by its own handle only.
    ///
    /// # Determinism
    /// Nothing is persisted of the scope; what its cancelling lets go of is, as when a future is dropped.
    ///
    /// # Examples
    /// ```
    /// use retell::prelude::*;
    ///
    /// #[retell::activity]
    /// async fn quote(_cx: ActivityContext, seller: String) -> Result<u64, ActivityError> {
    ///     Ok(seller.len() as u64)
    /// }
    ///
    /// /// Asks until somebody says that it is enough; what was quoted until then counts.
    /// #[retell::workflow]
    /// async fn quotes(cx: WorkflowContext, sellers: Vec<String>) -> WorkflowResult<Vec<u64>> {
    ///     let scope = cx.scope();
    ///     let asking = futures::future::join_all(sellers.iter().map(|seller| scope.cx().activity(quote, seller)));
    ///     let stopping = async {
    ///         scope.cx().signal::<()>("enough").await.map(|()| scope.cancel())
    ///     };
    ///     let (quoted, _) = retell::join!(async { let all = asking.await; scope.cancel(); all }, stopping);
    ///     Ok(quoted.into_iter().flatten().collect())
    /// }
    /// ```
    #[must_use]
    pub fn scope(&self) -> CancelScope {
        let scope = Scope::new(self.scope_here().cloned());
        CancelScope { cx: self.moved(self.is_shielded(), Some(scope)) }
    }

    /// A context whose awaits neither a cancel request nor the cancelling of a [scope](Self::scope) touches: for
    /// cleaning up.
    ///
    /// # Determinism
    /// Nothing is persisted.
    #[must_use]
    pub fn shielded(&self) -> Self {
        self.moved(true, None)
    }
}

impl CancelScope {
    /// The context to await through what the scope is to reach.
    #[must_use]
    pub fn cx(&self) -> &WorkflowContext {
        &self.cx
    }

    /// Ends each await in the scope once with [`CallError::Cancelled`](super::CallError::Cancelled), in the order in
    /// which they were first polled; later ones end at once. Whoever awaits them is woken, and runs when this branch
    /// rests. The second time it does nothing.
    ///
    /// # Determinism
    /// Open activities and timers in the scope are cancelled in history, here.
    #[track_caller]
    pub fn cancel(&self) {
        if let Some(scope) = self.cx.scope_here() {
            scope.cancel(self.cx.world(), Location::caller());
        }
    }

    /// Whether it, or a scope around it, was cancelled. A cancel request of the run is not asked for here.
    ///
    /// # Determinism
    /// The same at each replay.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cx.scope_here().is_some_and(Scope::is_cancelled)
    }
}
