//! Power cuts: what was not synced is gone, and everything acknowledged must still be there (promises H6 and H7).

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use retell::vocabulary::{RunKey, WorkerId};
use retell_sqlite::{Sqlite, Synchronous};

use crate::kit::{apply, block_on, commit, events, folder, start, try_apply, worker};
use crate::vfs::{Disk, Shape};

const RUNS: usize = 4;
const CUTS: usize = 20;

/// Numbers from a seed: xorshift64*.
struct Chance(u64);

impl Chance {
    fn from_environment() -> Self {
        let fresh = || u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let seed = std::env::var("RETELL_SEED").map_or_else(|_| fresh(), |seed| seed.parse().unwrap());
        println!("RETELL_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % end
    }
}

/// Heads that were acknowledged.
type Acknowledged = Mutex<HashMap<RunKey, u64>>;

/// Cuts the power while several runs advance, until a cut loses acknowledged events; answers how many it lost.
fn events_lost(name: &str, synchronous: Synchronous) -> u64 {
    let mut chance = Chance::from_environment();
    let disk = Disk::register(name, Shape::Whole);
    let folder = folder();
    let store =
        Sqlite::options(folder.path().join("retell.db")).synchronous(synchronous).vfs(disk.name()).open();
    let store = store.unwrap();
    let worker = worker(&store);
    let (acknowledged, stop) = (Acknowledged::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for run in 0..RUNS {
            let (store, acknowledged, stop) = (&store, &acknowledged, &stop);
            let size = 100 + 3_000 * run;
            scope.spawn(move || block_on(advance(store, worker, run, size, acknowledged, stop)));
        }
        let lost = (0..CUTS)
            .map(|_| {
                let more = acknowledged.lock().unwrap().values().sum::<u64>() + chance.below(40);
                while acknowledged.lock().unwrap().values().sum::<u64>() <= more {
                    std::thread::yield_now();
                }
                lost_at_a_cut(disk, &acknowledged, &mut chance)
            })
            .find(|lost| *lost > 0);
        stop.store(true, Ordering::Relaxed);
        lost.unwrap_or(0)
    })
}

async fn advance(
    store: &Sqlite,
    worker: WorkerId,
    number: usize,
    size: usize,
    acknowledged: &Acknowledged,
    stop: &AtomicBool,
) {
    let start = start(&format!("order-{number}"), Some(worker));
    try_apply(store, start.clone()).await.unwrap().unwrap();
    let mut head = 1;
    while !stop.load(Ordering::Relaxed) {
        acknowledged.lock().unwrap().insert(start.run.clone(), head);
        try_apply(store, commit(&start.run, worker, 1, head, size)).await.unwrap().unwrap();
        head += 1;
    }
}

fn lost_at_a_cut(disk: &Disk, acknowledged: &Acknowledged, chance: &mut Chance) -> u64 {
    let promised = acknowledged.lock().unwrap().clone();
    let left = folder();
    // From nothing of what was not synced to nearly all of it.
    let likelihood = chance.below(100);
    disk.cut_power(left.path(), || chance.below(100) < likelihood);
    let Ok(store) = Sqlite::open(left.path().join("retell.db")) else {
        return promised.values().sum();
    };
    promised.iter().map(|(run, head)| head.saturating_sub(events(&store, run))).sum()
}

#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    assert_eq!(events_lost("full", Synchronous::Full), 0);
}

/// The control: the test above sees a loss where there is one.
#[test]
fn a_power_cut_under_the_weaker_setting_loses_what_was_acknowledged() {
    assert!(events_lost("normal", Synchronous::Normal) > 0);
}

#[test]
fn each_acknowledgement_comes_after_a_sync() {
    let disk = Disk::register("counted", Shape::Whole);
    let folder = folder();
    let store = Sqlite::options(folder.path().join("retell.db")).vfs(disk.name()).open().unwrap();
    let worker = worker(&store);
    let start = start("a", Some(worker));
    apply(&store, start.clone());
    for head in 1..=20 {
        let before = disk.syncs();
        apply(&store, commit(&start.run, worker, 1, head, 300));
        assert!(disk.syncs() > before, "commit {head} was acknowledged without a sync");
    }
}
