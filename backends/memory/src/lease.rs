//! Workers and how long they live.

use std::collections::HashMap;
use std::time::Duration;

use retell::backend::{LeaseAction, Renewal, Renewed, StoreError, StoreErrorKind};
use retell::vocabulary::WorkerId;

use crate::state::State;

/// The leases of all workers that ever lived here: a worker ID is opened once.
#[derive(Default)]
pub(crate) struct Leases(HashMap<WorkerId, Lease>);

/// When a lease ends on [`Clock::elapsed`](retell::clock::Clock::elapsed); zero once it is retired.
struct Lease(Duration);

impl Leases {
    /// Whether a worker is registered and its lease has not run out.
    pub(crate) fn alive(&self, worker: WorkerId, elapsed: Duration) -> bool {
        self.0.get(&worker).is_some_and(|lease| elapsed < lease.0)
    }
}

impl State {
    pub(crate) fn renew(&mut self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        let elapsed = self.clock.elapsed();
        let alive = self.leases.alive(renewal.worker, elapsed);
        let known = self.leases.0.contains_key(&renewal.worker);
        let end = match &renewal.action {
            LeaseAction::Register { lease, .. } if alive || !known => elapsed + *lease,
            LeaseAction::Renew { lease } if alive => elapsed + *lease,
            LeaseAction::Retire => {
                self.heard.work = true;
                self.claimed.remove(&renewal.worker);
                Duration::ZERO
            }
            LeaseAction::Register { .. } | LeaseAction::Renew { .. } => return Err(lease_lost("renew")),
        };
        self.leases.0.insert(renewal.worker, Lease(end));
        Ok(Renewed { now: self.clock.now() })
    }
}

pub(crate) fn lease_lost(operation: &str) -> StoreError {
    StoreError::new(StoreErrorKind::LeaseLost, operation)
}
