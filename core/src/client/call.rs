//! Calling the store until it answers or the caller's deadline passes.

use std::time::Duration;

use futures::future::{Either, select};

use super::Client;
use crate::backend::{StoreError, StoreErrorKind};
use crate::write::{Outcome, Refusal, Write};

/// The wait before a call is tried again, doubled each time.
const AGAIN_AFTER: Duration = Duration::from_millis(10);
/// The longest such wait.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(1);

impl Client {
    /// Calls the store again and again, until it answers or the deadline passes; what does not pass is told at once.
    pub(super) async fn by_deadline<T, F>(&self, call: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let clock = &self.seams.clock;
        let give_up = clock.elapsed() + self.deadline;
        let mut wait = AGAIN_AFTER;
        let mut last = None;
        loop {
            let left = give_up.saturating_sub(clock.elapsed());
            let error = match select(Box::pin(call()), clock.sleep(left)).await {
                Either::Left((Ok(answer), _)) => return Ok(answer),
                Either::Left((Err(error), _)) => error,
                Either::Right(_) => {
                    let silent = || StoreError::new(StoreErrorKind::Unavailable, "wait for the store");
                    return Err(last.unwrap_or_else(silent));
                }
            };
            let passes = matches!(error.kind, StoreErrorKind::Unavailable | StoreErrorKind::Full);
            if !passes || clock.elapsed() + wait >= give_up {
                return Err(error);
            }
            last = Some(error);
            clock.sleep(wait).await;
            wait = (wait * 2).min(AGAIN_AFTER_MAX);
        }
    }

    /// Applies one write. It has an identity: an unknown outcome is found out by applying it again.
    pub(super) async fn apply(&self, write: Write) -> Result<Outcome, StoreError> {
        let batch: std::sync::Arc<[Write]> = vec![write].into();
        let outcomes = self.by_deadline(|| self.seams.backend.apply(batch.clone())).await?;
        let none = || Err(Refusal::Invalid("the store gave no outcome".to_owned()));
        Ok(outcomes.into_iter().next().unwrap_or_else(none))
    }
}
