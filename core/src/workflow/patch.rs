//! Patches: changing the code of a workflow whose runs are open.

use std::panic::Location;

use super::WorkflowContext;
use crate::vocabulary::PatchId;

impl WorkflowContext {
    /// Whether this run goes the new way of a change: `true` for runs that come here for the first time, `false` for those
    /// whose history has passed here before the change was deployed.
    ///
    /// Where a new version of the workflow would be too much, this lets old and new runs share its code. A change lives in
    /// three deploys: first both ways behind `patched`; when no run is left that goes the old one, the new way alone
    /// behind [`deprecate_patch`](Self::deprecate_patch); when no run is left whose history holds the marker of the first
    /// deploy, nothing.
    ///
    /// # Panics
    /// If the ID is none: empty, longer than 255 bytes, or with control characters.
    ///
    /// # Determinism
    /// Persists a marker if it is `true` for the first time in this run, and gives the same answer from then on, live and
    /// at replay. `false` leaves nothing. Replay looks for the marker among all that the code asked for between two
    /// awaits: it may be moved past other calls there, but not past an await. A marker for which the code does not ask
    /// is nondeterminism.
    ///
    /// # Examples
    /// ```
    /// use retell::prelude::*;
    ///
    /// #[retell::activity]
    /// async fn notify(_cx: ActivityContext, how: String) -> Result<(), ActivityError> {
    ///     Ok(())
    /// }
    ///
    /// #[retell::workflow]
    /// async fn remind(cx: WorkflowContext) -> WorkflowResult<()> {
    ///     let how = if cx.patched("by-letter") { "letter" } else { "telegram" };
    ///     Ok(cx.activity(notify, &how.to_owned()).await?)
    /// }
    /// ```
    #[track_caller]
    #[must_use = "the old way is for the runs for which it is false"]
    pub fn patched(&self, id: &str) -> bool {
        self.decide_patch(id, false, Location::caller())
    }

    /// Says that only the new way of a change is left: histories with its marker replay, and new ones hold a marker that
    /// later code need not ask for.
    ///
    /// # Panics
    /// As [`patched`](Self::patched).
    ///
    /// # Determinism
    /// Persists a marker as [`patched`](Self::patched) does, that says that it may be passed over. A run whose history
    /// went the old way does not replay any more.
    #[track_caller]
    pub fn deprecate_patch(&self, id: &str) {
        self.decide_patch(id, true, Location::caller());
    }

    #[track_caller]
    fn decide_patch(&self, id: &str, deprecated: bool, location: &'static Location<'static>) -> bool {
        match PatchId::new(id) {
            Ok(patch) => self.world().decide_patch(patch, deprecated, location),
            Err(error) => panic!("{error}"),
        }
    }
}
