//! The floor of memory: the bytes copied into maps, under one lock.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Load;

/// A run: whether it is open, and its records.
type Runs = HashMap<u64, (bool, Vec<Box<[u8]>>)>;

pub(super) fn measure(load: &Load) -> Duration {
    let store = Mutex::new(Runs::new());
    write(&store, load, 0);
    let began = Instant::now();
    write(&store, load, load.starts);
    began.elapsed()
}

fn write(store: &Mutex<Runs>, load: &Load, before: u64) {
    let bytes = vec![7_u8; load.record_bytes];
    let runs = load.starts.max(1);
    for commit in 0..load.commits {
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        for run in load.share(load.starts, commit) {
            store.entry(before + run).or_default().0 = true;
        }
        for number in load.share(load.records, commit) {
            store.entry(before + number % runs).or_default().1.push(bytes.as_slice().into());
        }
        for run in load.share(load.closings, commit) {
            store.entry(before + run).or_default().0 = false;
        }
    }
}
