//! Which requests were applied, and their first outcomes.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use retell::vocabulary::{Namespace, RequestId, RunKey};
use retell::write::{Applied, IDENTITY_KEPT};

/// The outcomes of applied requests, kept for [`IDENTITY_KEPT`].
#[derive(Default)]
pub(crate) struct Identities {
    /// With the run that each is about.
    outcomes: HashMap<(Namespace, RequestId), (Applied, RunKey)>,
    by_age: VecDeque<(Duration, (Namespace, RequestId))>,
}

impl Identities {
    pub(crate) fn find(&self, namespace: &Namespace, request_id: RequestId) -> Option<&Applied> {
        self.outcomes.get(&(namespace.clone(), request_id)).map(|(outcome, _)| outcome)
    }

    pub(crate) fn keep(
        &mut self,
        request_id: RequestId,
        (outcome, run): (Applied, RunKey),
        elapsed: Duration,
    ) {
        let key = (run.namespace.clone(), request_id);
        if self.outcomes.insert(key.clone(), (outcome, run)).is_none() {
            self.by_age.push_back((elapsed, key));
        }
    }

    /// Forgets what is about a run that is removed.
    pub(crate) fn remove(&mut self, run: &RunKey) {
        self.outcomes.retain(|_, (_, about)| about != run);
        self.by_age.retain(|(_, key)| self.outcomes.contains_key(key));
    }

    pub(crate) fn forget_old(&mut self, elapsed: Duration) {
        while let Some((kept, key)) = self.by_age.front() {
            if elapsed.saturating_sub(*kept) <= IDENTITY_KEPT {
                return;
            }
            self.outcomes.remove(key);
            self.by_age.pop_front();
        }
    }
}
