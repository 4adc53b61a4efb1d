//! Places: where the open work of a run is, with a journal, so that a refused commit leaves no trace.

use std::collections::HashMap;

use crate::vocabulary::{EventId, SpreadIds};

/// Where an open call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// An activity that runs here, without a row in the queue.
    Rowless,
    /// An activity that has a row in the queue.
    Queued,
    /// A side effect or a local call, which always runs here.
    Local,
}

/// The places of a run's open calls, by the event that scheduled them.
#[derive(Debug, Default)]
pub(super) struct Places {
    open: HashMap<EventId, Place, SpreadIds>,
    rowless: usize,
    journal: Vec<(EventId, Option<Place>)>,
}

impl Places {
    pub(super) fn contains(&self, scheduled: EventId) -> bool {
        self.open.contains_key(&scheduled)
    }

    /// Where a call is, if it is open.
    pub(super) fn place(&self, scheduled: EventId) -> Option<Place> {
        self.open.get(&scheduled).copied()
    }

    /// Whether a takeover would have to look at the run for its open calls.
    pub(super) fn any_rowless(&self) -> bool {
        self.rowless > 0
    }

    /// Gives a call a place, or another one.
    pub(super) fn set(&mut self, scheduled: EventId, place: Place) {
        let before = self.put(scheduled, Some(place));
        self.journal.push((scheduled, before));
    }

    /// Takes the place of a call that is no longer open.
    pub(super) fn remove(&mut self, scheduled: EventId) -> Option<Place> {
        let before = self.put(scheduled, None);
        self.journal.push((scheduled, before));
        before
    }

    /// The open calls that were scheduled after this event, in order.
    pub(super) fn after(&self, head: EventId) -> Vec<EventId> {
        let mut after: Vec<_> = self.open.keys().copied().filter(|scheduled| *scheduled > head).collect();
        after.sort_unstable();
        after
    }

    /// Makes the changes since the last call final.
    pub(super) fn keep(&mut self) {
        self.journal.clear();
    }

    /// Takes the changes since the last [`keep`](Self::keep) back.
    pub(super) fn undo(&mut self) {
        for (scheduled, before) in std::mem::take(&mut self.journal).into_iter().rev() {
            self.put(scheduled, before);
        }
    }

    fn put(&mut self, scheduled: EventId, place: Option<Place>) -> Option<Place> {
        let before = match place {
            Some(place) => self.open.insert(scheduled, place),
            None => self.open.remove(&scheduled),
        };
        let rowless = |place: Option<Place>| usize::from(place.is_some_and(|place| place != Place::Queued));
        self.rowless = self.rowless + rowless(place) - rowless(before);
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_task_leaves_the_places_as_they_were() {
        let mut places = Places::default();
        places.set(EventId(2), Place::Rowless);
        places.keep();
        places.set(EventId(2), Place::Queued);
        places.set(EventId(3), Place::Local);
        places.remove(EventId(2));
        places.undo();
        assert!(places.contains(EventId(2)) && !places.contains(EventId(3)));
        assert_eq!(places.remove(EventId(2)), Some(Place::Rowless));
        assert!(!places.any_rowless());
    }
}
