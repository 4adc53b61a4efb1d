//! What a simulated process is to its engine: tasks go to the executor, IDs come from the world's lots.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use retell::clock::{Clock, ManualClock};
use retell::host::{Abort, Host, Role};
use uuid::{Builder, Uuid};

use super::executor::{ProcessId, Spawner};

/// Numbers that a seed determines, shared by all of a world.
#[derive(Debug, Clone)]
pub(crate) struct Lots(Arc<Mutex<(fastrand::Rng, u16)>>);

impl Lots {
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self(Arc::new(Mutex::new((fastrand::Rng::with_seed(seed), 0))))
    }

    /// A stream of numbers of its own.
    pub(crate) fn fork(&self) -> fastrand::Rng {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.fork()
    }

    /// A UUIDv7 of the clock's time, later than all that were drawn in the same millisecond before, but for 4,096.
    pub(crate) fn uuid(&self, clock: &ManualClock) -> Uuid {
        let mut lots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (numbers, counter) = &mut *lots;
        *counter = (*counter + 1) % 0x1000;
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&numbers.u64(..).to_be_bytes());
        bytes[..2].copy_from_slice(&counter.to_be_bytes());
        let millis = u64::try_from(clock.now().as_micros() / 1_000).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}

/// The host of one process's engine.
pub(crate) struct ProcessHost {
    pub(crate) process: ProcessId,
    pub(crate) spawner: Arc<Spawner>,
    pub(crate) clock: ManualClock,
    pub(crate) lots: Lots,
}

impl Host for ProcessHost {
    fn spawn(&self, _role: Role, task: BoxFuture<'static, ()>) -> Abort {
        let (id, spawner) = (self.spawner.spawn(self.process, task), self.spawner.clone());
        Box::new(move || spawner.abort(id))
    }

    fn spawn_blocking(&self, body: Box<dyn FnOnce() + Send>) {
        // On the driver's thread: nothing else moves until it returns.
        self.spawner.spawn(self.process, Box::pin(async move { body() }));
    }

    fn fresh_id(&self) -> Uuid {
        self.lots.uuid(&self.clock)
    }
}

impl fmt::Debug for ProcessHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessHost").field("process", &self.process).finish_non_exhaustive()
    }
}
