//! What a cancel request does to a call of an activity.

use super::ActivityCall;
use crate::history::ActivityCancellation;

impl<T> ActivityCall<T> {
    /// Sets what a cancel request does to the call; without it, [`ActivityCancellation::Try`].
    ///
    /// - `Try`: the await gives [`CallError::Cancelled`](super::CallError::Cancelled) at once, the body is stopped, and
    ///   its row leaves the queue.
    /// - `Wait`: the body is asked to stop ([`ActivityContext::is_cancelled`](crate::activity::ActivityContext)), on
    ///   another worker with its next heartbeat, and the await gives what it ends with: its value, its failure, or
    ///   `CallError::Cancelled` if it returns
    ///   [`ActivityError::cancelled`](crate::activity::ActivityError::cancelled). It is not tried again. What nobody had
    ///   begun ends as cancelled at once.
    /// - `Abandon`: the await gives `CallError::Cancelled` at once, and the body goes on, tries and all.
    ///
    /// Dropping the call cancels it as `Try` does; under `Abandon` it lets go, as [`detach`](Self::detach) does. When the
    /// workflow function returns, whatever is still open is cancelled.
    ///
    /// # Determinism
    /// Kept in the activity's event, where it goes on to apply after a change of the code; never compared. `Try` leaves
    /// an `ActivityCancelled`, `Wait` an `ActivityCancelRequested` and later the outcome, `Abandon` the outcome alone.
    pub fn cancellation(self, cancellation: ActivityCancellation) -> Self {
        self.with(|body| body.cancellation = cancellation)
    }
}
