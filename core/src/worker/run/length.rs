//! Histories that grow too long: warned of, and parked before they become a burden. Nothing is lost.
//!
//! What waits in the inbox of such a run stays there. A worker whose limit is higher takes the run up where it stands.

use super::Run;
use super::park::Trouble;
use crate::worker::context::Context;

impl Run {
    /// Whether the run has come to the length that this worker bears.
    pub(in crate::worker) fn is_too_long(&self, cx: &Context) -> Result<(), Trouble> {
        let (events, events_max) = (self.head.0, cx.options.history_events_max);
        if events < events_max { Ok(()) } else { Err(Trouble::TooLong { events, events_max }) }
    }

    /// Warns once of a run that has come half the way.
    pub(super) fn warn_of_length(&self, cx: &Context, events: u64) {
        let (before, events_max) = (self.head.0, cx.options.history_events_max);
        if before < events_max / 2 && events >= events_max / 2 {
            tracing::warn!(
                run = %self.key, events, events_max,
                "a history grows long; at its limit the run is parked: let the workflow continue as new"
            );
        }
    }
}
