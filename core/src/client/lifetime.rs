//! What a start says of a run beyond its input: when it begins, how long it may take, whether it is tried again, and what
//! it shows.
//!
//! All of it is persisted in the run's first event, and applies to the runs that it continues as.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::StartCall;
use super::error::StartError;
use crate::history::WorkflowStarted;
use crate::vocabulary::{Memo, Payload, RetryPolicy, Timestamp};
use crate::workflow::Workflow;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Lifetime {
    start_delay: Option<Duration>,
    run_timeout: Option<Duration>,
    execution_timeout: Option<Duration>,
    retry: Option<Box<RetryPolicy>>,
    memo: Memo,
}

impl Lifetime {
    /// The first event of a run that is started at this time.
    pub(super) fn of(self, started: WorkflowStarted, at: Timestamp) -> WorkflowStarted {
        let begins_at = self.start_delay.map(|delay| at + delay);
        let begins = begins_at.unwrap_or(at);
        WorkflowStarted {
            begins_at,
            run_timeout: self.run_timeout,
            execution_deadline: self.execution_timeout.map(|length| begins + length),
            retry: self.retry,
            memo: self.memo,
            ..started
        }
    }
}

impl<W: Workflow> StartCall<W> {
    /// Lets the code begin this much later. The run is there at once, holds the workflow ID and is listed.
    ///
    /// What is sent to it meanwhile waits for its code, a signal brought by another start and a cancel request included:
    /// nothing makes it begin earlier. A termination ends it at once. Not asked for where the start finds a run that is
    /// open.
    pub fn start_delay(self, delay: Duration) -> Self {
        self.living(|lifetime| lifetime.start_delay = Some(delay))
    }

    /// Sets the longest that the run may take, from when its code begins; without it there is no limit. A run that it
    /// continues as, or is tried again as, has as long once more.
    ///
    /// Then the run closes as [`TimedOut`](crate::write::CloseStatus::TimedOut) without asking its code, even if it is
    /// paused or parked: what it runs is stopped, and history shows what it was sent, read or not. Whoever waits for it
    /// gets [`ResultError::TimedOut`](super::ResultError::TimedOut). By its [retry policy](Self::retry) it may be tried
    /// again, though not a run that is parked. The worker that holds the run fires this, like a timer, after any restart;
    /// a run that no worker serves waits.
    ///
    /// There is no limit of one workflow task, as others have it: a task that takes too long is reported by
    /// [`blocked_after`](crate::worker::WorkerOptions::blocked_after), which belongs to the worker, whose thread it holds
    /// up, and never to the run.
    pub fn run_timeout(self, timeout: Duration) -> Self {
        self.living(|lifetime| lifetime.run_timeout = Some(timeout))
    }

    /// Sets the longest that the workflow may take, with all runs that it continues as and is tried again as; without it
    /// there is no limit. As [`run_timeout`](Self::run_timeout) otherwise, but nothing is tried again after it.
    pub fn execution_timeout(self, timeout: Duration) -> Self {
        self.living(|lifetime| lifetime.execution_timeout = Some(timeout))
    }

    /// Tries the workflow again if it fails, or passes its run timeout: as a new run of this workflow ID, with the same
    /// input and an empty history. It isn't tried again unless this is set.
    ///
    /// The run that failed and the next one are closed and started in one step. Messages that the code has not read go
    /// along, as when it continues as new; so do the memo and the attributes as they are then. The code sees which try
    /// it is, and what the last one left, in [`info`](crate::workflow::WorkflowContext::info). Cancelled and terminated
    /// runs are not tried again. Whoever waits for the result waits for the last try.
    pub fn retry(self, policy: RetryPolicy) -> Self {
        self.living(|lifetime| lifetime.retry = Some(Box::new(policy)))
    }

    /// Adds a value to the run's memo, which [`RunHandle::memo`](super::RunHandle::memo) and
    /// [`Client::memo`](super::Client::memo) read without its history; nothing is found by it. It passes the codec.
    pub fn memo<T: Serialize + ?Sized>(mut self, name: impl Into<Arc<str>>, value: &T) -> Self {
        match Payload::encode(value) {
            Ok(value) => self.living(|lifetime| _ = lifetime.memo.insert(name.into(), value)),
            Err(error) => {
                self.lifetime = Err(StartError::Payload(error));
                self
            }
        }
    }

    fn living(mut self, set: impl FnOnce(&mut Lifetime)) -> Self {
        if let Ok(lifetime) = &mut self.lifetime {
            set(lifetime);
        }
        self
    }
}
