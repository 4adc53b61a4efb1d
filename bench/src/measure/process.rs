//! What this process used: processor time, memory at its highest, bytes handed to the system for writing.
//!
//! The last two are read from Linux' `/proc`; elsewhere they are unknown.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// A reading of the meters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    cpu: Duration,
    written: Option<u64>,
}

/// What was used between two readings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Of all threads together.
    pub(crate) cpu: Duration,
    /// The most memory that the process held at once, the part that was there before included.
    pub(crate) memory_peak: Option<u64>,
    /// Bytes of all `write` calls: the write-ahead log and what checkpoints move out of it.
    pub(crate) written: Option<u64>,
}

impl Meter {
    /// Begins: from here on the highest memory is counted anew.
    pub(crate) fn start() -> Self {
        // Where it cannot be set back, the peak is that of the whole process.
        let _ = fs::write("/proc/self/clear_refs", "5");
        Self::read()
    }

    /// What was used since.
    pub(crate) fn stop(self) -> Usage {
        let now = Self::read();
        let written = now.written.zip(self.written).map(|(now, then)| now - then);
        Usage { cpu: now.cpu.saturating_sub(self.cpu), memory_peak: status("VmHWM:"), written }
    }

    fn read() -> Self {
        Self { cpu: Self::cpu(), written: field("/proc/self/io", "wchar:") }
    }

    /// The processor time of all threads so far.
    pub(crate) fn cpu() -> Duration {
        duration(clock_gettime(ClockId::ProcessCPUTime))
    }

    /// The processor time of this thread so far: what neighbours on the machine do not change.
    pub(crate) fn cpu_of_thread() -> Duration {
        duration(clock_gettime(ClockId::ThreadCPUTime))
    }

    /// The memory that the process holds now.
    pub(crate) fn memory() -> Option<u64> {
        status("VmRSS:")
    }
}

fn duration(time: Timespec) -> Duration {
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// A line of the process's status, which counts in KiB.
fn status(name: &str) -> Option<u64> {
    field("/proc/self/status", name).map(|kibibytes| kibibytes * 1024)
}

fn field(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_on_the_meters() {
        let meter = Meter::start();
        let mut sum = 0_u64;
        let bytes = vec![1_u8; 32 * 1024 * 1024];
        for _ in 0..20 {
            sum += bytes.iter().map(|byte| u64::from(std::hint::black_box(*byte))).sum::<u64>();
        }
        assert!(sum > 0);
        let usage = meter.stop();
        assert!(usage.cpu > Duration::from_millis(1));
        if cfg!(target_os = "linux") {
            assert!(usage.memory_peak.unwrap() > 32 * 1024 * 1024);
            assert!(usage.written.is_some());
        }
    }
}
