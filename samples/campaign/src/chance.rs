//! Random numbers that a seed repeats.

use std::time::Duration;

/// A generator of numbers: SplitMix64.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn of_seed(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % limit).unwrap_or(0)
    }

    /// How long a process lives until it is killed. One in four dies while it still starts.
    pub(crate) fn life(&mut self) -> Duration {
        let micros = if self.below(4) == 0 { self.below(25_000) } else { 25_000 + self.below(225_000) };
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_lives() {
        let lives = |seed| {
            let mut chance = Chance::of_seed(seed);
            [(); 50].map(|()| chance.life())
        };
        assert_eq!(lives(7), lives(7));
        assert_ne!(lives(7), lives(8));
        assert!(lives(7).iter().all(|life| *life < Duration::from_millis(250)));
    }
}
