//! The bodies that run here or are about to, so that they can be stopped.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::activities::ActivityJob;
use crate::activity::{ActivityInfo, CancelFlag, TokenParts};
use crate::history::ActivityScheduled;
use crate::host::TaskHandle;
use crate::vocabulary::{Attempt, EventId, FencingToken, RunId, RunKey, SpreadIds, Timestamp, WorkerId};

/// Which bodies are to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// That of one call.
    Call(RunId, EventId),
    /// Those of a run that have no row in the queue, and so belong to its holder.
    Rowless(RunId),
    /// All of a run.
    Run(RunId),
    /// That of one call is asked, and ends by itself.
    Ask(RunId, EventId),
}

/// The attempts that were given to this worker and have not ended. They live and die with its lease: what was
/// committed or claimed under another one begins nothing.
#[derive(Default)]
pub(crate) struct Running {
    bodies: Mutex<Bodies>,
}

#[derive(Default)]
struct Bodies {
    /// The worker's current identity; none before it is registered, after it has lost its lease, and after its end.
    life: Option<WorkerId>,
    of: HashMap<(RunId, EventId), Body, SpreadIds>,
}

struct Body {
    info: Arc<ActivityInfo>,
    token: FencingToken,
    /// Who claimed it from the queue; `None` if it has no row, or got one only later.
    queued: Option<WorkerId>,
    /// Whether it waits for a slot. Kept only for calls that are limited in this.
    in_line: bool,
    /// When it began. Kept only for calls that are limited in this.
    began: Option<Timestamp>,
    /// What its token must know.
    call: Arc<ActivityScheduled>,
    close_by: Option<Timestamp>,
    cancel: CancelFlag,
    abort: Option<TaskHandle>,
    /// Whether its run has asked it to stop.
    asked: bool,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl Running {
    /// Begins a life: from now on its attempts may begin.
    pub(super) fn begin_life(&self, worker: WorkerId) {
        self.lock().life = Some(worker);
    }

    /// Ends a life, and stops all that it has begun.
    pub(super) fn end_life(&self) {
        let stopped = std::mem::take(&mut *self.lock());
        stopped.of.values().for_each(Body::stop);
    }

    /// Whether this is the worker's current identity.
    pub(super) fn lives(&self, worker: WorkerId) -> bool {
        self.lock().life == Some(worker)
    }

    /// Notes an attempt that is about to begin; `false` if it may not, because its life is over.
    pub(super) fn expect(&self, job: &ActivityJob, worker: WorkerId) -> bool {
        let body = Body {
            info: job.info.clone(),
            token: job.token,
            queued: job.queued,
            in_line: job.call.schedule_to_start.is_some(),
            began: None,
            call: job.call.clone(),
            close_by: job.close_by,
            cancel: job.cancel.clone(),
            abort: None,
            asked: false,
        };
        let mut bodies = self.lock();
        let lives = bodies.life == Some(worker);
        if lives {
            bodies.of.insert(job.info.call(), body);
        }
        lives
    }

    /// Notes that a body has got its slot.
    pub(super) fn left_line(&self, key: (RunId, EventId), now: Timestamp) {
        if let Some(body) = self.lock().of.get_mut(&key) {
            body.in_line = false;
            body.began = Some(now);
        }
    }

    /// The calls of a run that wait for a slot here, as far as they are limited in this.
    pub(super) fn in_line(&self, run_id: RunId) -> HashSet<EventId> {
        let bodies = self.lock();
        let waiting = bodies.of.iter().filter(|((of, _), body)| *of == run_id && body.in_line);
        waiting.map(|((_, scheduled), _)| *scheduled).collect()
    }

    /// The token of an attempt that has not ended.
    pub(super) fn token(&self, key: (RunId, EventId), attempt: Attempt) -> Option<TokenParts> {
        let bodies = self.lock();
        let body = bodies.of.get(&key).filter(|body| body.info.attempt == attempt)?;
        let call = &body.call;
        Some(TokenParts {
            run: body.info.run.clone(),
            scheduled: key.1,
            attempt,
            retry: call.retry.clone(),
            heartbeat: call.heartbeat,
            attempt_by: body.began.zip(call.start_to_close).map(|(began, length)| began + length),
            close_by: body.close_by,
        })
    }

    /// What is known of an attempt that has not ended: its run's token, and who claimed it.
    pub(super) fn find(
        &self,
        key: (RunId, EventId),
        attempt: Attempt,
    ) -> Option<(FencingToken, Option<WorkerId>)> {
        let bodies = self.lock();
        let body = bodies.of.get(&key).filter(|body| body.info.attempt == attempt)?;
        Some((body.token, body.queued))
    }

    /// Keeps the handle by which a body that has begun is dropped. If it was stopped before, it is dropped now.
    pub(super) fn begun(&self, key: (RunId, EventId), attempt: Attempt, abort: TaskHandle) {
        match self.lock().of.get_mut(&key).filter(|body| body.info.attempt == attempt) {
            Some(body) => body.abort = Some(abort),
            None => abort.abort(),
        }
    }

    /// Forgets a body that ended, and says whether it was asked to stop; `None` if it was stopped before, so that its
    /// outcome counts for nothing.
    pub(super) fn ended(&self, key: (RunId, EventId), attempt: Attempt) -> Option<bool> {
        let mut bodies = self.lock();
        bodies.of.get(&key).filter(|body| body.info.attempt == attempt)?;
        bodies.of.remove(&key).map(|body| body.asked)
    }

    /// A local call goes on to this attempt, which is told to stop by what is returned; `None` if it was stopped.
    pub(super) fn again(&self, next: &Arc<ActivityInfo>) -> Option<CancelFlag> {
        let mut bodies = self.lock();
        let body = bodies.of.get_mut(&next.call()).filter(|body| body.info.attempt.next() == next.attempt)?;
        (body.info, body.abort) = (next.clone(), None);
        if !body.asked {
            // An attempt that took too long was told to stop, and that attempt only.
            body.cancel = CancelFlag::default();
        }
        Some(body.cancel.clone())
    }

    /// Stops bodies: an async one is dropped, a blocking one is told. Their outcome counts for nothing.
    pub(super) fn stop(&self, stop: Stop) {
        let mut locked = self.lock();
        let bodies = &mut locked.of;
        let stopped: Vec<Body> = match stop {
            Stop::Call(run_id, scheduled) => bodies.remove(&(run_id, scheduled)).into_iter().collect(),
            Stop::Rowless(run_id) => take(bodies, |key, body| key.0 == run_id && body.queued.is_none()),
            Stop::Run(run_id) => take(bodies, |key, _| key.0 == run_id),
            Stop::Ask(run_id, scheduled) => {
                if let Some(body) = bodies.get_mut(&(run_id, scheduled)) {
                    body.asked = true;
                    body.cancel.cancel();
                }
                return;
            }
        };
        drop(locked);
        stopped.iter().for_each(Body::stop);
    }

    /// The runs that they belong to.
    pub(super) fn runs(&self) -> BTreeSet<RunKey> {
        self.lock().of.values().map(|body| body.info.run.clone()).collect()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.lock().of.len()
    }

    fn lock(&self) -> MutexGuard<'_, Bodies> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body {
    fn stop(&self) {
        self.cancel.cancel();
        self.abort.iter().for_each(TaskHandle::abort);
    }
}

fn take(
    bodies: &mut HashMap<(RunId, EventId), Body, SpreadIds>,
    mut which: impl FnMut(&(RunId, EventId), &Body) -> bool,
) -> Vec<Body> {
    bodies.extract_if(|key, body| which(key, body)).map(|(_, body)| body).collect()
}
