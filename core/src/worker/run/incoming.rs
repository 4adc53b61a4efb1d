//! What comes to a run that this worker holds, until a task takes it in.

use super::limits::TimedOut;
use crate::backend::InboxMessage;
use crate::vocabulary::Timestamp;
use crate::worker::activities::{EndedActivity, EndedSideEffect};
use crate::worker::heartbeats::RowRequest;

/// What waits to be taken in, in the order in which it came.
pub(super) enum Incoming {
    Message(InboxMessage),
    Activity(Box<EndedActivity>),
    SideEffect(EndedSideEffect),
    TimedOut(Box<TimedOut>),
    NeedsRow(Box<RowRequest>),
}

impl Incoming {
    /// When it came, or was due.
    pub(super) fn at(&self) -> Timestamp {
        match self {
            Self::Message(message) => message.at,
            Self::Activity(ended) => ended.at,
            Self::SideEffect(ended) => ended.at,
            Self::TimedOut(timed_out) => timed_out.due,
            Self::NeedsRow(request) => request.at,
        }
    }
}
