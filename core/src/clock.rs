//! Time, the other seam: nothing in the engine or in a store reads the system's clocks but through here.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
#[cfg(feature = "worker")]
use std::time::{Instant, SystemTime};

use futures::channel::oneshot;
use futures::future::BoxFuture;

use crate::vocabulary::Timestamp;

/// A source of time. Read from many threads.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Wall time. May jump either way.
    fn now(&self) -> Timestamp;

    /// Time since some fixed point; never goes back, whatever the wall clock does. Leases inside one process run on it.
    fn elapsed(&self) -> Duration;

    /// Resolves when `elapsed` has grown by `duration`. Cancel safe.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Resolves when wall time has reached `due`, be it by a jump, which may be noticed a second late. Cancel safe.
    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()>;
}

/// The clock that moves only when told to, for tests: no test sleeps.
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<ManualTime>);

#[derive(Debug, Default)]
struct ManualTime {
    wall_micros: AtomicI64,
    elapsed_micros: AtomicU64,
    sleepers: Mutex<Vec<Sleeper>>,
}

/// Who waits, and until when; gone once the other end is dropped.
#[derive(Debug)]
struct Sleeper {
    due: Due,
    wake: oneshot::Sender<()>,
}

/// When a sleeper is to be woken.
#[derive(Debug, Clone, Copy)]
enum Due {
    /// In microseconds of elapsed time.
    Elapsed(u64),
    /// In microseconds of wall time.
    Wall(i64),
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        let clock = Self::default();
        clock.set_wall(now);
        clock
    }

    /// Moves both wall time and elapsed time forward, and wakes who slept until then.
    pub fn advance(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.0.wall_micros.fetch_add(i64::try_from(micros).unwrap_or(i64::MAX), Ordering::SeqCst);
        self.0.elapsed_micros.fetch_add(micros, Ordering::SeqCst);
        self.wake();
    }

    /// Makes the wall clock jump, either way; elapsed time stands still.
    pub fn set_wall(&self, now: Timestamp) {
        self.0.wall_micros.store(now.as_micros(), Ordering::SeqCst);
        self.wake();
    }

    /// How far it must be moved for the next sleeper to wake; `None` while nobody sleeps.
    #[must_use]
    pub fn until_next(&self) -> Option<Duration> {
        let mut sleepers = self.0.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        sleepers.retain(|sleeper| !sleeper.wake.is_canceled());
        let micros = sleepers.iter().map(|sleeper| self.micros_until(sleeper.due)).min()?;
        Some(Duration::from_micros(micros))
    }

    fn micros_until(&self, due: Due) -> u64 {
        match due {
            Due::Elapsed(due) => due.saturating_sub(self.0.elapsed_micros.load(Ordering::SeqCst)),
            Due::Wall(due) => {
                let wall = self.0.wall_micros.load(Ordering::SeqCst);
                u64::try_from(due.saturating_sub(wall)).unwrap_or(0)
            }
        }
    }

    /// Wakes those whose time has come.
    fn wake(&self) {
        let due: Vec<_> = {
            let mut sleepers = self.0.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
            sleepers.extract_if(.., |sleeper| self.micros_until(sleeper.due) == 0).collect()
        };
        for sleeper in due {
            // A sleeper that is gone no longer wants to know.
            let _ = sleeper.wake.send(());
        }
    }

    fn sleeper(&self, due: impl FnOnce(&ManualTime) -> Due) -> BoxFuture<'static, ()> {
        let (wake, woken) = oneshot::channel();
        {
            let mut sleepers = self.0.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
            let due = due(&self.0);
            if self.micros_until(due) == 0 {
                return Box::pin(std::future::ready(()));
            }
            sleepers.push(Sleeper { due, wake });
        }
        Box::pin(async move {
            // The clock may be dropped before the time comes: then it never comes.
            if woken.await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.wall_micros.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.0.elapsed_micros.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.sleeper(|time| Due::Elapsed(time.elapsed_micros.load(Ordering::SeqCst).saturating_add(micros)))
    }

    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        self.sleeper(|_| Due::Wall(due.as_micros()))
    }
}

/// The system's clocks; sleeps on tokio's timer.
#[cfg(feature = "worker")]
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
}

#[cfg(feature = "worker")]
impl Default for SystemClock {
    fn default() -> Self {
        Self { origin: Instant::now() }
    }
}

#[cfg(feature = "worker")]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        /// After so long a jump of the wall clock is noticed.
        const SLICE: Duration = Duration::from_secs(1);
        Box::pin(async move {
            loop {
                let now = Timestamp::from(SystemTime::now());
                if due <= now {
                    return;
                }
                tokio::time::sleep(due.since(now).min(SLICE)).await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn sleepers_wake_by_the_clock_that_they_wait_for() {
        let clock = ManualClock::at(Timestamp::EPOCH);
        let (mut elapsed, mut wall) = (clock.sleep(SECOND), clock.sleep_until(Timestamp::EPOCH + 2 * SECOND));
        clock.set_wall(Timestamp::EPOCH + 2 * SECOND);
        assert_eq!(((&mut elapsed).now_or_never(), (&mut wall).now_or_never()), (None, Some(())));
        clock.advance(SECOND);
        assert_eq!((&mut elapsed).now_or_never(), Some(()));
        assert_eq!(clock.sleep_until(Timestamp::EPOCH).now_or_never(), Some(()));
        assert_eq!(clock.sleep(Duration::ZERO).now_or_never(), Some(()));
    }

    #[test]
    fn the_next_is_the_nearest_that_still_sleeps() {
        let clock = ManualClock::at(Timestamp::EPOCH);
        assert_eq!(clock.until_next(), None);
        let near = clock.sleep(SECOND);
        let _far = clock.sleep_until(Timestamp::EPOCH + 3 * SECOND);
        assert_eq!(clock.until_next(), Some(SECOND));
        drop(near);
        assert_eq!(clock.until_next(), Some(3 * SECOND));
        clock.set_wall(Timestamp::EPOCH + SECOND);
        assert_eq!(clock.until_next(), Some(2 * SECOND));
    }
}
