//! Answers: how a faked attempt ends.

use std::sync::Arc;

use retell::activity::ActivityContext;
use retell::vocabulary::{Failure, Payload};

/// A closure that answers attempts.
pub(crate) type Answering = Arc<dyn Fn(ActivityContext, Payload) -> Result<Payload, Failure> + Send + Sync>;

/// How an attempt is answered.
#[derive(Clone)]
pub(crate) enum Answer {
    /// By one of these; the first, unless an explorer chooses another.
    OneOf(Vec<Result<Payload, Failure>>),
    /// By what the closure makes of it.
    By(Answering),
    /// Never: it runs until it is stopped.
    Never,
    /// By a panic.
    Panic(String),
}

/// An answer that may be given.
pub(crate) enum Prepared {
    OneOf(Vec<Result<Payload, Failure>>),
    Never,
    Panic(String),
}

impl Answer {
    /// Does what the answer does: a closure runs now, whenever the attempt ends.
    pub(crate) fn prepare(self, cx: ActivityContext, input: Payload) -> Prepared {
        match self {
            Self::OneOf(outcomes) => Prepared::OneOf(outcomes),
            Self::By(closure) => Prepared::OneOf(vec![closure(cx, input)]),
            Self::Never => Prepared::Never,
            Self::Panic(message) => Prepared::Panic(message),
        }
    }
}

impl Prepared {
    /// How many ways there are for it to end; none if it never does.
    pub(crate) fn outcomes(&self) -> usize {
        match self {
            Self::OneOf(outcomes) => outcomes.len(),
            Self::Never => 0,
            Self::Panic(_) => 1,
        }
    }

    /// Ends the attempt in the chosen way.
    pub(crate) async fn give(self, chosen: usize) -> Result<Payload, Failure> {
        match self {
            Self::OneOf(mut outcomes) if chosen < outcomes.len() => outcomes.swap_remove(chosen),
            Self::OneOf(_) | Self::Never => std::future::pending().await,
            Self::Panic(message) => std::panic::panic_any(message),
        }
    }
}
