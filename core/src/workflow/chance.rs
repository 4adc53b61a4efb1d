//! Numbers that look random and are the same at each replay.

use std::ops::Range;

use uuid::Uuid;

use super::WorkflowContext;

impl WorkflowContext {
    /// Draws 64 random bits.
    ///
    /// # Determinism
    /// Nothing is persisted but the seed, in event 1: xoshiro256++ from it gives the same numbers in the same order at
    /// each replay, for ever. So the number of draws before a decision is part of the code's behaviour. Not for secrets.
    #[track_caller]
    #[must_use]
    pub fn random_u64(&self) -> u64 {
        self.world().random(|random| random.next_u64())
    }

    /// Draws evenly from a range.
    ///
    /// # Panics
    /// If the range is empty.
    ///
    /// # Determinism
    /// As for [`random_u64`](Self::random_u64).
    #[track_caller]
    #[must_use]
    pub fn random_range(&self, range: Range<u64>) -> u64 {
        assert!(range.start < range.end, "random_range needs a range that is not empty, not {range:?}");
        range.start + self.world().random(|random| random.below(range.end - range.start))
    }

    /// Draws from `0.0..1.0`, evenly, with 53 random bits.
    ///
    /// # Determinism
    /// As for [`random_u64`](Self::random_u64).
    #[track_caller]
    #[must_use]
    pub fn random_f64(&self) -> f64 {
        self.world().random(|random| random.next_f64())
    }

    /// Says yes with this probability: never at 0.0, always at 1.0.
    ///
    /// # Determinism
    /// As for [`random_u64`](Self::random_u64).
    #[track_caller]
    #[must_use]
    pub fn random_bool(&self, probability: f64) -> bool {
        self.random_f64() < probability
    }

    /// Draws a UUID (version 4).
    ///
    /// # Determinism
    /// As for [`random_u64`](Self::random_u64); takes two of its numbers.
    #[track_caller]
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.world().random(|random| random.next_bytes())).into_uuid()
    }
}
