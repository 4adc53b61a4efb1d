//! What a user may set on a worker; the defaults are for speed.

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::time::Duration;

use crate::replay::PanicPolicy;

/// The sizes and times of a worker: `WorkerOptions::default().activity_slots(100)`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// Async activities that run at once; 1,000.
    pub activity_slots: usize,
    /// Blocking activities that run at once; 4 for each core.
    pub blocking_activity_slots: usize,
    /// Live runs kept in memory beside those whose activities run here; 10,000. 0 keeps none at all: every task then
    /// reads its run's history.
    pub cached_runs_max: usize,
    /// The estimated bytes of live runs kept in memory; 512 MiB.
    pub cached_bytes_max: usize,
    /// Threads that run workflow code; one for each core.
    pub workflow_threads: usize,
    /// How long the lease lasts without renewal; 10 s. It is renewed three times as often.
    pub lease: Duration,
    /// How often the worker claims although nothing has changed, since the death of another process announces nothing;
    /// 1 s.
    pub claim_interval: Duration,
    /// How long a shutdown waits for running activities; 10 s. What still runs then is cancelled and tried elsewhere.
    pub shutdown_grace: Duration,
    /// How long the code of a workflow may keep its thread; 10 s. Then that is reported, in the log and by
    /// [`Engine::health`](crate::Engine::health), and the worker goes on with another thread, under a new lease. Looked
    /// at as often as the lease is renewed, and found that much later.
    pub blocked_after: Duration,
    /// How many events a run's history may have; 1,000,000. A run that comes there is parked, visibly, with all that it was
    /// sent: a worker with a higher limit takes it up where it stands, a reset to an earlier event goes on without it. It
    /// cannot continue as new by itself any more: long before, at half of this, the log warns of it, and its code is told
    /// to from [`SUGGESTED_EVENTS`](crate::workflow::SUGGESTED_EVENTS) on. How long a history is, is the head of its
    /// [`RunInfo`](crate::backend::RunInfo).
    pub history_events_max: u64,
    /// How long closed runs of the namespace are kept: none goes by itself unless this is set. What closed longer ago is
    /// removed for good, as by [`Client::remove_closed`](crate::client::Client::remove_closed), at the start and then ten
    /// times in such an age, each hour at least and each second at most. Every process of the namespace that sets this does
    /// so: the shortest age counts.
    pub retention: Option<Duration>,
    /// What a panic of workflow code does: fail the task, which is tried again (the default), or fail the run.
    pub panics: PanicPolicy,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        // Asking reads the system's files, and takes longer than starting an engine.
        static CORES: OnceLock<usize> = OnceLock::new();
        let cores = *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get));
        Self {
            activity_slots: 1_000,
            blocking_activity_slots: 4 * cores,
            cached_runs_max: 10_000,
            cached_bytes_max: 512 * 1024 * 1024,
            workflow_threads: cores,
            lease: Duration::from_secs(10),
            claim_interval: Duration::from_secs(1),
            shutdown_grace: Duration::from_secs(10),
            blocked_after: Duration::from_secs(10),
            history_events_max: 1_000_000,
            retention: None,
            panics: PanicPolicy::default(),
        }
    }
}

/// A method for each field, by the field's name.
macro_rules! setters {
    ($($field:ident: $type:ty),+ $(,)?) => {
        impl WorkerOptions {
            $(
                #[doc = concat!("Sets the field of [this name](#structfield.", stringify!($field), ").")]
                #[must_use]
                pub fn $field(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )+
        }
    };
}

setters! {
    activity_slots: usize,
    blocking_activity_slots: usize,
    cached_runs_max: usize,
    cached_bytes_max: usize,
    workflow_threads: usize,
    lease: Duration,
    claim_interval: Duration,
    shutdown_grace: Duration,
    blocked_after: Duration,
    history_events_max: u64,
    retention: Option<Duration>,
    panics: PanicPolicy,
}
