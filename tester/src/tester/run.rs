//! A run under test.

use std::fmt;
use std::sync::Arc;

use retell::backend::{RunInfo, RunStatus};
use retell::client::{
    QueryError, ReadError, ResetError, ResultError, RunHandle, SendError, UpdateError, UpdateHandle,
};
use retell::history::{Event, EventKind};
use retell::vocabulary::{EventId, Headers, RequestId, RunKey};
use retell::workflow::{NamesQuery, NamesSignal, NamesUpdate, Workflow};
use retell::write::CloseStatus;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::still::still;
use super::trouble::Trouble;
use super::{Tester, or_panic};
use crate::recorded::Recorded;

/// A run of `W` in a tester's world. Clones are the same run.
///
/// What speaks to it goes the way of a client in another process: to the store, and from there to the worker.
pub struct TestRun<W: Workflow> {
    tester: Tester,
    handle: Arc<RunHandle<W>>,
    key: RunKey,
}

impl<W: Workflow> TestRun<W> {
    pub(super) fn new(tester: Tester, handle: RunHandle<W>, key: RunKey) -> Self {
        Self { tester, handle: Arc::new(handle), key }
    }

    /// Which run it is: the first of its chain, if it continues as new.
    #[must_use]
    pub fn key(&self) -> &RunKey {
        &self.key
    }

    /// The same run, spoken to with these headers, as by [`RunHandle::with_headers`].
    #[must_use]
    pub fn with_headers(&self, headers: Headers) -> Self {
        let handle = self.handle.with_headers(headers);
        Self::new(self.tester.another(), handle, self.key.clone())
    }

    /// Lets the world go on until the run has closed, and returns what its function returned. Time jumps to whatever is
    /// next due. Follows runs that continue as new.
    ///
    /// # Errors
    /// What a client would get: the workflow failed, was cancelled or terminated.
    ///
    /// # Panics
    /// With a [`Trouble`]: the workflow does not replay, its task fails, or nothing can happen any more.
    #[track_caller]
    pub fn result(&self) -> Result<W::Output, ResultError> {
        or_panic(self.try_result())
    }

    /// As [`result`](Self::result), but tells of trouble instead of panicking.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn try_result(&self) -> Result<Result<W::Output, ResultError>, Trouble> {
        self.tester.inner().telling(self.drive_to_result())
    }

    fn drive_to_result(&self) -> Result<Result<W::Output, ResultError>, Trouble> {
        let inner = self.tester.inner();
        let closed = inner.drive(|| self.closed().map(|_| Ok(())).or_else(|| self.task_failed().map(Err)))?;
        closed.unwrap_or_else(|| Err(Trouble::Still(still(inner, "the result"))))?;
        inner.call(self.handle.result()).map_err(|stuck| inner.trouble(stuck))
    }

    /// Sends a signal; it has been stored when this returns, and is taken in when the world goes on.
    ///
    /// # Errors
    /// As for a client.
    #[track_caller]
    pub fn signal<T: Serialize + Sync + ?Sized>(
        &self,
        signal: impl NamesSignal<T> + Send,
        value: &T,
    ) -> Result<(), SendError> {
        self.ask(self.handle.signal(signal, value))
    }

    /// As [`signal`](Self::signal), under a request ID: sent again under it, it counts once.
    ///
    /// # Errors
    /// As for a client.
    #[track_caller]
    pub fn signal_with<T: Serialize + Sync + ?Sized>(
        &self,
        signal: impl NamesSignal<T> + Send,
        value: &T,
        request_id: RequestId,
    ) -> Result<(), SendError> {
        self.ask(self.handle.signal_with(signal, value, request_id))
    }

    /// Asks the run, live or closed, what it tells of itself. Nothing happens meanwhile.
    ///
    /// # Errors
    /// As for a client in another process that has the workflow's code.
    #[track_caller]
    pub fn query<I, O>(&self, query: impl NamesQuery<I, O> + Send, argument: &I) -> Result<O, QueryError>
    where
        I: Serialize + Sync + ?Sized,
        O: DeserializeOwned + Send,
    {
        self.ask(self.handle.query(query, argument))
    }

    /// Has the run carry an update out, and lets the world go on until it has been answered. Time jumps to whatever is
    /// next due.
    ///
    /// # Errors
    /// As for a client.
    ///
    /// # Panics
    /// With a [`Trouble`], as for [`result`](Self::result).
    #[track_caller]
    pub fn update<I, O>(&self, update: impl NamesUpdate<I, O> + Send, argument: &I) -> Result<O, UpdateError>
    where
        I: Serialize + Sync + ?Sized,
        O: DeserializeOwned + Send,
    {
        let sent = self.send_update(update, argument)?;
        self.answer(&sent)
    }

    /// Sends an update; it has been stored when this returns, and is taken in when the world goes on.
    ///
    /// # Errors
    /// As for a client.
    #[track_caller]
    pub fn send_update<I, O>(
        &self,
        update: impl NamesUpdate<I, O> + Send,
        argument: &I,
    ) -> Result<UpdateHandle<O>, SendError>
    where
        I: Serialize + Sync + ?Sized,
        O: Send,
    {
        self.ask(self.handle.send_update(update, argument))
    }

    /// As [`send_update`](Self::send_update), under a request ID.
    ///
    /// # Errors
    /// As for a client.
    #[track_caller]
    pub fn send_update_with<I, O>(
        &self,
        update: impl NamesUpdate<I, O> + Send,
        argument: &I,
        request_id: RequestId,
    ) -> Result<UpdateHandle<O>, SendError>
    where
        I: Serialize + Sync + ?Sized,
        O: Send,
    {
        self.ask(self.handle.send_update_with(update, argument, request_id))
    }

    /// Lets the world go on until an update has been answered.
    ///
    /// # Errors
    /// As for a client.
    ///
    /// # Panics
    /// With a [`Trouble`], as for [`result`](Self::result).
    #[track_caller]
    pub fn answer<O: DeserializeOwned + Send>(&self, sent: &UpdateHandle<O>) -> Result<O, UpdateError> {
        let inner = self.tester.inner();
        let answered = inner.drive(|| {
            let looked = inner.call(sent.try_result()).map_err(|stuck| inner.trouble(stuck));
            looked.map(Result::transpose).transpose().or_else(|| self.task_failed().map(Err))
        });
        let still = || Trouble::Still(still(inner, "the answer to the update"));
        or_panic(answered.and_then(|answered| answered.unwrap_or_else(|| Err(still()))))
    }

    /// Asks the run to cancel.
    ///
    /// # Errors
    /// As for a client.
    #[track_caller]
    pub fn cancel(&self, reason: &str) -> Result<(), SendError> {
        self.ask(self.handle.cancel(reason))
    }

    /// Ends the run without asking its code.
    ///
    /// # Errors
    /// As for a client.
    #[track_caller]
    pub fn terminate(&self, reason: &str) -> Result<(), SendError> {
        self.ask(self.handle.terminate(reason))
    }

    /// Pauses the run: it has been stored when this returns, and is taken in when the world goes on.
    ///
    /// # Errors
    /// As for a client.
    #[track_caller]
    pub fn pause(&self, reason: &str) -> Result<(), SendError> {
        self.ask(self.handle.pause(reason))
    }

    /// Lets a paused run go on.
    ///
    /// # Errors
    /// As for a client.
    #[track_caller]
    pub fn resume(&self) -> Result<(), SendError> {
        self.ask(self.handle.resume())
    }

    /// Resets the run to one of its events, open or closed; gives the run that goes on from there.
    ///
    /// # Errors
    /// As for a client in another process that has the workflow's code.
    #[track_caller]
    pub fn reset(&self, to: EventId, reason: &str) -> Result<Self, ResetError> {
        let handle = self.ask(self.handle.reset(to, reason).into_future())?;
        let run_id = handle.run_id().expect("a run that was reset has an ID");
        let key = RunKey { run_id, ..self.key.clone() };
        self.tester.inner().note_started(&key);
        Ok(Self::new(self.tester.another(), handle, key))
    }

    /// The run as it stands in the store. Nothing happens meanwhile.
    ///
    /// # Errors
    /// As for a client.
    #[track_caller]
    pub fn describe(&self) -> Result<RunInfo, ReadError> {
        self.ask(self.handle.describe())
    }

    /// What it shows of itself, if anything. Nothing happens meanwhile.
    ///
    /// # Errors
    /// As for a client.
    #[track_caller]
    pub fn published<T: DeserializeOwned + Send>(&self) -> Result<Option<T>, ReadError> {
        self.ask(self.handle.published())
    }

    /// How it has closed, or how the last run of its chain has; `None` while one of them is open.
    #[must_use]
    pub fn closed(&self) -> Option<CloseStatus> {
        match self.last().status {
            RunStatus::Running => None,
            RunStatus::Closed(status) => Some(status),
        }
    }

    /// Its history, as far as it is stored. Nothing happens meanwhile.
    #[must_use]
    pub fn history(&self) -> Vec<Event> {
        self.tester.inner().history(&self.key)
    }

    /// Its history as a fixture: what [`Recorded::save`] writes and [`replay`](crate::replay) reads.
    #[must_use]
    pub fn recorded(&self) -> Recorded {
        Recorded { run: self.key.clone(), events: self.history() }
    }

    /// The histories of it and of all runs that it has continued as, first to last.
    #[must_use]
    pub fn histories(&self) -> Vec<(RunKey, Vec<Event>)> {
        self.tester.inner().histories(&self.key)
    }

    /// Lets the world go on until the run, or one that it continued as, has an event like this.
    ///
    /// # Panics
    /// With a [`Trouble`], as for [`result`](Self::result).
    #[track_caller]
    pub fn wait_for(&self, is_like: impl Fn(&EventKind) -> bool) {
        let inner = self.tester.inner();
        let has_come = || self.has_event(&is_like).then_some(Ok(())).or_else(|| self.task_failed().map(Err));
        let still = || Trouble::Still(still(inner, "the event"));
        or_panic(inner.drive(has_come).and_then(|come| come.unwrap_or_else(|| Err(still()))));
    }

    /// Whether its history, or that of a run that it continued as, has an event like this.
    pub fn has_event(&self, is_like: impl Fn(&EventKind) -> bool) -> bool {
        self.histories().iter().any(|(_, events)| events.iter().any(|event| is_like(&event.kind)))
    }

    /// That the last workflow task of its chain failed: without a deploy there is nothing to wait for.
    fn task_failed(&self) -> Option<Trouble> {
        let RunInfo { run, status, failure, .. } = self.last();
        let failure = failure.filter(|_| status == RunStatus::Running)?;
        Some(Trouble::TaskFailed { run, failure })
    }

    /// The last run of its chain.
    fn last(&self) -> RunInfo {
        self.tester.inner().last_of(&self.key)
    }

    #[track_caller]
    fn ask<T: Send>(&self, call: impl Future<Output = T> + Send) -> T {
        let inner = self.tester.inner();
        or_panic(inner.call(call).map_err(|stuck| inner.trouble(stuck)))
    }
}

impl<W: Workflow> Clone for TestRun<W> {
    fn clone(&self) -> Self {
        Self { tester: self.tester.another(), handle: self.handle.clone(), key: self.key.clone() }
    }
}

impl<W: Workflow> fmt::Debug for TestRun<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestRun").field("workflow", &W::NAME).field("run", &self.key).finish_non_exhaustive()
    }
}
