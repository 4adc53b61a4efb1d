//! The bodies that run here or are about to, so that they can be stopped.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use super::activities::ActivityJob;
use crate::activity::CancelFlag;
use crate::vocabulary::{Attempt, EventId, RunId, RunKey};

/// Which bodies are to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// That of one call.
    Call(RunId, EventId),
    /// Those of a run that have no row in the queue, and so belong to its holder.
    Rowless(RunId),
    /// All of a run.
    Run(RunId),
    /// All.
    All,
}

/// The attempts that were given to this worker and have not ended.
#[derive(Default)]
pub(super) struct Running {
    bodies: Mutex<HashMap<(RunId, EventId), Body>>,
}

struct Body {
    run: RunKey,
    attempt: Attempt,
    queued: bool,
    cancel: CancelFlag,
    abort: Option<AbortHandle>,
}

impl Running {
    /// Notes an attempt that is about to begin.
    pub(super) fn expect(&self, job: &ActivityJob) {
        let body = Body {
            run: job.run.clone(),
            attempt: job.attempt,
            queued: job.queued.is_some(),
            cancel: job.cancel.clone(),
            abort: None,
        };
        self.lock().insert((job.run.run_id, job.scheduled), body);
    }

    /// Keeps the handle by which a body that has begun is dropped. If it was stopped before, it is dropped now.
    pub(super) fn begun(&self, key: (RunId, EventId), attempt: Attempt, abort: AbortHandle) {
        match self.lock().get_mut(&key).filter(|body| body.attempt == attempt) {
            Some(body) => body.abort = Some(abort),
            None => abort.abort(),
        }
    }

    /// Forgets a body that ended; `false` if it was stopped before, so that its outcome counts for nothing.
    pub(super) fn ended(&self, key: (RunId, EventId), attempt: Attempt) -> bool {
        let mut bodies = self.lock();
        let same = bodies.get(&key).is_some_and(|body| body.attempt == attempt);
        same && bodies.remove(&key).is_some()
    }

    /// Stops bodies: an async one is dropped, a blocking one is told. Their outcome counts for nothing.
    pub(super) fn stop(&self, stop: Stop) {
        let mut bodies = self.lock();
        let stopped: Vec<Body> = match stop {
            Stop::Call(run_id, scheduled) => bodies.remove(&(run_id, scheduled)).into_iter().collect(),
            Stop::Rowless(run_id) => take(&mut bodies, |key, body| key.0 == run_id && !body.queued),
            Stop::Run(run_id) => take(&mut bodies, |key, _| key.0 == run_id),
            Stop::All => take(&mut bodies, |_, _| true),
        };
        drop(bodies);
        for body in stopped {
            body.cancel.cancel();
            body.abort.iter().for_each(AbortHandle::abort);
        }
    }

    /// The runs that they belong to.
    pub(super) fn runs(&self) -> HashSet<RunKey> {
        self.lock().values().map(|body| body.run.clone()).collect()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(RunId, EventId), Body>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take(
    bodies: &mut HashMap<(RunId, EventId), Body>,
    mut which: impl FnMut(&(RunId, EventId), &Body) -> bool,
) -> Vec<Body> {
    bodies.extract_if(|key, body| which(key, body)).map(|(_, body)| body).collect()
}
