//! Identities of applied writes: a request that comes again gets its first outcome.

use retell::vocabulary::{Namespace, Position, RequestId, RunKey};
use retell::write::{Applied, Outcome, Refusal};

use super::world::World;

/// `outcome` in the table of requests.
pub(crate) mod outcome {
    pub(crate) const STARTED: i64 = 0;
    pub(crate) const STARTED_OWNED: i64 = 1;
    pub(crate) const EXISTING: i64 = 2;
    pub(crate) const SENT: i64 = 3;
    pub(crate) const TERMINATED: i64 = 4;
    pub(crate) const REPORTED: i64 = 5;
    pub(crate) const COMMITTED: i64 = 6;
}

/// The first outcome of a request, and the run that it is about.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) outcome: i64,
    pub(crate) run: i64,
    pub(crate) key: RunKey,
    /// Whether it has its row.
    pub(crate) stored: bool,
}

impl Kept {
    fn applied(&self) -> Applied {
        let run = self.key.clone();
        match self.outcome {
            outcome::STARTED => Applied::Started { run, owned: false },
            outcome::STARTED_OWNED => Applied::Started { run, owned: true },
            outcome::EXISTING => Applied::Existing(run),
            outcome::SENT => Applied::Sent(run),
            outcome::TERMINATED => Applied::Terminated(run),
            outcome::COMMITTED => Applied::Committed { inbox: Position(0), started: Vec::new() },
            _ => Applied::Reported,
        }
    }
}

impl World<'_> {
    pub(crate) fn is_known(&self, namespace: &Namespace, request_id: RequestId) -> bool {
        let namespace = self.names.namespace(namespace);
        namespace.is_some_and(|namespace| self.requests.contains_key(&(namespace, request_id)))
    }

    /// Applies what this request asks for, which also says what run it is about, or answers its first outcome. A refusal
    /// is not remembered.
    pub(crate) fn once(
        &mut self,
        namespace: &Namespace,
        request_id: RequestId,
        act: impl FnOnce(&mut Self) -> Result<(Applied, i64), Refusal>,
    ) -> Outcome {
        let row = self.names.namespace(namespace);
        if let Some(kept) = row.and_then(|row| self.requests.get(&(row, request_id))) {
            return Ok(kept.applied());
        }
        let (applied, about) = act(self)?;
        self.keep(request_id, &applied, about);
        Ok(applied)
    }

    /// Remembers a write by its request.
    pub(crate) fn keep(&mut self, request_id: RequestId, applied: &Applied, run: i64) {
        let outcome = match applied {
            Applied::Started { owned: false, .. } => outcome::STARTED,
            Applied::Started { owned: true, .. } => outcome::STARTED_OWNED,
            Applied::Existing(_) => outcome::EXISTING,
            Applied::Sent(_) => outcome::SENT,
            Applied::Terminated(_) => outcome::TERMINATED,
            Applied::Committed { .. } => outcome::COMMITTED,
            _ => outcome::REPORTED,
        };
        let about = self.run(run);
        let kept = Kept { outcome, run, key: about.key.clone(), stored: false };
        self.requests.insert((about.namespace, request_id), kept);
    }
}
