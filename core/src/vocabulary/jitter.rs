//! Jitter: what spreads the retries of many calls over time, the same whenever it is asked.
//!
//! Drawn from the call and its attempt and from nothing else: no worker, restart or replay finds another number.

use super::{Attempt, EventId, RunId};

/// A number from 0 up to but not including 1, which belongs to this attempt for ever.
///
/// FNV-1a over the run ID and the two numbers, mixed by the end of SplitMix64.
pub(super) fn fraction(run_id: RunId, scheduled: EventId, attempt: Attempt) -> f64 {
    let (scheduled, attempt) = (scheduled.0.to_le_bytes(), attempt.0.to_le_bytes());
    let bytes = run_id.0.as_bytes().iter().chain(&scheduled).chain(&attempt);
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    // 53 bits are all that a float holds.
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_attempt_keeps_its_number_and_numbers_are_spread() {
        let run_id = RunId(Uuid::from_u128(7));
        let of = |scheduled, attempt| fraction(run_id, EventId(scheduled), Attempt(attempt));
        assert_eq!(format!("{:.6}", of(2, 1)), "0.584947", "histories of today must find it for ever");
        let numbers: Vec<f64> = (1..=1_000).map(|attempt| of(2, attempt)).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        let mean = numbers.iter().sum::<f64>() / 1_000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert_ne!(of(2, 1), of(3, 1));
    }
}
