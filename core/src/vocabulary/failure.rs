//! Failures: what the failing of user code leaves in history.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Payload;

/// The longest chain of causes that is kept; what lies deeper is cut.
const CAUSES_MAX: usize = 16;

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
    /// The user's own data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    /// An activity did not end within its start-to-close timeout.
    Timeout,
    /// The worker that ran the last allowed attempt died.
    WorkerLost,
    /// The work was cancelled.
    Cancelled,
}

/// One link of a failure's chain of causes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// For a person to read.
    pub message: Arc<str>,
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
            details: None,
            causes: Vec::new(),
        }
    }

    /// A failure of a class that the engine itself found; its type is the class's name.
    #[must_use]
    pub fn of_kind(kind: FailureKind, message: impl Into<Arc<str>>) -> Self {
        Self { kind, ..Self::new(format!("{kind:?}"), message) }
    }

    /// Takes a Rust error in: its type's name, its message, and its chain of sources.
    #[must_use]
    pub fn from_error<E: std::error::Error + ?Sized>(error: &E) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source.filter(|_| causes.len() < CAUSES_MAX) {
            causes.push(Cause { message: cause.to_string().into() });
            source = cause.source();
        }
        Self { causes, ..Self::new(std::any::type_name::<E>(), error.to_string()) }
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
