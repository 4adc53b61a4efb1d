//! The answers that runs gave to requests.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use retell::backend::{AnswerKey, Answered};
use retell::vocabulary::{Namespace, RequestId, RunKey};
use retell::write::{Commit, IDENTITY_KEPT};

/// The last answer to each request, kept for [`IDENTITY_KEPT`] after it was given.
#[derive(Default)]
pub(crate) struct Answers {
    last: HashMap<(Namespace, RequestId), (Duration, Answered)>,
    by_age: VecDeque<(Duration, (Namespace, RequestId))>,
}

impl Answers {
    pub(crate) fn find(&self, key: &AnswerKey) -> Option<Answered> {
        self.last.get(&(key.namespace.clone(), key.request_id)).map(|(_, answered)| answered.clone())
    }

    /// Keeps what a commit answers with.
    pub(crate) fn keep(&mut self, commit: &Commit, elapsed: Duration) {
        for answer in &commit.answers {
            let key = (commit.run.namespace.clone(), answer.request_id);
            let answered = Answered { run: commit.run.clone(), body: answer.body.clone() };
            self.last.insert(key.clone(), (elapsed, answered));
            self.by_age.push_back((elapsed, key));
        }
        self.forget_old(elapsed);
    }

    /// Forgets the answers of a run that is removed.
    pub(crate) fn remove(&mut self, run: &RunKey) {
        self.last.retain(|_, (_, answered)| answered.run != *run);
        self.by_age.retain(|(_, key)| self.last.contains_key(key));
    }

    fn forget_old(&mut self, elapsed: Duration) {
        let is_old = |given: Duration| elapsed.saturating_sub(given) > IDENTITY_KEPT;
        while let Some((_, key)) = self.by_age.front().filter(|(given, _)| is_old(*given)) {
            // One that was given again since is young.
            if self.last.get(key).is_some_and(|(given, _)| is_old(*given)) {
                self.last.remove(key);
            }
            self.by_age.pop_front();
        }
    }
}
