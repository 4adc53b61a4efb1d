//! Telling who is dead from who is away for a moment, for stores that see whether a worker's process is connected.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long somebody must have been away: a process that only lost its connection is back within this.
const GONE_FOR: Duration = Duration::from_millis(150);
/// How long nobody is declared dead by a process that lost its own connection, or after the server's start: all others may
/// have lost theirs, and not be back yet.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whom a process has missed, and since when: what stores need whose servers show that a worker's process is gone.
///
/// It knows no clock and no store. Who is told to be dead loses its lease, no more: tokens decide who writes, and one that
/// lives after all hears that its lease is lost.
#[derive(Debug)]
pub struct Absences<K> {
    missed: BTreeMap<K, Instant>,
    patient_until: Option<Instant>,
}

impl<K> Default for Absences<K> {
    fn default() -> Self {
        Self { missed: BTreeMap::new(), patient_until: None }
    }
}

impl<K: Ord + Copy> Absences<K> {
    /// This process has lost its own connection.
    pub fn lost(&mut self, now: Instant) {
        *self = Self { missed: BTreeMap::new(), patient_until: Some(now + PATIENCE) };
    }

    /// The server has been up for so long.
    pub fn server_is_up(&mut self, now: Instant, uptime: Duration) {
        self.patient_until = self.patient_until.max(Some(now + PATIENCE.saturating_sub(uptime)));
    }

    /// Who is away at the moment; answers those who have been for too long.
    pub fn dead(&mut self, now: Instant, away: impl IntoIterator<Item = K>) -> Vec<K> {
        let since = |key: &K| self.missed.get(key).copied().unwrap_or(now);
        let missed: BTreeMap<K, Instant> = away.into_iter().map(|key| (key, since(&key))).collect();
        self.missed = missed;
        if self.patient_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        let is_gone = |since: Instant| now.saturating_duration_since(since) >= GONE_FOR;
        let dead = self.missed.iter().filter(|(_, since)| is_gone(**since)).map(|(key, _)| *key).collect();
        self.missed.retain(|_, since| !is_gone(*since));
        dead
    }

    /// Whether somebody is away who may be dead: then it is worth looking again soon.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        !self.missed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_stays_away_is_dead() {
        let begun = Instant::now();
        let mut absences = Absences::default();
        assert!(absences.dead(begun, [1, 2]).is_empty() && absences.is_in_doubt());
        assert!(absences.dead(begun + GONE_FOR / 2, [1]).is_empty());
        assert_eq!(absences.dead(begun + GONE_FOR, [1, 2]), [1], "whoever was back is missed anew");
        assert_eq!(absences.dead(begun + GONE_FOR * 3, [2]), [2]);
        assert!(!absences.is_in_doubt());
    }

    #[test]
    fn who_lost_its_own_connection_is_patient_with_others() {
        let begun = Instant::now();
        let mut absences = Absences::default();
        absences.lost(begun);
        assert!(absences.dead(begun, [1]).is_empty());
        assert!(absences.dead(begun + PATIENCE / 2, [1]).is_empty());
        assert_eq!(absences.dead(begun + PATIENCE, [1]), [1]);
    }

    #[test]
    fn after_its_start_a_server_waits_for_all_to_come_back() {
        let begun = Instant::now();
        let mut absences = Absences::default();
        absences.server_is_up(begun, PATIENCE / 2);
        assert!(absences.dead(begun, [1]).is_empty());
        assert!(absences.dead(begun + PATIENCE / 4, [1]).is_empty());
        assert_eq!(absences.dead(begun + PATIENCE / 2, [1]), [1]);
    }
}
