//! Shrinking: a sampled failure is told by fewer and fewer deviations from the default course.

use super::Explorer;
use super::search::{Path, Walked, walk};

/// The most schedules that shrinking tries.
const TRIES_MAX: usize = 2_000;

/// A path that breaks the same thing and from which nothing can be taken away, and what came of it.
pub(super) fn shrink(explorer: &Explorer, path: Path, what: &str) -> (Path, Walked) {
    let mut tries = 0;
    let mut breaks = |path: &Path| {
        tries += 1;
        let walked = walk(explorer, path);
        let same = tries <= TRIES_MAX && walked.broken.as_ref().is_some_and(|broken| broken.what == what);
        same.then_some(walked)
    };
    let mut best = trimmed(path);
    let mut walked = walk(explorer, &best);
    loop {
        let smaller =
            candidates(&best).into_iter().find_map(|path| breaks(&path).map(|walked| (path, walked)));
        match smaller {
            Some(found) => (best, walked) = found,
            None => return (best, walked),
        }
    }
}

/// Paths that tell less: without their end, without one step, or with one choice nearer to the default.
fn candidates(path: &Path) -> Vec<Path> {
    let halves = [path.len() / 2, path.len() * 3 / 4].into_iter().map(|length| path[..length].to_vec());
    let without = (0..path.len()).rev().map(|step| {
        let mut shorter = path.clone();
        shorter.remove(step);
        shorter
    });
    let nearer = (0..path.len()).filter(|step| path[*step] > 0).flat_map(|step| {
        [0, path[step] / 2, path[step] - 1].map(|index| {
            let mut nearer = path.clone();
            nearer[step] = index;
            nearer
        })
    });
    let mut all: Vec<Path> = halves.chain(without).chain(nearer).map(trimmed).collect();
    all.retain(|candidate| weight(candidate) < weight(path));
    all
}

/// Shorter is less, then fewer deviations, then smaller ones.
fn weight(path: &Path) -> (usize, usize, usize) {
    (path.len(), path.iter().filter(|index| **index > 0).count(), path.iter().sum())
}

/// The default course at the end need not be told.
fn trimmed(mut path: Path) -> Path {
    while path.last() == Some(&0) {
        path.pop();
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_candidate_tells_less() {
        let path = vec![0, 3, 0, 1];
        let found = candidates(&path);
        assert!(
            found.contains(&vec![0, 3])
                && found.contains(&vec![3, 0, 1])
                && found.contains(&vec![0, 1, 0, 1])
        );
        assert!(found.iter().all(|candidate| weight(candidate) < weight(&path)));
        assert!(candidates(&Vec::new()).is_empty());
    }
}
