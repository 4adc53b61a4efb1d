//! Time, the other seam: nothing in the engine or in a store reads the system's clocks but through here.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
#[cfg(feature = "worker")]
use std::time::{Instant, SystemTime};

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
}

/// The clock that moves only when told to, for tests: no test sleeps.
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<ManualTime>);

#[derive(Debug, Default)]
struct ManualTime {
    wall_micros: AtomicI64,
    elapsed_micros: AtomicU64,
    sleepers: Mutex<Vec<(u64, futures::channel::oneshot::Sender<()>)>>,
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
        let now = self.0.elapsed_micros.fetch_add(micros, Ordering::SeqCst) + micros;
        let due: Vec<_> = {
            let mut sleepers = self.0.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
            sleepers.extract_if(.., |(at, _)| *at <= now).collect()
        };
        for (_, sleeper) in due {
            // A sleeper that is gone no longer wants to know.
            let _ = sleeper.send(());
        }
    }

    /// Makes the wall clock jump, either way; elapsed time stands still.
    pub fn set_wall(&self, now: Timestamp) {
        self.0.wall_micros.store(now.as_micros(), Ordering::SeqCst);
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
        let (wake, woken) = futures::channel::oneshot::channel();
        let mut sleepers = self.0.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        let due = self.0.elapsed_micros.load(Ordering::SeqCst).saturating_add(micros);
        if micros > 0 {
            sleepers.push((due, wake));
        }
        Box::pin(async move {
            // The clock may be dropped before the time comes: then it never comes.
            if micros > 0 && woken.await.is_err() {
                std::future::pending::<()>().await;
            }
        })
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
}
