//! Which limit a call of an activity, or a run, ran into.

use serde::{Deserialize, Serialize};

/// Which limit was passed. See [`Failure::timeout_kind`](super::Failure::timeout_kind).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TimeoutKind {
    /// One attempt took too long.
    StartToClose,
    /// Nobody began the first attempt in time.
    ScheduleToStart,
    /// All attempts and the waits between them took too long.
    ScheduleToClose,
    /// A running attempt was silent for too long.
    Heartbeat,
    /// A run took too long.
    Run,
    /// A run and those that it has continued as, or was tried again as, took too long together.
    Execution,
}
