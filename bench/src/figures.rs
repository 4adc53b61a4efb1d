//! What repetitions measured, and what is said of them.

use std::fmt;
use std::time::Duration;

/// One repetition of a workload.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Activities that ran.
    pub(crate) activities: u64,
    /// From the first start to the last result.
    pub(crate) took: Duration,
    /// Transactions that the store committed meanwhile, if it counts them.
    pub(crate) commits: Option<u64>,
    /// From start to result, for each run.
    pub(crate) latencies: Vec<Duration>,
}

impl Sample {
    fn activities_per_second(&self) -> f64 {
        self.activities as f64 / self.took.as_secs_f64()
    }

    fn commits_per_activity(&self) -> Option<f64> {
        self.commits.map(|commits| commits as f64 / self.activities as f64)
    }
}

/// The medians of all repetitions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    activities_per_second: f64,
    took: Duration,
    commits_per_activity: Option<f64>,
    latency_p50: Duration,
    latency_p99: Duration,
}

impl Figures {
    /// Of at least one sample. Latencies are those of all repetitions together.
    pub(crate) fn of(samples: &[Sample]) -> Self {
        let commits: Option<Vec<_>> = samples.iter().map(Sample::commits_per_activity).collect();
        let mut latencies: Vec<_> =
            samples.iter().flat_map(|sample| sample.latencies.iter().copied()).collect();
        latencies.sort_unstable();
        Self {
            activities_per_second: median(samples.iter().map(Sample::activities_per_second).collect()),
            took: Duration::from_secs_f64(median(samples.iter().map(|s| s.took.as_secs_f64()).collect())),
            commits_per_activity: commits.map(median),
            latency_p50: share(&latencies, 50),
            latency_p99: share(&latencies, 99),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
        write!(
            f,
            "{:>9.0} activities/s  {:>9.2} ms  start to result p50 {:.3} ms, p99 {:.3} ms",
            self.activities_per_second,
            milliseconds(self.took),
            milliseconds(self.latency_p50),
            milliseconds(self.latency_p99),
        )?;
        match self.commits_per_activity {
            Some(commits) => write!(f, "  {commits:.3} transactions an activity"),
            None => Ok(()),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// The value below which this many of a hundred lie, of a sorted list.
fn share(sorted: &[Duration], percent: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get((sorted.len() * percent / 100).min(last)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(milliseconds: u64, commits: u64) -> Sample {
        let took = Duration::from_millis(milliseconds);
        Sample { activities: 100, took, commits: Some(commits), latencies: vec![took] }
    }

    #[test]
    fn medians_ignore_an_outlier() {
        let figures = Figures::of(&[sample(10, 100), sample(1_000, 900), sample(20, 110)]);
        assert_eq!(figures.took, Duration::from_millis(20));
        assert_eq!(figures.activities_per_second, 5_000.0);
        assert_eq!(figures.commits_per_activity, Some(1.1));
    }

    #[test]
    fn an_even_number_has_its_median_between() {
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn a_store_that_does_not_count_has_no_figure() {
        let uncounted = Sample { commits: None, ..sample(10, 0) };
        assert_eq!(Figures::of(&[uncounted]).commits_per_activity, None);
    }

    #[test]
    fn shares_are_taken_from_all_latencies() {
        let sorted: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(share(&sorted, 99), Duration::from_millis(199));
        assert_eq!(share(&[], 50), Duration::ZERO);
    }
}
