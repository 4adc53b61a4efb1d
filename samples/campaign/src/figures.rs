//! What a campaign found.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use crate::options::Plan;

/// Counts and times of a campaign.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) kills: u32,
    pub(crate) orders: usize,
    pub(crate) effects: usize,
    pub(crate) took: Duration,
    /// For each restart that found an order at work and lived long enough: the time until that went on.
    pub(crate) going_on: Vec<Duration>,
    pub(crate) consistent: bool,
}

impl Figures {
    /// The time that this share of the restarts stayed below.
    fn going_on_at(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.going_on.clone();
        sorted.sort_unstable();
        sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied()
    }

    /// Whether everything is as promised; says what is not.
    pub(crate) fn verdict(&self, plan: &Plan) -> ExitCode {
        let slow =
            self.going_on.iter().filter(|time| plan.going_on_max.is_some_and(|max| **time > max)).count();
        if slow > 0 {
            println!(
                "FAILED: {slow} restarts took longer than they may until a run went on (seed {})",
                plan.seed
            );
        }
        if !self.consistent {
            println!("FAILED: something was lost or done twice (seed {})", plan.seed);
        }
        if slow > 0 || !self.consistent {
            return ExitCode::FAILURE;
        }
        println!("passed: nothing was lost, nothing was done twice");
        ExitCode::SUCCESS
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        writeln!(
            f,
            "{} kills in {seconds:.1} s, {} orders, {} effects",
            self.kills, self.orders, self.effects
        )?;
        let [Some(half), Some(most), Some(all)] = [50, 90, 100].map(|percent| self.going_on_at(percent))
        else {
            return write!(f, "no restart found an order at work and lived until it went on");
        };
        let count = self.going_on.len();
        write!(
            f,
            "{count} restarts until the first run went on: p50 {half:.1?}, p90 {most:.1?}, max {all:.1?}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_the_restarts_are_told() {
        let going_on = (1..=100).rev().map(Duration::from_millis).collect();
        let figures = Figures { going_on, ..Figures::default() };
        assert_eq!(figures.going_on_at(50), Some(Duration::from_millis(51)));
        assert_eq!(figures.going_on_at(100), Some(Duration::from_millis(100)));
        assert_eq!(Figures::default().going_on_at(50), None);
    }
}
