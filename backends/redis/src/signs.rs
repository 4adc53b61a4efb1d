//! Signs of life: the process of each worker listens on a channel of the worker's own, and no longer when it is gone.
//!
//! Who hears of changes looks at the signs too, and ends the leases of workers whose channels nobody listens on. Whether a
//! worker may write is decided by its lease and its token, as ever.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::RedisResult;
use retell::backend::{Absences, StoreError};
use retell::vocabulary::WorkerId;
use serde::Serialize;
use tokio::sync::Notify;

use crate::Store;
use crate::key::hex;
use crate::link::Subscription;
use crate::pack::{self, packed};
use crate::reply::{Reply, uuid};
use crate::script::{RENEW, SIGNS};

/// How often they are looked at by a process that has workers: a death is noticed 0.2 s after it, by and large.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How soon again when somebody may be dead.
const LOOK_IN_DOUBT: Duration = Duration::from_millis(50);
/// How soon again where a server does not let them be looked at.
const LOOK_IN_VAIN: Duration = Duration::from_secs(60);

const OPERATION: &str = "look for signs of life";

/// The workers of this process that are to be seen alive.
#[derive(Default)]
pub(crate) struct Shown {
    workers: Mutex<BTreeSet<WorkerId>>,
    changed: Notify,
}

impl Shown {
    fn workers(&self) -> MutexGuard<'_, BTreeSet<WorkerId>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, worker: WorkerId) {
        if self.workers().insert(worker) {
            self.changed.notify_one();
        }
    }

    pub(crate) fn remove(&self, worker: WorkerId) {
        if self.workers().remove(&worker) {
            self.changed.notify_one();
        }
    }

    /// Resolves when there are others than before.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// What the process of one store has seen.
#[derive(Default)]
pub(crate) struct Signs {
    /// Workers of ours on whose channels the subscription listens.
    heard: BTreeSet<WorkerId>,
    absences: Absences<WorkerId>,
    has_looked: bool,
}

#[derive(Serialize)]
struct Asked<'a> {
    channel: &'a str,
    shown: Vec<String>,
    is_first: bool,
}

impl Signs {
    /// The subscription is lost, and all of our signs with it.
    pub(crate) fn lost(&mut self) {
        self.heard.clear();
        self.absences.lost(Instant::now());
    }

    /// Shows what is to be shown, and ends the leases of who is dead. Answers when to look again; `None` if there is no
    /// worker here to take anything over.
    ///
    /// # Errors
    /// If the subscription is lost.
    pub(crate) async fn look(
        &mut self,
        store: &Store,
        subscription: &mut Subscription,
    ) -> RedisResult<Option<Duration>> {
        self.show(store, subscription).await?;
        if self.heard.is_empty() {
            return Ok(None);
        }
        match self.look_at_others(store).await {
            Ok(()) if self.absences.is_in_doubt() => Ok(Some(LOOK_IN_DOUBT)),
            Ok(()) => Ok(Some(LOOK_EVERY)),
            Err(error) => {
                tracing::debug!(%error, "workers are seen to be dead when their leases have passed");
                let is_refused = !error.kind.eq(&retell::backend::StoreErrorKind::Unavailable);
                Ok(Some(if is_refused { LOOK_IN_VAIN } else { LOOK_EVERY }))
            }
        }
    }

    async fn show(&mut self, store: &Store, subscription: &mut Subscription) -> RedisResult<()> {
        let ours = store.shown.workers().clone();
        for worker in ours.difference(&self.heard) {
            subscription.connection.subscribe(store.link.keys.life(*worker)).await?;
        }
        for worker in self.heard.difference(&ours) {
            subscription.connection.unsubscribe(store.link.keys.life(*worker)).await?;
        }
        self.heard = ours;
        Ok(())
    }

    async fn look_at_others(&mut self, store: &Store) -> Result<(), StoreError> {
        let shown = self.heard.iter().map(|worker| hex(worker.0)).collect();
        let channel = store.link.keys.lives();
        let asked = packed(&Asked { channel: &channel, shown, is_first: !self.has_looked });
        let [away, uptime] = store.link.call(OPERATION, 0, SIGNS, &[asked]).await?.fields(OPERATION)?;
        let now = Instant::now();
        if !self.has_looked {
            self.absences.server_is_up(now, Duration::from_secs(uptime.parsed(OPERATION)?));
            self.has_looked = true;
        }
        let mut others = Vec::new();
        for worker in away.list(OPERATION)? {
            let worker = WorkerId(uuid(&worker.text(OPERATION)?, OPERATION)?);
            others.extend(Some(worker).filter(|worker| !self.heard.contains(worker)));
        }
        for worker in self.absences.dead(now, others) {
            let retiring = pack::renewal(worker, "retire", Duration::ZERO);
            for reply in store.link.call_all(OPERATION, RENEW, retiring).await? {
                let [heard, _, _] = reply.fields(OPERATION)?;
                store.notices.announce(&heard.bytes(OPERATION)?);
            }
        }
        Ok(())
    }
}
