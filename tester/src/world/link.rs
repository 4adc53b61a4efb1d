//! The link between one process and the store: all that goes over it is seen, held up, lost or cut here.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use retell::backend::{
    AnswerKey, Answered, Backend, Claim, Claimed, Interest, ListRequest, Mark, Page, QueuedActivity, Renewal,
    Renewed, RunInfo, StoreError, StoreStats,
};
use retell::history::Record;
use retell::vocabulary::{EventId, Namespace, RunKey, Timestamp};
use retell::write::{Batch, Outcome, Target};

/// What a process asks of the store.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Request<'a> {
    Apply(&'a Batch),
    Claim,
    Renew(&'a Renewal),
    Read,
}

/// What the store did for a process, as it did it, whether or not the process hears of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Done<'a> {
    Applied(&'a Batch, &'a [Outcome]),
    Claimed(&'a Claim, &'a Claimed),
    Renewed(&'a Renewal),
}

/// What happens on a link. Each method does nothing unless it is written.
#[async_trait]
pub(crate) trait Wire: Send + Sync + 'static {
    /// Before the store hears of a request; an error is the answer.
    async fn before(&self, request: Request<'_>) -> Result<(), StoreError> {
        let _ = request;
        Ok(())
    }

    /// Right when the store has done it.
    fn done(&self, done: Done<'_>) {
        let _ = done;
    }

    /// Before the process hears of the answer; an error takes its place.
    async fn after(&self, request: Request<'_>) -> Result<(), StoreError> {
        let _ = request;
        Ok(())
    }
}

/// A handle on the store, over a wire.
pub(crate) struct Link {
    store: Arc<dyn Backend>,
    wire: Arc<dyn Wire>,
}

impl Link {
    pub(crate) fn new(store: Arc<dyn Backend>, wire: Arc<dyn Wire>) -> Self {
        Self { store, wire }
    }

    async fn read<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.wire.before(Request::Read).await?;
        let answer = answer.await?;
        self.wire.after(Request::Read).await?;
        Ok(answer)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("store", &self.store).finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for Link {
    async fn apply(&self, batch: Batch) -> Result<Vec<Outcome>, StoreError> {
        self.wire.before(Request::Apply(&batch)).await?;
        let outcomes = self.store.apply(batch.clone()).await?;
        self.wire.done(Done::Applied(&batch, &outcomes));
        self.wire.after(Request::Apply(&batch)).await?;
        Ok(outcomes)
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        self.wire.before(Request::Claim).await?;
        let claimed = self.store.claim(claim).await?;
        self.wire.done(Done::Claimed(claim, &claimed));
        self.wire.after(Request::Claim).await?;
        Ok(claimed)
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        self.wire.before(Request::Renew(renewal)).await?;
        let renewed = self.store.renew(renewal).await?;
        self.wire.done(Done::Renewed(renewal));
        self.wire.after(Request::Renew(renewal)).await?;
        Ok(renewed)
    }

    async fn history(
        &self,
        run: &RunKey,
        after: EventId,
        bytes_max: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.read(self.store.history(run, after, bytes_max)).await
    }

    async fn describe(&self, targets: &[Target]) -> Result<Vec<Option<RunInfo>>, StoreError> {
        self.read(self.store.describe(targets)).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, StoreError> {
        self.read(self.store.list(request)).await
    }

    async fn queued(&self, run: &RunKey) -> Result<Vec<QueuedActivity>, StoreError> {
        self.read(self.store.queued(run)).await
    }

    async fn answers(&self, asked: &[AnswerKey]) -> Result<Vec<Option<Answered>>, StoreError> {
        self.read(self.store.answers(asked)).await
    }

    async fn stats(&self, namespace: &Namespace) -> Result<StoreStats, StoreError> {
        self.read(self.store.stats(namespace)).await
    }

    async fn closed_before(
        &self,
        namespace: &Namespace,
        before: Timestamp,
        max: usize,
    ) -> Result<Vec<RunKey>, StoreError> {
        self.read(self.store.closed_before(namespace, before, max)).await
    }

    async fn changed(&self, interest: Interest, seen: Mark) -> Mark {
        self.store.changed(interest, seen).await
    }

    fn nudge(&self) {
        self.store.nudge();
    }
}
