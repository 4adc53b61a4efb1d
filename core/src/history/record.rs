//! What a store keeps of a history: the events of one workflow task as one value.

use bytes::Bytes;

use crate::vocabulary::{EventId, Timestamp};

/// The events of one workflow task, encoded together. They share one time, unless they are those of steps that share a
/// commit.
///
/// A store indexes `first`, keeps `count` and `at` beside it, and never looks into `bytes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The ID of the first event.
    pub first: EventId,
    /// How many events it holds, at least 1.
    pub count: u32,
    /// When its events were taken in; the last of them.
    pub at: Timestamp,
    /// The encoded events: [`encode_record`](super::encode_record).
    pub bytes: Bytes,
}

impl Record {
    /// The ID of the last event.
    #[must_use]
    pub fn last(&self) -> EventId {
        EventId(self.first.0 + u64::from(self.count) - 1)
    }
}
