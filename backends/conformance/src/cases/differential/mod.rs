//! Random operations, applied to the store under test and to the memory store under one clock: all that can be seen of
//! the two must be equal after each of them. So the prefix that a failure names is the shortest that shows it.

mod draw;
mod known;
mod pair;
mod writes;

use draw::Draw;
use pair::Pair;

use crate::world::World;

/// Rounds of one case, each in a namespace of its own.
const ROUNDS: u64 = 4;
/// Operations of one round.
const STEPS: u64 = 120;

/// H1 to H15 in whatever mixture the seed gives, clock jumps, restarts and repeated writes included.
pub async fn random_writes_match_the_model(world: World) {
    let seed = match std::env::var("RETELL_SEED") {
        Ok(seed) => seed.parse().expect("RETELL_SEED is a number"),
        Err(_) => Draw::random_seed(),
    };
    let _shown_when_this_fails = ShowSeed(seed);
    let mut pair = Pair::new(world).await;
    for round in 0..ROUNDS {
        pair = pair.round(&format!("round-{round}"), Draw::new(seed.wrapping_add(round << 32)), STEPS).await;
    }
}

/// Says on the way down which seed fails.
struct ShowSeed(u64);

impl Drop for ShowSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to see this again: RETELL_SEED={}", self.0);
        }
    }
}
