//! Removing a closed run.

use crate::vocabulary::RunKey;

/// Removes a closed run with all that belongs to it: history, answers, attributes, and the identities of writes that
/// name it, so that the same start under the same request ID starts again.
///
/// Refused with [`RunOpen`](super::Refusal::RunOpen), also while the run is
/// [unsettled](crate::backend::ClaimedRun). A run that is not there is `Removed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remove {
    /// Which run.
    pub run: RunKey,
}
