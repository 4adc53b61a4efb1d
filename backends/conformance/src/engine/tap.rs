//! A tap on a handle: cases count calls, hold them up, lose their answers and change what is read.

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
use tokio::sync::oneshot;

use super::keeper::Renewing;

/// What a process asks of its store.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call<'a> {
    Apply(&'a Batch),
    Claim,
    Renew,
    Describe,
    Read,
}

/// What happens between a process and its store. Each method does nothing unless it is written.
#[async_trait]
pub(crate) trait Tap: Send + Sync + 'static {
    /// Before the store is asked; an error is the answer, and the store hears nothing.
    async fn before(&self, call: Call<'_>) -> Result<(), StoreError> {
        let _ = call;
        Ok(())
    }

    /// After the store has done it; an error is the answer: the store's own was lost on the way.
    async fn after(&self, call: Call<'_>) -> Result<(), StoreError> {
        let _ = call;
        Ok(())
    }

    /// Changes what is read of a history.
    fn read(&self, run: &RunKey, records: Vec<Record>) -> Vec<Record> {
        let _ = run;
        records
    }
}

/// Changes nothing.
pub(crate) struct Untouched;

impl Tap for Untouched {}

/// A handle with a tap.
pub(crate) struct Tapped {
    inner: Arc<dyn Backend>,
    tap: Arc<dyn Tap>,
    renewing: Renewing,
    /// Dropped after the handle.
    _gone: oneshot::Sender<()>,
}

impl Tapped {
    /// Taps a handle; the receiver resolves when it is gone.
    pub(crate) fn new(
        inner: Arc<dyn Backend>,
        tap: Arc<dyn Tap>,
        renewing: Renewing,
    ) -> (Self, oneshot::Receiver<()>) {
        let (sender, gone) = oneshot::channel();
        (Self { inner, tap, renewing, _gone: sender }, gone)
    }

    async fn call<T>(
        &self,
        call: Call<'_>,
        inner: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.tap.before(call).await?;
        let renewal = matches!(call, Call::Renew).then(|| self.renewing.begin());
        let answer = inner.await;
        drop(renewal);
        let answer = answer?;
        self.tap.after(call).await?;
        Ok(answer)
    }
}

impl fmt::Debug for Tapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Backend for Tapped {
    async fn apply(&self, batch: Batch) -> Result<Vec<Outcome>, StoreError> {
        self.call(Call::Apply(&batch), self.inner.apply(batch.clone())).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        self.call(Call::Claim, self.inner.claim(claim)).await
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, StoreError> {
        self.call(Call::Renew, self.inner.renew(renewal)).await
    }

    async fn history(
        &self,
        run: &RunKey,
        after: EventId,
        bytes_max: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let records = self.call(Call::Read, self.inner.history(run, after, bytes_max)).await?;
        Ok(self.tap.read(run, records))
    }

    async fn describe(&self, targets: &[Target]) -> Result<Vec<Option<RunInfo>>, StoreError> {
        self.call(Call::Describe, self.inner.describe(targets)).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, StoreError> {
        self.call(Call::Read, self.inner.list(request)).await
    }

    async fn queued(&self, run: &RunKey) -> Result<Vec<QueuedActivity>, StoreError> {
        self.call(Call::Read, self.inner.queued(run)).await
    }

    async fn answers(&self, asked: &[AnswerKey]) -> Result<Vec<Option<Answered>>, StoreError> {
        self.call(Call::Read, self.inner.answers(asked)).await
    }

    async fn stats(&self, namespace: &Namespace) -> Result<StoreStats, StoreError> {
        self.call(Call::Read, self.inner.stats(namespace)).await
    }

    async fn closed_before(
        &self,
        namespace: &Namespace,
        before: Timestamp,
        max: usize,
    ) -> Result<Vec<RunKey>, StoreError> {
        self.call(Call::Read, self.inner.closed_before(namespace, before, max)).await
    }

    async fn changed(&self, interest: Interest, seen: Mark) -> Mark {
        self.inner.changed(interest, seen).await
    }

    fn nudge(&self) {
        self.inner.nudge();
    }
}
