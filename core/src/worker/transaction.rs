//! Activities whose outcome commits with the user's own transaction.
//!
//! What is persisted: the outcome, as a message in the run's inbox, in the very transaction that holds the user's data, and
//! in place of the call's row in the queue. That row is there from the commit that schedules the call, so that run, event
//! and attempt fence the transaction: of two attempts one commits. History gets the outcome from the inbox, as it gets
//! that of an activity on another worker, and replay knows nothing of how it came.

use std::any::Any;

use futures::future::BoxFuture;
use serde::Serialize;

use super::context::Context;
use crate::activity::{ActivityContext, ActivityError, ActivityInfo, ActivityToken, Outlet};
use crate::backend::{Backend, OpenTransaction, StoreError, store_of};
use crate::history::{ActivityCompleted, encode_kind};
use crate::vocabulary::{EventId, Payload, RequestId, RunId};
use crate::write::{ActivityReport, ActivityVerdict, Applied, NewMessage, Refusal, Write};

impl ActivityContext {
    /// Commits the caller's transaction, and with it this activity's outcome: both, or neither. To be the last that an
    /// attempt does, as what it returns.
    ///
    /// The effect on the user's data and the outcome are then exactly once, whatever dies and when: an attempt that is no
    /// longer the current one, because it took too long or its worker counts as lost, is refused, and its transaction rolled
    /// back. A body that returns an error, panics or is dropped before has changed nothing, as it never committed, and is
    /// tried again as its retry policy says. Once this has returned `Ok`, the outcome is `output`, whatever the body returns.
    ///
    /// For activities that are marked `#[retell::activity(transactional)]`, whose calls have a row in the queue from the
    /// start. The transaction is one of the database that holds the engine's store. In code that blocks, as with `rusqlite`,
    /// wait for this by [`block_on`](crate::block_on). Without a worker, in a test of the body, it commits the transaction.
    ///
    /// What is persisted: the row goes and the outcome lies in the run's inbox, in the user's transaction. It wakes the run
    /// as another process's commit would, at once if that is held here.
    ///
    /// # Errors
    /// The transaction is rolled back then, unless it is the answer to the commit itself that was lost: then the next
    /// attempt begins only if it was not committed. Let the error be the attempt's (`?`): it is retryable where trying again
    /// can help. `AttemptLost` says that another attempt has the call, or nobody wants it; `NotTransactional`, not
    /// retryable, that the call has no row; `ForeignTransaction`, not retryable, that the transaction is none of the store's.
    ///
    /// # Examples
    /// ```ignore
    /// #[retell::activity(transactional)]
    /// async fn book(cx: ActivityContext, transfer: Transfer) -> Result<i64, ActivityError> {
    ///     let mut tx = cx.state::<PgPool>()?.begin().await?;
    ///     let left: i64 = sqlx::query_scalar("UPDATE accounts SET cents = cents - $1 WHERE id = $2 RETURNING cents")
    ///         .bind(transfer.cents)
    ///         .bind(transfer.from)
    ///         .fetch_one(&mut *tx)
    ///         .await?;
    ///     cx.commit(tx, left).await
    /// }
    /// ```
    pub async fn commit<S, T, O>(&self, mut transaction: T, output: O) -> Result<O, ActivityError>
    where
        S: Backend,
        T: OpenTransaction<S>,
        O: Serialize,
    {
        let worker = self.outlet().and_then(|outlet| (&**outlet as &dyn Any).downcast_ref::<Context>());
        if let Some(worker) = worker {
            let report = worker.completion(self.info(), &output)?;
            let store = store_of::<S>(&*worker.backend).map_err(unwritten)?;
            let outcomes = transaction.apply(store, &[Write::from(report)]).await.map_err(unwritten)?;
            match outcomes.into_iter().next() {
                Some(Ok(Applied::Reported)) => {}
                Some(Err(Refusal::TaskLost)) => {
                    worker.end(self.info());
                    return Err(lost());
                }
                refused => {
                    let message = format!("the store did not take the outcome: {refused:?}");
                    return Err(ActivityError::new("Refused", message).non_retryable());
                }
            }
        }
        transaction.commit().await.map_err(unwritten)?;
        if let Some(worker) = worker {
            worker.end(self.info());
            worker.backend.nudge();
        }
        Ok(output)
    }
}

impl Context {
    /// What ends an attempt with this output, if it is wanted and has a row.
    fn completion<O: Serialize>(
        &self,
        info: &ActivityInfo,
        output: &O,
    ) -> Result<ActivityReport, ActivityError> {
        let (key, attempt) = (key(info), info.attempt);
        let (_, queued) = self.running.find(key, attempt).ok_or_else(lost)?;
        let Some(worker) = queued.or_else(|| self.pulses.row(key, attempt)) else {
            let name = &info.activity;
            let message = format!(
                "the call of {name:?} has no row in the queue that would tell its attempts apart; mark the activity \
                 `#[retell::activity(transactional)]`, and call it by `cx.activity(..)`"
            );
            return Err(ActivityError::new("NotTransactional", message).non_retryable());
        };
        let result = Payload::encode(output).map_err(|error| ActivityError::payload(&error))?;
        let completed = ActivityCompleted { scheduled: info.scheduled, attempt, result };
        let body = encode_kind(completed.into(), self.codec.as_ref())?;
        let request_id = RequestId(self.home.fresh_id());
        Ok(ActivityReport {
            run: info.run.clone(),
            scheduled: info.scheduled,
            attempt,
            worker: Some(worker),
            request_id,
            at: self.now(),
            verdict: ActivityVerdict::Ended(NewMessage { request_id, body }),
        })
    }

    /// The attempt has its outcome, or no right to one: what its body comes to counts for nothing.
    fn end(&self, info: &ActivityInfo) {
        self.running.ended(key(info), info.attempt);
    }
}

/// A body speaks to its worker.
impl Outlet for Context {
    fn beat(&self, info: &ActivityInfo, details: Payload) {
        self.pulses.beat(info, details);
    }

    fn token(&self, info: ActivityInfo) -> BoxFuture<'_, Option<ActivityToken>> {
        self.pulses.token(info)
    }
}

fn key(info: &ActivityInfo) -> (RunId, EventId) {
    (info.run.run_id, info.scheduled)
}

fn lost() -> ActivityError {
    ActivityError::new("AttemptLost", "the attempt is no longer wanted; its transaction was rolled back")
}

/// A fault of the store, as an attempt's error: what a deploy must heal is not tried again.
fn unwritten(error: StoreError) -> ActivityError {
    use crate::backend::StoreErrorKind::{ForeignTransaction, NotAStore, Setting};
    let kind = match &error.kind {
        ForeignTransaction(_) => "ForeignTransaction",
        NotAStore(_) => "NotAStore",
        Setting { .. } => "Setting",
        _ => return error.into(),
    };
    ActivityError::new(kind, error.to_string()).caused_by(error).non_retryable()
}
