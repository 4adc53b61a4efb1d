//! What is measured and how: the process, the store's traffic, latencies, and what is said of several repetitions.

mod figures;
mod latency;
mod process;
mod sample;
mod tap;

pub(crate) use figures::{Figures, median};
pub(crate) use latency::{Latencies, LatencyFigures};
pub(crate) use process::Meter;
pub(crate) use sample::{Extra, Sample, Unit, measured};
pub(crate) use tap::{Counts, Tap};
