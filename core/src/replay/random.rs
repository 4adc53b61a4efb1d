//! The run's own random numbers: xoshiro256++ (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators"),
//! its state filled by splitmix64 from the seed in event 1.
//!
//! Part of the engine's semantics: a change of any number is a new semantics version. Knows nobody.

/// A stream of numbers that a seed determines for ever.
#[derive(Debug, Clone)]
pub(crate) struct Random([u64; 4]);

impl Random {
    pub(crate) fn from_seed(seed: u64) -> Self {
        let mut counter = seed;
        Self(std::array::from_fn(|_| splitmix64(&mut counter)))
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        let state = &mut self.0;
        let result = state[0].wrapping_add(state[3]).rotate_left(23).wrapping_add(state[0]);
        let shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = state[3].rotate_left(45);
        result
    }

    /// Sixteen bytes: two numbers, each big-endian.
    pub(crate) fn next_bytes(&mut self) -> [u8; 16] {
        let high = u128::from(self.next_u64());
        (high << 64 | u128::from(self.next_u64())).to_be_bytes()
    }

    /// An even choice below `bound`, which is not 0 (Lemire, "Fast Random Integer Generation in an Interval").
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            // The low and the high half; each is below 2^64 by construction.
            let (low, high) = (product as u64, (product >> 64) as u64);
            if low >= threshold {
                return high;
            }
        }
    }

    /// A number in `0.0..1.0`, with 53 random bits.
    pub(crate) fn next_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }
}

fn splitmix64(counter: &mut u64) -> u64 {
    *counter = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *counter;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_gives_the_published_numbers() {
        let mut counter = 1_234_567;
        assert_eq!(splitmix64(&mut counter), 6_457_827_717_110_365_317);
        assert_eq!(splitmix64(&mut counter), 3_203_168_211_198_807_973);
    }

    #[test]
    fn xoshiro256_gives_the_published_numbers() {
        let mut random = Random([1, 2, 3, 4]);
        assert_eq!(random.next_u64(), 41_943_041);
        assert_eq!(random.next_u64(), 58_720_359);
        assert_eq!(random.next_u64(), 3_588_806_011_781_223);
    }

    #[test]
    fn numbers_below_a_bound_reach_all_and_pass_none() {
        let mut random = Random::from_seed(7);
        let mut seen = [0_u32; 6];
        (0..6_000).for_each(|_| seen[usize::try_from(random.below(6)).unwrap()] += 1);
        assert!(seen.iter().all(|count| (800..1_200).contains(count)), "{seen:?}");
    }
}
