//! IDs that follow from a run and one of its events: the same whenever they are made.

use uuid::{Builder, Uuid};

use super::{EventId, RunId, Timestamp};

/// What an ID is derived for. Each gives another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// The run of a child workflow.
    Child = 1,
    /// What a request to another run is known by.
    Request = 2,
    /// The message by which the request's sender hears that it was done.
    Done = 3,
    /// The message by which the request's sender hears that it was refused.
    Refused = 4,
    /// What a run tells its parent as it ends, or asks of a child then.
    Farewell = 5,
}

impl RunId {
    /// An ID for something that this run does with an event: as good as random, and the same each time.
    #[must_use]
    pub fn derive(self, event: EventId, purpose: Purpose) -> Uuid {
        Builder::from_random_bytes(self.mixed(event, purpose)).into_uuid()
    }

    /// A run ID of this time for a run that an event of this one begins; the same each time.
    #[must_use]
    pub fn derive_run(self, event: EventId, at: Timestamp) -> Self {
        let millis = u64::try_from(at.as_micros().max(0) / 1_000).unwrap_or_default();
        let mut random = [0; 10];
        random.copy_from_slice(&self.mixed(event, Purpose::Child)[..10]);
        Self(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    fn mixed(self, event: EventId, purpose: Purpose) -> [u8; 16] {
        let (high, low) = self.0.as_u64_pair();
        let salt = spread(event.0.wrapping_mul(8) ^ purpose as u64);
        let first = spread(high ^ salt).wrapping_add(spread(low));
        let second = spread(low ^ salt.rotate_left(32)).wrapping_add(spread(first));
        Uuid::from_u64_pair(first, second).into_bytes()
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
fn spread(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn derived_ids_differ_by_run_event_and_purpose_and_stay_the_same() {
        let purposes = [Purpose::Child, Purpose::Request, Purpose::Done, Purpose::Refused, Purpose::Farewell];
        let ids: Vec<Uuid> = (0..100)
            .flat_map(|run| (0..100).map(move |event| (RunId(Uuid::from_u128(run << 64)), EventId(event))))
            .flat_map(|(run, event)| purposes.map(|purpose| run.derive(event, purpose)))
            .collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        let run = RunId(Uuid::from_u128(7));
        assert_eq!(run.derive(EventId(2), Purpose::Done), run.derive(EventId(2), Purpose::Done));
        let at = Timestamp::from_micros(1_700_000_000_000_000);
        assert_eq!(run.derive_run(EventId(2), at).0.get_version_num(), 7);
    }
}
