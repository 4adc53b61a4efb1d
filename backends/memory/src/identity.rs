//! Which requests were applied, and their first outcomes.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use retell::vocabulary::{Namespace, RequestId};
use retell::write::{Applied, IDENTITY_KEPT};

/// The outcomes of applied requests, kept for [`IDENTITY_KEPT`].
#[derive(Default)]
pub(crate) struct Identities {
    outcomes: HashMap<(Namespace, RequestId), Applied>,
    by_age: VecDeque<(Duration, (Namespace, RequestId))>,
}

impl Identities {
    pub(crate) fn find(&self, namespace: &Namespace, request_id: RequestId) -> Option<&Applied> {
        self.outcomes.get(&(namespace.clone(), request_id))
    }

    pub(crate) fn keep(
        &mut self,
        namespace: &Namespace,
        request_id: RequestId,
        outcome: Applied,
        elapsed: Duration,
    ) {
        let key = (namespace.clone(), request_id);
        if self.outcomes.insert(key.clone(), outcome).is_none() {
            self.by_age.push_back((elapsed, key));
        }
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
