//! The first task of a run that begins on this worker: known before anything of the run is claimed or read.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::backend::InboxMessage;
use crate::history::WorkflowStarted;
use crate::vocabulary::{Position, RunKey, Timestamp};
use crate::write::{NewMessage, Outcome, Start};

/// A run that begins here: its first event is known, its code has not been polled.
#[derive(Debug, Clone)]
pub(crate) struct FirstTask {
    pub(crate) run: RunKey,
    pub(crate) started: Arc<WorkflowStarted>,
    pub(crate) at: Timestamp,
    /// What lies in its inbox from the start.
    pub(crate) inbox: Vec<InboxMessage>,
}

/// A start on its way to the store together with its first task, if that is quick enough.
///
/// Whoever takes the write first sends it: the shard, with the first task's commit behind it, or the client, who does
/// not wait for a first task that is slow.
pub(crate) struct PendingStart {
    pub(crate) first_task: FirstTask,
    write: Mutex<Option<(Start, oneshot::Sender<Outcome>)>>,
}

impl PendingStart {
    /// A start that nobody has taken, and where its outcome will come.
    pub(crate) fn new(
        start: Start,
        started: Arc<WorkflowStarted>,
    ) -> (Arc<Self>, oneshot::Receiver<Outcome>) {
        let (run, at, inbox) = (start.run.clone(), start.record.at, inbox_of(&start));
        let first_task = FirstTask { run, started, at, inbox };
        let (sender, receiver) = oneshot::channel();
        (Arc::new(Self { first_task, write: Mutex::new(Some((start, sender))) }), receiver)
    }

    /// Takes the write, unless it is taken.
    pub(crate) fn take(&self) -> Option<(Start, oneshot::Sender<Outcome>)> {
        self.write.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What lies in the inbox of a run that is started so. Its owner knows it, so the store does not show it.
pub(super) fn inbox_of(start: &Start) -> Vec<InboxMessage> {
    let at = start.record.at;
    let positions = (1..).map(Position);
    let message = |(position, message): (Position, &NewMessage)| InboxMessage {
        position,
        request_id: message.request_id,
        at,
        body: message.body.clone(),
    };
    positions.zip(&start.inbox).map(message).collect()
}
