//! Lays two lists of decisions side by side, so that what was put in or taken out stands alone.

use crate::command::Command;
use crate::history::Event;

/// One line: a position on each side, or on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    Both(usize, usize),
    Held(usize),
    Asked(usize),
}

/// The price of standing alone.
const ALONE: u32 = 2;

/// The cheapest alignment of what history holds with what the code asked for; of equals the one that pairs first.
pub(super) fn align(held: &[Event], asked: &[Command]) -> Vec<Pair> {
    let width = asked.len() + 1;
    // What the rest costs from each position on.
    let mut costs = vec![0; (held.len() + 1) * width];
    for at in (0..costs.len()).rev() {
        let (h, a) = (at / width, at % width);
        let mut cheapest = if h == held.len() && a == asked.len() { 0 } else { u32::MAX };
        if h < held.len() {
            cheapest = cheapest.min(costs[at + width] + ALONE);
        }
        if a < asked.len() {
            cheapest = cheapest.min(costs[at + 1] + ALONE);
        }
        if h < held.len() && a < asked.len() {
            cheapest = cheapest.min(costs[at + width + 1] + cost(&held[h], &asked[a]));
        }
        costs[at] = cheapest;
    }
    let (mut h, mut a, mut pairs) = (0, 0, Vec::new());
    while h < held.len() || a < asked.len() {
        let at = h * width + a;
        let together = h < held.len()
            && a < asked.len()
            && costs[at] == costs[at + width + 1] + cost(&held[h], &asked[a]);
        if together {
            pairs.push(Pair::Both(h, a));
            (h, a) = (h + 1, a + 1);
        } else if a < asked.len() && costs[at] == costs[at + 1] + ALONE {
            pairs.push(Pair::Asked(a));
            a += 1;
        } else {
            pairs.push(Pair::Held(h));
            h += 1;
        }
    }
    pairs
}

fn cost(held: &Event, asked: &Command) -> u32 {
    if asked.kind.matches(&held.kind).is_ok() {
        0
    } else if asked.kind.is_same_call(&held.kind) {
        1
    } else {
        2 * ALONE
    }
}
