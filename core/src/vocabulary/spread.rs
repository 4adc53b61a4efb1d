//! Hashing of IDs that the engine has drawn itself: quick, and the same in every process.

use std::hash::{BuildHasherDefault, Hasher};

/// What maps under IDs that the engine draws are hashed with. Never for what a user has named: whoever chooses keys could
/// choose them to collide.
pub type SpreadIds = BuildHasherDefault<Spread>;

/// Spreads IDs over a table's buckets (Knuth's multiplicative hashing, eight bytes at a time).
#[derive(Debug, Clone, Copy, Default)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        words.iter().for_each(|word| self.write_u64(u64::from_ne_bytes(*word)));
        rest.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = (self.0 ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    fn write_usize(&mut self, length: usize) {
        self.write_u64(length as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
