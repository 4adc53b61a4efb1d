//! Deadlines: a time limit around any future.

use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};

use super::WorkflowContext;
use crate::replay::{Call, Manner, Request};
use crate::vocabulary::Timestamp;

/// The time was up before the future had ended. See [`WorkflowContext::timeout`].
///
/// As the end of a workflow it is a failure of the kind [`Timeout`](crate::vocabulary::FailureKind::Timeout).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimedOut {
    /// When the time was up.
    pub deadline: Timestamp,
}

impl WorkflowContext {
    /// Lets a future take no longer than this, on the store's wall clock.
    ///
    /// What has not ended by then is dropped: the activities and timers that it awaits are cancelled. The time begins
    /// when this is first polled. A cancel request reaches what is awaited inside, and not the limit: it holds for what
    /// cleans up in there too.
    ///
    /// # Errors
    /// The await gives [`TimedOut`] when the time is up.
    ///
    /// # Determinism
    /// Persists a timer, unless the future ends in its first poll, and what is cancelled in the end: the timer, or what
    /// the future awaited. Replay compares when the timer is due. If both come at once, the order in history decides.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use retell::prelude::*;
    ///
    /// #[retell::workflow]
    /// async fn confirm(cx: WorkflowContext) -> WorkflowResult<bool> {
    ///     match cx.timeout(Duration::from_secs(3_600), cx.signal::<bool>("confirmed")).await {
    ///         Ok(confirmed) => Ok(confirmed?),
    ///         Err(_time_is_up) => Ok(false),
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn timeout<F: Future>(
        &self,
        limit: Duration,
        future: F,
    ) -> impl Future<Output = Result<F::Output, TimedOut>> + use<F> {
        let (cx, manner) = (self.clone(), self.limit_manner(Location::caller()));
        async move {
            let deadline = cx.now() + limit;
            cx.limited(manner, Request::SleepFor(limit), deadline, future).await
        }
    }

    /// As [`timeout`](Self::timeout), until an instant: futures of one after another share it.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Determinism
    /// As there. A deadline that has passed lets the future be polled once.
    #[track_caller]
    pub fn deadline<F: Future>(
        &self,
        deadline: Timestamp,
        future: F,
    ) -> impl Future<Output = Result<F::Output, TimedOut>> + use<F> {
        let (cx, manner) = (self.clone(), self.limit_manner(Location::caller()));
        async move { cx.limited(manner, Request::SleepUntil(deadline), deadline, future).await }
    }

    /// A limit is no await of the user's: no cancellation ends it.
    fn limit_manner(&self, location: &'static Location<'static>) -> Manner {
        self.shielded().manner(location)
    }

    async fn limited<F: Future>(
        &self,
        manner: Manner,
        timer: Request,
        deadline: Timestamp,
        future: F,
    ) -> Result<F::Output, TimedOut> {
        // In this order: a future that is ready at once starts no timer.
        match select(pin!(future), Call::new(self.world().clone(), manner, timer)).await {
            Either::Left((output, _)) => Ok(output),
            Either::Right(_) => Err(TimedOut { deadline }),
        }
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the time was up at {}", self.deadline)
    }
}

impl Error for TimedOut {}
