//! What becomes of a workflow ID that was used before.

use serde::{Deserialize, Serialize};

/// What a start does when its workflow ID has no open run but closed ones; the latest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum IdReusePolicy {
    /// Starts.
    #[default]
    Allow,
    /// Starts unless the latest run completed.
    AllowUnlessCompleted,
    /// Refuses: the ID counts as taken.
    Reject,
}

impl IdReusePolicy {
    pub(crate) fn is_allow(&self) -> bool {
        *self == Self::Allow
    }
}
