//! Ending an activity's attempt from outside, by its token.

use serde::Serialize;

use super::Client;
use crate::activity::{ActivityError, ActivityToken};
use crate::backend::StoreError;
use crate::history::{ActivityCompleted, ActivityFailed, EventKind, HistoryError, encode_kind};
use crate::vocabulary::{Payload, PayloadError, RequestId, Timestamp};
use crate::write::{ActivityReport, ActivityVerdict, Applied, NewMessage, Refusal, Write};

/// An attempt that could not be ended, or heard of, by its token.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CompletionError {
    /// The token is used up or of another store: the attempt was completed, failed, timed out or cancelled, or its run has
    /// closed. Nothing is to be done with it.
    #[error("the token is used up: its attempt has ended, or its run has")]
    UsedUp,
    /// The value does not encode, or is too large.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The codec refused the value.
    #[error(transparent)]
    Codec(HistoryError),
    /// The store cannot keep it.
    #[error(transparent)]
    Refused(Refusal),
    /// The store did not answer before the deadline: whether the attempt has ended is unknown. Try again; if it has,
    /// the answer is [`UsedUp`](Self::UsedUp).
    #[error("the store did not answer before the deadline; trying again is safe")]
    Unavailable(#[source] StoreError),
}

/// What the store answers to a heartbeat by a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Heard {
    /// Whether the run has asked the activity to stop: fail it with [`ActivityError::cancelled`].
    pub cancel_requested: bool,
}

impl Client {
    /// Completes the attempt of a token with this value, which must be of the activity's output type.
    ///
    /// Once it returns, the outcome is durably stored. Of several completions the first counts.
    ///
    /// # Errors
    /// [`CompletionError`].
    pub async fn complete_activity<T: Serialize + ?Sized>(
        &self,
        token: &ActivityToken,
        value: &T,
    ) -> Result<(), CompletionError> {
        self.complete_activity_with(token, value, self.fresh_request()).await
    }

    /// As [`complete_activity`](Self::complete_activity), under the caller's own request ID: done again under it, it is
    /// no [`UsedUp`](CompletionError::UsedUp).
    ///
    /// # Errors
    /// [`CompletionError`].
    pub async fn complete_activity_with<T: Serialize + ?Sized>(
        &self,
        token: &ActivityToken,
        value: &T,
        request_id: RequestId,
    ) -> Result<(), CompletionError> {
        let result = Payload::encode(value)?;
        let (scheduled, attempt) = (token.parts().scheduled, token.parts().attempt);
        let completed = ActivityCompleted { scheduled, attempt, result };
        self.end_attempt(token, completed.into(), request_id).await
    }

    /// Fails the attempt of a token; its retry policy says whether the activity is tried again.
    ///
    /// # Errors
    /// [`CompletionError`].
    pub async fn fail_activity(
        &self,
        token: &ActivityToken,
        error: impl Into<ActivityError>,
    ) -> Result<(), CompletionError> {
        self.fail_activity_with(token, error, self.fresh_request()).await
    }

    /// As [`fail_activity`](Self::fail_activity), under the caller's own request ID: done again under it, it is no
    /// [`UsedUp`](CompletionError::UsedUp).
    ///
    /// # Errors
    /// [`CompletionError`].
    pub async fn fail_activity_with(
        &self,
        token: &ActivityToken,
        error: impl Into<ActivityError>,
        request_id: RequestId,
    ) -> Result<(), CompletionError> {
        let mut failure = error.into().into_failure();
        let (parts, now) = (token.parts(), self.now());
        let delay = parts.retry.delay_in((parts.run.run_id, parts.scheduled), parts.attempt, &failure);
        let retry_at = delay.map(|delay| now + delay);
        let Some(visible_at) = retry_at.filter(|at| parts.close_by.is_none_or(|close_by| *at < close_by))
        else {
            let (scheduled, attempt) = (parts.scheduled, parts.attempt);
            let failed = ActivityFailed { scheduled, attempt, failure };
            return self.end_attempt(token, failed.into(), request_id).await;
        };
        let encode = |details| self.seams.codec.encode(details);
        let details = failure.details.take().map(encode).transpose();
        failure.details = details.map_err(|error| CompletionError::Codec(error.into()))?;
        let attempt = parts.attempt.next();
        let verdict = ActivityVerdict::Retry { attempt, visible_at, failure };
        self.report(token, verdict, request_id).await.map(|_| ())
    }

    /// Says that the attempt of a token is alive, and how far it is: for the next attempt, if this one fails.
    ///
    /// # Errors
    /// [`CompletionError`]; `UsedUp` says that nobody waits for the attempt any more.
    pub async fn heartbeat_activity<T: Serialize + ?Sized>(
        &self,
        token: &ActivityToken,
        details: &T,
    ) -> Result<Heard, CompletionError> {
        let details = self.seams.codec.encode(Payload::encode(details)?);
        let details = Some(details.map_err(|error| CompletionError::Codec(error.into()))?);
        let parts = token.parts();
        let silent_until = parts.heartbeat.map(|length| self.now() + length);
        let visible_at: Option<Timestamp> =
            silent_until.map(|until| parts.attempt_by.map_or(until, |attempt_by| until.min(attempt_by)));
        let verdict = ActivityVerdict::Heartbeat { details, visible_at };
        let applied = self.report(token, verdict, self.fresh_request()).await?;
        Ok(Heard { cancel_requested: applied == Applied::Wanted { cancel_requested: true } })
    }

    async fn end_attempt(
        &self,
        token: &ActivityToken,
        outcome: EventKind,
        request_id: RequestId,
    ) -> Result<(), CompletionError> {
        let body = encode_kind(outcome, self.seams.codec.as_ref()).map_err(CompletionError::Codec)?;
        let message = NewMessage { request_id: self.fresh_request(), body };
        self.report(token, ActivityVerdict::Ended(message), request_id).await.map(|_| ())
    }

    async fn report(
        &self,
        token: &ActivityToken,
        verdict: ActivityVerdict,
        request_id: RequestId,
    ) -> Result<Applied, CompletionError> {
        let parts = token.parts();
        let report = ActivityReport {
            run: parts.run.clone(),
            scheduled: parts.scheduled,
            attempt: parts.attempt,
            worker: None,
            request_id,
            at: self.now(),
            verdict,
        };
        let outcome = self.apply(Write::from(report)).await.map_err(CompletionError::Unavailable)?;
        outcome.map_err(|refusal| match refusal {
            Refusal::TaskLost => CompletionError::UsedUp,
            other => CompletionError::Refused(other),
        })
    }
}
