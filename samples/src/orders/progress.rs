//! Shows how far it is, on standard error: one line that changes on a terminal, a line a second elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

/// How far a run of orders is.
#[derive(Debug)]
pub(super) struct Progress {
    total: usize,
    shown: Option<usize>,
    on_terminal: bool,
}

impl Progress {
    pub(super) fn new(total: usize) -> Self {
        Self { total, shown: None, on_terminal: stderr().is_terminal() }
    }

    /// How often to show it.
    pub(super) fn every(&self) -> Duration {
        Duration::from_millis(if self.on_terminal { 100 } else { 1_000 })
    }

    /// Shows it, if it is not what was shown last.
    pub(super) fn show(&mut self, ended: usize) {
        if self.shown.replace(ended) == Some(ended) {
            return;
        }
        let end = if self.on_terminal { '\r' } else { '\n' };
        // Who does not listen misses nothing.
        let _ = write!(stderr(), "{ended} of {} orders ended{end}", self.total);
    }
}
