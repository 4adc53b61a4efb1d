//! The store's two times: wall time for what users see, and an age that only grows for leases and identities.

use std::sync::Arc;
use std::time::SystemTime;

use retell::clock::Clock;
use retell::vocabulary::Timestamp;
use rusqlite::{Connection, OptionalExtension, Result, params};

/// Where time comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The system: wall time, and the boot-time clock where there is one.
    System,
    /// An injected clock, shared by all that open the file.
    Injected(Arc<dyn Clock>),
}

/// The store's time: `age` is microseconds that no jump of the wall clock and no restart turns back.
///
/// It is the boot-time clock of this machine plus what earlier boots have left (`ages` in the schema), so that all
/// processes of one machine agree on it.
#[derive(Debug, Clone)]
pub(crate) struct StoreTime {
    source: Source,
    base: i64,
}

impl StoreTime {
    /// Finds the base of this boot, or begins one: then no lease of an earlier boot is alive.
    pub(crate) fn begin(source: Source, connection: &Connection) -> Result<Self> {
        let boot = source.boot();
        let known = connection
            .query_row("SELECT base FROM ages WHERE boot = ?1", [&boot], |row| row.get(0))
            .optional()?;
        if let Some(base) = known {
            return Ok(Self { source, base });
        }
        let reached: i64 = connection.query_row(
            "SELECT max(coalesce((SELECT max(at) FROM requests), 0), coalesce((SELECT max(expires_at) FROM workers), 0))",
            [],
            |row| row.get(0),
        )?;
        let base = reached - source.elapsed();
        connection.execute("DELETE FROM ages", [])?;
        connection.execute("INSERT INTO ages (boot, base) VALUES (?1, ?2)", params![boot, base])?;
        connection.execute("UPDATE workers SET expires_at = 0", [])?;
        Ok(Self { source, base })
    }

    /// Wall time.
    pub(crate) fn now(&self) -> Timestamp {
        match &self.source {
            Source::System => SystemTime::now().into(),
            Source::Injected(clock) => clock.now(),
        }
    }

    /// Whether a test's clock stands behind it.
    pub(crate) fn is_injected(&self) -> bool {
        matches!(self.source, Source::Injected(_))
    }

    /// The store's age.
    pub(crate) fn age(&self) -> i64 {
        self.base.saturating_add(self.source.elapsed())
    }
}

impl Source {
    fn elapsed(&self) -> i64 {
        match self {
            Self::System => since_boot(),
            Self::Injected(clock) => i64::try_from(clock.elapsed().as_micros()).unwrap_or(i64::MAX),
        }
    }

    fn boot(&self) -> String {
        match self {
            Self::System => boot_id(),
            Self::Injected(_) => "injected".to_owned(),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_boot() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_nsec / 1_000)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map_or_else(|_| "unknown".to_owned(), |id| id.trim().to_owned())
}

// Without a clock that all processes of a boot share, leases run on wall time here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn since_boot() -> i64 {
    Timestamp::from(SystemTime::now()).as_micros()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn boot_id() -> String {
    "wall".to_owned()
}
