//! How an activity fails.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::vocabulary::{Failure, FailureKind, Payload, PayloadError};

/// Why an attempt failed: a type for policies and callers to branch on, a message, causes, details.
///
/// It is retryable unless it says otherwise. `?` takes in every error, with its type's name and its chain of sources;
/// for that to be possible this type is no `std::error::Error` itself (as `anyhow::Error` is none). To carry one inside
/// an error of your own, make its [`Failure`] the source.
///
/// What is permanent stays so: an error with a non-retryable [`Failure`] anywhere in its chain of sources is not retried.
///
/// # Examples
/// ```
/// use retell::activity::ActivityError;
///
/// fn parse(text: &str) -> Result<u32, ActivityError> {
///     if text.is_empty() {
///         return Err(ActivityError::new("EmptyInput", "there is nothing to parse").non_retryable());
///     }
///     Ok(text.parse()?)
/// }
///
/// assert_eq!(parse("x").unwrap_err().failure().error_type.as_ref(), "core::num::error::ParseIntError");
/// assert!(parse("").unwrap_err().failure().non_retryable);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ActivityError(Box<Failure>);

impl ActivityError {
    /// An error of this type and message. Retry policies name the type.
    #[must_use]
    pub fn new(error_type: impl Into<Arc<str>>, message: impl Into<Arc<str>>) -> Self {
        Self(Box::new(Failure::new(error_type, message)))
    }

    /// Takes in an error whose own type is not known, a boxed one or `anyhow`'s: `from_dyn(&*error)`. Its type is
    /// `Error`; what lies in its chain of sources is found as `?` finds it.
    #[must_use]
    pub fn from_dyn(error: &(dyn Error + 'static)) -> Self {
        Self(Box::new(Failure::from_dyn(error)))
    }

    /// The error of an attempt that was asked to stop and has done so. Not tried again.
    #[must_use]
    pub fn cancelled() -> Self {
        let failure = Failure::of_kind(FailureKind::Cancelled, "the activity was asked to stop, and did");
        Self(Box::new(failure.non_retryable()))
    }

    /// Marks it as permanent: no policy tries it again.
    #[must_use]
    pub fn non_retryable(mut self) -> Self {
        self.0.non_retryable = true;
        self
    }

    /// Says when to try again, in place of the wait that the retry policy would choose: what a server's `Retry-After`
    /// said, say. Neither capped nor spread by the policy, whose limits on attempts and on the total time still hold.
    ///
    /// Stays when the error is wrapped, unless what wraps it says its own.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Attaches the user's own data, for the caller to read. What doesn't encode becomes a cause that says so.
    #[must_use]
    pub fn details<T: Serialize + ?Sized>(mut self, details: &T) -> Self {
        match Payload::encode(details) {
            Ok(payload) => self.0.details = Some(payload),
            Err(error) => self.0.add_cause(&error),
        }
        self
    }

    /// Says what lies beneath. A permanent cause makes this error permanent.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Self>) -> Self {
        self.0.add_cause(&*cause.into().0);
        self
    }

    /// What history will hold.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.0
    }

    /// What history will hold, by value.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        *self.0
    }

    pub(super) fn of(failure: Failure) -> Self {
        Self(Box::new(failure))
    }

    /// A payload that cannot be read or written: trying again would find the same bytes.
    pub(crate) fn payload(error: &PayloadError) -> Self {
        Self::new("PayloadError", error.to_string()).non_retryable()
    }
}

impl<E: Error + 'static> From<E> for ActivityError {
    fn from(error: E) -> Self {
        Self(Box::new(Failure::from_error(&error)))
    }
}

impl fmt::Display for ActivityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ActivityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::{Attempt, RetryPolicy};

    #[derive(Debug, thiserror::Error)]
    #[error("the order failed")]
    struct Wrapped(#[source] Failure);

    #[derive(Debug, thiserror::Error)]
    #[error("the batch failed")]
    struct Twice(#[from] Wrapped);

    fn declined() -> ActivityError {
        ActivityError::new("Declined", "the card was declined")
    }

    #[test]
    fn a_permanent_error_stays_permanent_when_wrapped() {
        let error: ActivityError = Twice(Wrapped(declined().non_retryable().into_failure())).into();
        assert!(error.failure().non_retryable);
        assert_eq!(error.to_string(), "the batch failed: the order failed: the card was declined");
        assert!(!ActivityError::from(Wrapped(declined().into_failure())).failure().non_retryable);
        assert!(ActivityError::new("Batch", "no").caused_by(error).failure().non_retryable);
    }

    #[test]
    fn a_permanent_error_is_found_however_deep_it_lies() {
        #[derive(Debug, thiserror::Error)]
        #[error("a layer")]
        struct Layer(#[source] Box<dyn Error + Send + Sync>);

        let bottom: Box<dyn Error + Send + Sync> = Box::new(declined().non_retryable().into_failure());
        let top = (0..40).fold(bottom, |inner, _| Box::new(Layer(inner)));
        let failure = ActivityError::from(Layer(top)).into_failure();
        assert!(failure.non_retryable);
        assert_eq!(failure.causes.len(), 16);
    }

    #[test]
    fn a_type_that_the_policy_names_is_found_when_wrapped() {
        let policy = RetryPolicy::exponential().non_retryable("Declined");
        for error in [
            Twice(Wrapped(declined().into_failure())).into(),
            ActivityError::new("Order", "no").caused_by(declined()),
        ] {
            assert_eq!(policy.delay_after(Attempt(1), error.failure()), None, "{error}");
        }
    }

    #[test]
    fn when_to_try_again_stays_when_wrapped() {
        let second = Duration::from_secs(1);
        let asked = declined().retry_after(second);
        let wrapped = ActivityError::from(Wrapped(asked.clone().into_failure()));
        assert_eq!(wrapped.failure().retry_after, Some(second));
        let own = ActivityError::new("Batch", "no").retry_after(2 * second).caused_by(asked);
        assert_eq!(own.failure().retry_after, Some(2 * second));
    }

    #[test]
    fn a_failure_passes_through_question_marks_unchanged() {
        let failure = declined().non_retryable().details(&42).into_failure();
        let again = || -> Result<(), ActivityError> { Err(failure.clone())? };
        assert_eq!(again().unwrap_err().into_failure(), failure);
    }

    #[test]
    fn a_boxed_error_keeps_what_it_holds() {
        let boxed: Box<dyn Error + Send + Sync> =
            Box::new(Wrapped(declined().non_retryable().into_failure()));
        let failure = ActivityError::from_dyn(&*boxed).into_failure();
        assert!(failure.non_retryable);
        assert_eq!(failure.error_types().map(|name| &**name).collect::<Vec<_>>(), ["Error", "Declined"]);
        let whole: Box<dyn Error> = Box::new(declined().into_failure());
        assert_eq!(ActivityError::from_dyn(&*whole), declined());
    }

    #[test]
    fn details_that_do_not_encode_are_told() {
        struct Stubborn;
        impl Serialize for Stubborn {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("never"))
            }
        }
        let failure = declined().details(&Stubborn).into_failure();
        assert_eq!(failure.details, None);
        assert!(failure.to_string().contains("never"), "{failure}");
    }
}
