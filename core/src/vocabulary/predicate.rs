//! Predicates over failures as plain data: what a retry policy asks before it tries again.
//!
//! Data and not a closure, so that it stands in the call's event and on its task, and says the same on every worker
//! and after every deploy. Imports failures only.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Failure, FailureKind, TimeoutKind};

/// Whether a failure is of some sort. Kept with the retry policy, in history and on the activity's task.
///
/// # Examples
/// ```
/// use retell::vocabulary::{FailureKind, FailurePredicate, RetryPolicy};
///
/// let passing = FailurePredicate::error_type("Busy").or(FailurePredicate::kind(FailureKind::Timeout));
/// let policy = RetryPolicy::exponential().retry_if(passing.and(FailurePredicate::message_contains("quota").negated()));
/// # let _ = policy;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FailurePredicate {
    /// It has this error type, itself or among its causes.
    ErrorType(Arc<str>),
    /// It is of this class.
    Kind(FailureKind),
    /// It is a timeout of this kind.
    TimedOut(TimeoutKind),
    /// Its text, with that of its causes, contains this.
    MessageContains(Arc<str>),
    /// One of these holds; none of none.
    Any(Vec<FailurePredicate>),
    /// All of these hold; all of none.
    All(Vec<FailurePredicate>),
    /// This does not hold.
    Not(Box<FailurePredicate>),
}

impl FailurePredicate {
    /// Holds if the failure, or one of its causes, has this error type.
    #[must_use]
    pub fn error_type(error_type: impl Into<Arc<str>>) -> Self {
        Self::ErrorType(error_type.into())
    }

    /// Holds if the failure is of this class.
    #[must_use]
    pub fn kind(kind: FailureKind) -> Self {
        Self::Kind(kind)
    }

    /// Holds if the failure is a timeout of this kind.
    #[must_use]
    pub fn timed_out(limit: TimeoutKind) -> Self {
        Self::TimedOut(limit)
    }

    /// Holds if the failure's text, with that of its causes, contains this.
    #[must_use]
    pub fn message_contains(text: impl Into<Arc<str>>) -> Self {
        Self::MessageContains(text.into())
    }

    /// Holds if one of the two does.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::Any(vec![self, other])
    }

    /// Holds if both do.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::All(vec![self, other])
    }

    /// Holds if this does not.
    #[must_use]
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// Asks it about a failure.
    #[must_use]
    pub fn holds(&self, failure: &Failure) -> bool {
        match self {
            Self::ErrorType(name) => failure.error_types().any(|of| of == name),
            Self::Kind(kind) => failure.kind == *kind,
            Self::TimedOut(limit) => failure.timeout_kind() == Some(*limit),
            Self::MessageContains(text) => failure.to_string().contains(&**text),
            Self::Any(some) => some.iter().any(|one| one.holds(failure)),
            Self::All(all) => all.iter().all(|one| one.holds(failure)),
            Self::Not(one) => !one.holds(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_predicate_holds_for_what_it_names() {
        let mut failure = Failure::new("Order", "it failed");
        failure.add_cause(&Failure::new("Busy", "come back later"));
        let busy = FailurePredicate::error_type("Busy");
        let panic = FailurePredicate::kind(FailureKind::Panic);
        assert!(busy.holds(&failure) && !panic.holds(&failure));
        assert!(FailurePredicate::message_contains("later").holds(&failure));
        assert!(panic.clone().or(busy.clone()).holds(&failure));
        assert!(!panic.clone().and(busy.clone()).holds(&failure));
        assert!(panic.negated().and(busy).holds(&failure));
        assert!(FailurePredicate::All(Vec::new()).holds(&failure));
        assert!(!FailurePredicate::Any(Vec::new()).holds(&failure));
    }
}
