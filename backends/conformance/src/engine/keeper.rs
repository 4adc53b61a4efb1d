//! Whether a process keeps up with its case's clock: time that flies waits for those who are about to renew their leases.
//!
//! A manual clock may move further in a real millisecond than a lease is long; on a busy machine nobody could renew it
//! in time. What is late is found by the sleeps between two renewals, which go through the process's clock; and while a
//! store renews a lease, time does not fly.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::BoxFuture;
use retell::clock::{Clock, ManualClock};
use retell::vocabulary::Timestamp;

/// How many looks a case waits for a process that is late: one that is held up for good, by the case itself, say, must
/// not hold the clock up too.
const LOOKS_MAX: u32 = 2_000;

/// What is known of who renews a process's lease.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// How long it sleeps between two renewals, and before it tries one again.
    sleeps: [Duration; 2],
    /// Until when it sleeps, in microseconds of elapsed time; 0 before it has slept.
    until: AtomicU64,
    /// How often it was found late since.
    looks: AtomicU32,
}

/// The renewals that stores have under way for the processes of a case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Renewing(Arc<AtomicUsize>);

/// A renewal is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct Renewal(Renewing);

impl Renewing {
    /// A store begins to renew a lease.
    pub(crate) fn begin(&self) -> Renewal {
        self.0.fetch_add(1, Ordering::SeqCst);
        Renewal(self.clone())
    }

    /// Whether any is under way.
    pub(crate) fn any(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The clock of one process.
#[derive(Debug)]
pub(crate) struct KeptClock {
    inner: ManualClock,
    keeper: Arc<Keeper>,
}

impl KeptClock {
    /// The clock of a process whose lease is so long, and its keeper for as long as it lives.
    pub(crate) fn new(inner: ManualClock, lease: Duration) -> (Self, Weak<Keeper>) {
        let sleeps = [lease * 3 / 10, Duration::from_millis(200).min(lease / 10)];
        let keeper = Arc::new(Keeper { sleeps, until: AtomicU64::new(0), looks: AtomicU32::new(0) });
        let known = Arc::downgrade(&keeper);
        (Self { inner, keeper }, known)
    }
}

impl Keeper {
    /// Whether it should have woken, and has neither slept again since nor tried the case's patience.
    pub(crate) fn is_waited_for(&self, clock: &ManualClock) -> bool {
        let late = self.until.load(Ordering::SeqCst) <= micros(clock.elapsed());
        late && self.looks.fetch_add(1, Ordering::SeqCst) < LOOKS_MAX
    }

    fn sleeps(&self, length: Duration, until: Duration) {
        if self.sleeps.contains(&length) {
            self.until.store(micros(until), Ordering::SeqCst);
            self.looks.store(0, Ordering::SeqCst);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Clock for KeptClock {
    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    fn elapsed(&self) -> Duration {
        self.inner.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let sleep = self.inner.sleep(duration);
        // Read afterwards: it is not late before it can have woken.
        self.keeper.sleeps(duration, self.inner.elapsed() + duration);
        sleep
    }

    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        self.inner.sleep_until(due)
    }
}
