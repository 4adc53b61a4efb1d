//! Latencies: a histogram of them, and what is said of it.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest that is told apart: what takes longer counts as this.
const LONGEST: Duration = Duration::from_secs(3_600);
/// The percentiles of a curve.
const CURVE: [f64; 12] = [0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.99, 100.0];

/// A histogram of nanoseconds, exact to three digits.
///
/// Coordinated omission is avoided by what is recorded: whoever offers work on a schedule records from the instant at
/// which it was due, and whoever starts many runs at once from the instant at which the first one starts.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        let longest = LONGEST.as_nanos() as u64;
        Self(Histogram::new_with_bounds(1, longest, 3).expect("these bounds are valid ones"))
    }
}

impl Latencies {
    pub(crate) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).max(1));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    /// What is said of them; `None` where there are none.
    pub(crate) fn figures(&self) -> Option<LatencyFigures> {
        let at = |percentile| self.0.value_at_percentile(percentile) as f64 / 1e6;
        (!self.0.is_empty()).then(|| LatencyFigures {
            count: self.0.len(),
            p50_ms: at(50.0),
            p90_ms: at(90.0),
            p99_ms: at(99.0),
            p999_ms: at(99.9),
            max_ms: at(100.0),
            curve: CURVE.map(|percentile| (percentile, at(percentile))).to_vec(),
        })
    }
}

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(latencies: I) -> Self {
        let mut all = Self::default();
        latencies.into_iter().for_each(|latency| all.record(latency));
        all
    }
}

/// What is said of a histogram, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LatencyFigures {
    pub(crate) count: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
    /// Percentiles and their values.
    pub(crate) curve: Vec<(f64, f64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_all_latencies() {
        let mut first: Latencies = (1..=100).map(Duration::from_millis).collect();
        first.add(&(101..=200).map(Duration::from_millis).collect());
        let figures = first.figures().unwrap();
        assert_eq!(figures.count, 200);
        assert!((figures.p50_ms - 100.0).abs() < 0.2, "{figures:?}");
        assert!((figures.p99_ms - 198.0).abs() < 0.4, "{figures:?}");
        assert!((figures.max_ms - 200.0).abs() < 0.4, "{figures:?}");
    }

    #[test]
    fn none_have_no_figures_and_endless_ones_count() {
        assert_eq!(Latencies::default().figures(), None);
        let endless: Latencies = [Duration::MAX].into_iter().collect();
        assert!(endless.figures().unwrap().max_ms >= 3_600_000.0);
    }
}
