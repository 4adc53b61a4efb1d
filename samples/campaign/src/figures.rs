//! What a campaign found.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use crate::options::Plan;
use crate::watch::Times;

/// Counts and times of a campaign.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) kills: u32,
    pub(crate) orders: usize,
    pub(crate) effects: usize,
    /// From the first start to the end of the last process.
    pub(crate) took: Duration,
    pub(crate) times: Times,
    pub(crate) consistent: bool,
}

impl Figures {
    /// Whether everything is as promised; says what is not.
    pub(crate) fn verdict(&self, plan: &Plan) -> ExitCode {
        let too_long = |time: &&Duration| plan.going_on_max.is_some_and(|max| **time > max);
        let slow = self.times.first.iter().filter(too_long).count();
        if slow > 0 {
            println!("FAILED: {slow} times no run went on for longer than it may take (seed {})", plan.seed);
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
        let Self { kills, orders, effects, times, .. } = self;
        let seconds = self.took.as_secs_f64();
        writeln!(f, "{kills} kills in {seconds:.1} s, {orders} orders, {effects} effects")?;
        writeln!(f, "all killed, until the first run at work went on: {}", shares(&times.first))?;
        write!(f, "some or all killed, until every run at work had gone on: {}", shares(&times.all))
    }
}

/// What shares of the times stayed below.
fn shares(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = |percent: usize| sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)));
    match (at(50), at(90), sorted.last()) {
        (Some(half), Some(most), Some(longest)) => {
            format!("p50 {half:.1?}, p90 {most:.1?}, max {longest:.1?} ({} times)", sorted.len())
        }
        _ => "never found at work".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_the_times_are_told() {
        let times: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(shares(&times), "p50 51.0ms, p90 91.0ms, max 100.0ms (100 times)");
        assert_eq!(shares(&times[..1]), "p50 100.0ms, p90 100.0ms, max 100.0ms (1 times)");
        assert_eq!(shares(&[]), "never found at work");
    }
}
