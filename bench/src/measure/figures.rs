//! What is said of several repetitions: medians, and the latencies of all of them together.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::latency::{Latencies, LatencyFigures};
use super::sample::{Extra, Sample, Unit};

/// The medians of all repetitions. Latencies are those of all repetitions together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) unit: Unit,
    pub(crate) repetitions: usize,
    pub(crate) operations: u64,
    pub(crate) per_second: f64,
    pub(crate) took_s: f64,
    /// Processor time of the whole process, load generator included.
    pub(crate) cpu_us_each: Option<f64>,
    pub(crate) memory_peak_mib: Option<f64>,
    /// Bytes handed to the system for writing.
    pub(crate) written_each: Option<f64>,
    /// Bytes of events, before any store's overhead.
    pub(crate) event_bytes_each: Option<f64>,
    pub(crate) commits_each: Option<f64>,
    /// Statements or scripts that a server answered.
    #[serde(default)]
    pub(crate) round_trips_each: Option<f64>,
    /// Processor time of the server.
    #[serde(default)]
    pub(crate) server_cpu_us_each: Option<f64>,
    pub(crate) failed: u64,
    pub(crate) latency: Option<LatencyFigures>,
    pub(crate) extras: Vec<Extra>,
    /// Processor time of a step, in microseconds, by how many came before it; of the last repetition.
    pub(crate) series: Vec<(f64, f64)>,
}

impl Figures {
    /// Of at least one sample.
    pub(crate) fn of(unit: Unit, samples: &[Sample]) -> Self {
        let mut latencies = Latencies::default();
        samples.iter().for_each(|sample| latencies.add(&sample.latencies));
        let each = |figure: fn(&Sample) -> Option<f64>| {
            let figures: Option<Vec<_>> = samples
                .iter()
                .map(|sample| figure(sample).map(|figure| figure / sample.operations as f64))
                .collect();
            figures.map(median)
        };
        let peaks: Option<Vec<_>> =
            samples.iter().map(|sample| sample.usage.memory_peak.map(|peak| peak as f64)).collect();
        let cpu = |sample: &Sample| match sample.usage.cpu.as_secs_f64() {
            0.0 => None,
            seconds => Some(seconds * 1e6),
        };
        let event_bytes = |sample: &Sample| match sample.counts.record_bytes {
            0 => None,
            bytes => Some(bytes as f64),
        };
        Self {
            unit,
            repetitions: samples.len(),
            operations: samples.first().map_or(0, |sample| sample.operations),
            per_second: median(
                samples.iter().map(|sample| sample.operations as f64 / sample.took.as_secs_f64()).collect(),
            ),
            took_s: median(samples.iter().map(|sample| sample.took.as_secs_f64()).collect()),
            cpu_us_each: each(cpu),
            memory_peak_mib: peaks.map(|peaks| median(peaks) / (1024.0 * 1024.0)),
            written_each: each(|sample| sample.usage.written.map(|bytes| bytes as f64)),
            event_bytes_each: each(event_bytes),
            commits_each: each(|sample| sample.traffic.commits.map(|commits| commits as f64)),
            round_trips_each: each(|sample| sample.traffic.round_trips.map(|trips| trips as f64)),
            server_cpu_us_each: each(|sample| sample.traffic.server_cpu.map(|cpu| cpu.as_secs_f64() * 1e6)),
            failed: samples.iter().map(|sample| sample.failed).sum(),
            latency: latencies.figures(),
            extras: extras(samples),
            series: samples.last().map_or_else(Vec::new, |sample| sample.series.clone()),
        }
    }

    /// A figure that this workload alone has.
    pub(crate) fn extra(&self, name: &str) -> Option<f64> {
        self.extras.iter().find(|extra| extra.name == name).map(|extra| extra.value)
    }
}

/// The median of each extra figure, in the order of the first sample.
fn extras(samples: &[Sample]) -> Vec<Extra> {
    let Some(first) = samples.first() else { return Vec::new() };
    let all_of = |name: &str| {
        let named = |sample: &Sample| sample.extras.iter().find(|extra| extra.name == name).map(|e| e.value);
        samples.iter().filter_map(named).collect()
    };
    first.extras.iter().map(|extra| Extra { value: median(all_of(&extra.name)), ..extra.clone() }).collect()
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} {}/s, {:.1} ms", self.per_second, self.unit.name(), self.took_s * 1e3)?;
        if let Some(latency) = &self.latency {
            let LatencyFigures { p50_ms, p99_ms, max_ms, .. } = latency;
            write!(f, "; waiting p50 {p50_ms:.3} ms, p99 {p99_ms:.3} ms, longest {max_ms:.3} ms")?;
        }
        write!(f, "; each")?;
        if let Some(commits) = self.commits_each {
            write!(f, " {commits:.3} commits,")?;
        }
        if let Some(trips) = self.round_trips_each {
            write!(f, " {trips:.3} round trips,")?;
        }
        if let Some(written) = self.written_each {
            write!(f, " {written:.0} bytes written")?;
        }
        if let Some(bytes) = self.event_bytes_each {
            write!(f, " ({bytes:.0} of events)")?;
        }
        if let Some(cpu) = self.cpu_us_each {
            write!(f, ", {cpu:.1} us CPU")?;
        }
        if let Some(cpu) = self.server_cpu_us_each {
            write!(f, " and {cpu:.1} us of the server")?;
        }
        if let Some(peak) = self.memory_peak_mib {
            write!(f, "; at most {peak:.0} MiB")?;
        }
        if self.failed > 0 {
            write!(f, "; {} RUNS FAILED", self.failed)?;
        }
        self.extras
            .iter()
            .try_for_each(|extra| write!(f, "\n    {}: {:.3} {}", extra.name, extra.value, extra.unit))
    }
}

/// The middle of some values; 0 where there are none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::Traffic;

    fn sample(milliseconds: u64, commits: u64) -> Sample {
        let took = Duration::from_millis(milliseconds);
        let extras = vec![Extra::new("growth", milliseconds as f64, "")];
        let traffic = Traffic { commits: Some(commits), ..Traffic::default() };
        Sample { operations: 100, took, traffic, extras, ..Sample::default() }
    }

    #[test]
    fn medians_ignore_an_outlier() {
        let figures = Figures::of(Unit::Activities, &[sample(10, 100), sample(1_000, 900), sample(20, 110)]);
        assert_eq!(figures.took_s, 0.02);
        assert_eq!(figures.per_second, 5_000.0);
        assert_eq!(figures.commits_each, Some(1.1));
        assert_eq!(figures.extra("growth"), Some(20.0));
    }

    #[test]
    fn an_even_number_has_its_median_between() {
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(Vec::new()), 0.0);
    }

    #[test]
    fn what_one_sample_does_not_know_has_no_figure() {
        let uncounted = Sample { traffic: Traffic::default(), ..sample(10, 0) };
        let figures = Figures::of(Unit::Runs, &[uncounted, sample(10, 1)]);
        assert_eq!(figures.commits_each, None);
        assert_eq!(figures.latency, None);
    }
}
