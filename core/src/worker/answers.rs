//! Answers: who waits for what a run answers a request with, and telling them without a poll.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::backend::{AnswerKey, Answered, Mark, RunInfo};
use crate::vocabulary::RunKey;
use crate::write::Commit;

/// Those who wait for answers.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    waiting: Mutex<HashMap<u64, Awaited>>,
    next_waiter: AtomicU64,
    /// Held by the one waiter who watches the store for all: what it has seen of answers, and of closings.
    pub(crate) watch: tokio::sync::Mutex<(Mark, Mark)>,
}

#[derive(Debug)]
struct Awaited {
    key: AnswerKey,
    run: RunKey,
    seen: UnboundedSender<Sight>,
}

/// What was seen of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sight {
    /// The run that it is with, if that was looked at, before the answer was.
    pub(crate) run: Option<RunInfo>,
    /// Its last answer.
    pub(crate) answer: Option<Answered>,
}

/// One who waits for an answer. Dropping it forgets the waiter.
#[derive(Debug)]
pub(crate) struct AnswerWaiter {
    answers: Arc<Answers>,
    number: u64,
    sights: UnboundedReceiver<Sight>,
}

impl AnswerWaiter {
    /// The next thing that is seen. Cancel safe.
    pub(crate) async fn next(&mut self) -> Sight {
        // The sender stands in the list until this is dropped.
        self.sights.recv().await.unwrap_or_default()
    }
}

impl Drop for AnswerWaiter {
    fn drop(&mut self) {
        self.answers.lock().remove(&self.number);
    }
}

impl Answers {
    /// Waits for the answer to a request that is with this run; look at both once after this.
    pub(crate) fn register(self: &Arc<Self>, key: &AnswerKey, run: &RunKey) -> AnswerWaiter {
        let (seen, sights) = unbounded_channel();
        let number = self.next_waiter.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, Awaited { key: key.clone(), run: run.clone(), seen });
        AnswerWaiter { answers: self.clone(), number, sights }
    }

    /// Tells who waits what a commit of this process has answered.
    pub(crate) fn committed(&self, commit: &Commit) {
        if commit.answers.is_empty() {
            return;
        }
        let waiting = self.lock();
        for awaited in waiting.values().filter(|awaited| awaited.key.namespace == commit.run.namespace) {
            let answer = commit.answers.iter().find(|answer| answer.request_id == awaited.key.request_id);
            if let Some(answer) = answer {
                let answer = Answered { run: commit.run.clone(), body: answer.body.clone() };
                // Who waits may just be leaving.
                let _ = awaited.seen.send(Sight { run: None, answer: Some(answer) });
            }
        }
    }

    /// All that is waited for.
    pub(crate) fn awaited(&self) -> Vec<(u64, AnswerKey, RunKey)> {
        let waiting = self.lock();
        let told = |(number, awaited): (&u64, &Awaited)| (*number, awaited.key.clone(), awaited.run.clone());
        waiting.iter().map(told).collect()
    }

    /// Tells one who waits what was seen.
    pub(crate) fn tell(&self, number: u64, sight: Sight) {
        if let Some(awaited) = self.lock().get(&number) {
            // Who waits may just be leaving.
            let _ = awaited.seen.send(sight);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Awaited>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
