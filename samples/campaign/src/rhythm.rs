//! When to kill, and when that was enough.

use std::time::Duration;

use crate::chance::Chance;

/// The most that arrivals and confirmations are stretched; beyond that, more orders come instead.
const PACE_MAX: usize = 10;

/// When to kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rhythm {
    /// At random moments, so often; orders keep coming for as long.
    Random { kills: u32 },
    /// Each time that this has passed, until all orders ended.
    Even { every: Duration },
}

impl Rhythm {
    /// How long processes live until the next kill.
    pub(crate) fn life(self, chance: &mut Chance) -> Duration {
        match self {
            Self::Random { .. } => chance.life(),
            Self::Even { every } => every,
        }
    }

    /// Whether it was killed often enough, when so many kills were made and all orders have ended or have not.
    pub(crate) fn is_over(self, kills: u32, all_ended: bool) -> bool {
        match self {
            Self::Random { kills: wanted } => kills >= wanted,
            Self::Even { .. } => all_ended,
        }
    }

    /// The pace at which a round of orders arrives for about as long as random kills take.
    pub(crate) fn pace(self, orders: usize) -> usize {
        match self {
            Self::Random { kills } => (kills as usize * 120 / orders).clamp(1, PACE_MAX),
            Self::Even { .. } => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_kills_are_counted_and_even_ones_go_on_until_all_ended() {
        let (random, even) = (Rhythm::Random { kills: 3 }, Rhythm::Even { every: Duration::from_secs(1) });
        assert!(!random.is_over(2, true));
        assert!(random.is_over(3, false));
        assert!(!even.is_over(100, false));
        assert!(even.is_over(0, true));
    }
}
