//! Failures: what the failing of user code leaves in history.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::{Payload, TimeoutKind};

/// The longest chain of causes that is kept; what lies deeper is cut.
const CAUSES_MAX: usize = 16;

/// How deep a chain of sources is searched for a permanent failure.
const CHAIN_MAX: usize = 128;

/// What a failed activity or workflow left: a type to branch on, a message to read, details, and causes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What class of failure this is.
    #[serde(default)]
    pub kind: FailureKind,
    /// The type that user code gave or that its error has; retry policies name it.
    pub error_type: Arc<str>,
    /// For a person to read.
    pub message: Arc<str>,
    /// Trying again is useless, whatever the retry policy says.
    #[serde(default)]
    pub non_retryable: bool,
    /// When to try again, by the error's own word, in place of the wait that the retry policy would choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// Which limit was passed, if the engine found that one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TimeoutKind>,
    /// The user's own data.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub details: Option<Payload>,
    /// What lies beneath, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
}

/// Classes of failures that the engine tells apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FailureKind {
    /// User code returned an error.
    #[default]
    Application,
    /// User code panicked.
    Panic,
    /// An activity passed one of its limits: see [`Failure::timeout_kind`].
    Timeout,
    /// The worker that ran the last allowed attempt died.
    WorkerLost,
    /// The work was cancelled.
    Cancelled,
    /// No failure: the attempt is ended from outside, by its token. Never in history.
    Deferred,
}

/// One link of a failure's chain of causes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// For a person to read.
    pub message: Arc<str>,
    /// The type, where it is known: that of a [`Failure`] in the chain. Retry policies look here too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<Arc<str>>,
}

impl Failure {
    /// An application failure of this type and message.
    #[must_use]
    pub fn new(error_type: impl Into<Arc<str>>, message: impl Into<Arc<str>>) -> Self {
        Self {
            kind: FailureKind::Application,
            error_type: error_type.into(),
            message: message.into(),
            non_retryable: false,
            retry_after: None,
            timeout: None,
            details: None,
            causes: Vec::new(),
        }
    }

    /// A failure of a class that the engine itself found; its type is the class's name.
    #[must_use]
    pub fn of_kind(kind: FailureKind, message: impl Into<Arc<str>>) -> Self {
        Self { kind, ..Self::new(format!("{kind:?}"), message) }
    }

    /// The failure of a call that passed this limit.
    #[must_use]
    pub fn timed_out(limit: TimeoutKind, message: impl Into<Arc<str>>) -> Self {
        Self { timeout: Some(limit), ..Self::of_kind(FailureKind::Timeout, message) }
    }

    /// Which limit was passed; `None` if this is no timeout.
    #[must_use]
    pub fn timeout_kind(&self) -> Option<TimeoutKind> {
        // The first timeouts that there were did not say which they are: there was one.
        (self.kind == FailureKind::Timeout).then(|| self.timeout.unwrap_or(TimeoutKind::StartToClose))
    }

    /// Takes a Rust error in: its type's name, its message, and its chain of sources.
    ///
    /// A `Failure` comes back as it is. One that lies deeper in the chain keeps its type, for policies to find, and
    /// makes the whole non-retryable if it is.
    #[must_use]
    pub fn from_error<E: Error + 'static>(error: &E) -> Self {
        Self::named(std::any::type_name::<E>(), error)
    }

    /// As [`from_error`](Self::from_error) for an error whose own type is not known; its type is `Error`.
    #[must_use]
    pub fn from_dyn(error: &(dyn Error + 'static)) -> Self {
        Self::named("Error", error)
    }

    fn named(error_type: &str, error: &(dyn Error + 'static)) -> Self {
        if let Some(failure) = error.downcast_ref::<Self>() {
            return failure.clone();
        }
        let mut failure = Self::new(error_type, error.to_string());
        if let Some(source) = error.source() {
            failure.add_cause(source);
        }
        failure
    }

    /// Adds an error and its chain of sources to the causes; a non-retryable one among them makes the whole so, and the
    /// nearest that says when to try again is heard.
    pub fn add_cause(&mut self, cause: &(dyn Error + 'static)) {
        let mut next = Some(cause);
        for _ in 0..CHAIN_MAX {
            let Some(cause) = next else { break };
            if let Some(failure) = cause.downcast_ref::<Self>() {
                self.non_retryable |= failure.non_retryable;
                self.retry_after = self.retry_after.or(failure.retry_after);
                self.causes.push(Cause {
                    message: failure.message.clone(),
                    error_type: Some(failure.error_type.clone()),
                });
                self.causes.extend(failure.causes.iter().cloned());
            } else {
                self.causes.push(Cause { message: cause.to_string().into(), error_type: None });
            }
            next = cause.source();
        }
        self.causes.truncate(CAUSES_MAX);
    }

    /// The types by which policies know it: its own, then those of its causes.
    pub fn error_types(&self) -> impl Iterator<Item = &Arc<str>> {
        std::iter::once(&self.error_type)
            .chain(self.causes.iter().filter_map(|cause| cause.error_type.as_ref()))
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Marks it as not to be retried.
    #[must_use]
    pub fn non_retryable(mut self) -> Self {
        self.non_retryable = true;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {}", cause.message))
    }
}

/// What is there is `Some`, even a payload that reads as null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Payload>, D::Error> {
    Payload::deserialize(deserializer).map(Some)
}

/// So that a failure can be the source of a user's own error; its causes are in its text, not in `source`.
impl Error for Failure {}
