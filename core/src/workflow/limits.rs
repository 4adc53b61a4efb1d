//! How long a call of an activity may take, in all its parts.

use std::time::Duration;

use super::ActivityCall;

impl<T> ActivityCall<T> {
    /// Sets the longest that one attempt may take; without it there is no limit.
    ///
    /// # Determinism
    /// As for [`retry`](Self::retry).
    pub fn start_to_close(self, timeout: Duration) -> Self {
        self.with(|body| body.start_to_close = Some(timeout))
    }

    /// Sets how long an attempt may be silent between two [heartbeats](crate::activity::ActivityContext::heartbeat);
    /// without it there is no limit.
    ///
    /// Then the attempt is stopped and has failed with [`TimeoutKind::Heartbeat`](crate::vocabulary::TimeoutKind); the
    /// next one is given what it said last. An attempt whose worker died is tried again without waiting for this.
    ///
    /// # Determinism
    /// As for [`retry`](Self::retry). Such a call has a row in its queue from the start, which holds the details.
    pub fn heartbeat_timeout(self, timeout: Duration) -> Self {
        self.with(|body| body.heartbeat = Some(timeout))
    }

    /// Sets the longest that the whole call may take, with all attempts and the waits between them; without it there
    /// is no limit.
    ///
    /// Then it fails with [`TimeoutKind::ScheduleToClose`](crate::vocabulary::TimeoutKind), wherever it stands: in a
    /// queue that nobody serves, in a wait between attempts, or running, in which case it is stopped. The failure of the
    /// last attempt is its cause. An attempt is not tried again if its wait would end after that: the call fails at once,
    /// as the attempt did.
    ///
    /// # Determinism
    /// Kept in the activity's event, counted from its time; what history holds goes on to apply after a change of the
    /// code, and is never compared. The run's holder fires it, like a timer, after any restart; history gets the failure.
    pub fn schedule_to_close(self, timeout: Duration) -> Self {
        self.with(|body| body.schedule_to_close = Some(timeout))
    }

    /// Sets how long the call may wait until a worker begins its first attempt; without it there is no limit.
    ///
    /// Then it fails with [`TimeoutKind::ScheduleToStart`](crate::vocabulary::TimeoutKind) and is not tried again: it is
    /// for noticing a queue that is overloaded, or that nobody serves.
    ///
    /// # Determinism
    /// As for [`schedule_to_close`](Self::schedule_to_close).
    pub fn schedule_to_start(self, timeout: Duration) -> Self {
        self.with(|body| body.schedule_to_start = Some(timeout))
    }
}
