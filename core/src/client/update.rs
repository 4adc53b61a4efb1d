//! Updates: sending one, and waiting until it is let in or carried out, in any process.
//!
//! The request lies in the run's inbox under its ID; what the run makes of it is read from the store under the same ID.
//! However many wait in a process, one of them watches the store for all.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use futures::future::{Either, select};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{ReadError, SendError, UpdateError};
use super::{Client, RunHandle};
use crate::around::ClientOperation;
use crate::backend::{AnswerKey, Answered, Interest, RunInfo, RunStatus};
use crate::history::{EventKind, UpdateRequested, decode_kind};
use crate::vocabulary::{Payload, RequestId, RunKey, UpdateName, WorkflowId};
use crate::worker::Sight;
use crate::workflow::{NamesUpdate, Workflow};
use crate::write::{CloseStatus, Target};

/// How much longer the watcher rests than its look took, so that looking costs a tenth of one thread at most.
const REST_FACTOR: u32 = 9;
/// The shortest rest.
const REST_MIN: Duration = Duration::from_millis(1);
/// How many requests are looked at in one read.
const LOOK_MAX: usize = 500;

/// An update that was sent: what became of it can be awaited, here or under its request ID anywhere.
pub struct UpdateHandle<O> {
    client: Client,
    key: AnswerKey,
    /// The run that it was sent to, if that is known.
    run: Option<RunKey>,
    result: PhantomData<fn() -> O>,
}

/// What is known of an update.
enum State {
    Waiting,
    Accepted,
    Ended(Result<Payload, UpdateError>),
    /// It is with this run now, to which nobody has looked.
    Elsewhere(RunKey),
}

impl<W: Workflow> RunHandle<W> {
    /// Has the run carry an [update](crate::workflow::UpdateType) out, or one of a name, and waits for what it returns.
    ///
    /// It goes to the open run of the workflow ID, also if the run of this handle has continued as new. Dropping this
    /// future does not take the update back.
    ///
    /// # Errors
    /// [`UpdateError`].
    pub async fn update<I, O>(&self, update: impl NamesUpdate<I, O>, argument: &I) -> Result<O, UpdateError>
    where
        I: Serialize + ?Sized,
        O: DeserializeOwned,
    {
        self.send_update(update, argument).await?.result().await
    }

    /// Sends an update. Once it returns, the update is durably stored, and will be taken in exactly once.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send_update<I, O>(
        &self,
        update: impl NamesUpdate<I, O>,
        argument: &I,
    ) -> Result<UpdateHandle<O>, SendError>
    where
        I: Serialize + ?Sized,
    {
        let request_id = self.client.fresh_request();
        self.deliver_update(update.update_name()?, Payload::encode(argument)?, request_id).await
    }

    /// As [`send_update`](Self::send_update), under the caller's own request ID: sent again under it, it is carried out
    /// once, and has the answer that it had at first, for at least a day after that was given.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send_update_with<I, O>(
        &self,
        update: impl NamesUpdate<I, O>,
        argument: &I,
        request_id: RequestId,
    ) -> Result<UpdateHandle<O>, SendError>
    where
        I: Serialize + ?Sized,
    {
        self.send_update_payload(update.update_name()?, Payload::encode(argument)?, request_id).await
    }

    /// As [`send_update_with`](Self::send_update_with), for an argument that is encoded already: one that came over a wire.
    /// The answer as the handler encoded it is told by [`try_result_payload`](UpdateHandle::try_result_payload).
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send_update_payload<O>(
        &self,
        update: UpdateName,
        input: Payload,
        request_id: RequestId,
    ) -> Result<UpdateHandle<O>, SendError> {
        // The store knows the answer for longer than it knows the request.
        let known = UpdateHandle::new(self.client.clone(), self.workflow_id.clone(), request_id, None);
        if known.answer().await.map_err(SendError::of_read)?.is_some() {
            return Ok(known);
        }
        self.deliver_update(update, input, request_id).await
    }

    /// The update that somebody has sent to this workflow ID under this request ID.
    #[must_use]
    pub fn sent_update<O>(&self, request_id: RequestId) -> UpdateHandle<O> {
        UpdateHandle::new(self.client.clone(), self.workflow_id.clone(), request_id, None)
    }

    async fn deliver_update<O>(
        &self,
        update: UpdateName,
        input: Payload,
        request_id: RequestId,
    ) -> Result<UpdateHandle<O>, SendError> {
        let call = self.call(ClientOperation::Update(update.clone()));
        let send = async |headers| {
            self.send(UpdateRequested { update, input, request_id, headers }.into(), request_id).await
        };
        let run = self.client.around(call, send).await?;
        Ok(UpdateHandle::new(self.client.clone(), self.workflow_id.clone(), request_id, Some(run)))
    }
}

impl<O> UpdateHandle<O> {
    pub(super) fn new(
        client: Client,
        workflow_id: WorkflowId,
        request_id: RequestId,
        run: Option<RunKey>,
    ) -> Self {
        let key = AnswerKey { namespace: client.seams.namespace.clone(), workflow_id, request_id };
        Self { client, key, run, result: PhantomData }
    }

    /// The identity under which anybody can ask for it.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        self.key.request_id
    }

    /// What the update's handler has returned, as it encoded it; `None` as long as it has not. Looks once.
    ///
    /// # Errors
    /// [`UpdateError`].
    pub async fn try_result_payload(&self) -> Result<Option<Payload>, UpdateError> {
        let mut run = match &self.run {
            Some(run) => run.clone(),
            None => self.open_or_latest().await?,
        };
        loop {
            let sight = self.look(&run).await?;
            match self.state(sight)? {
                State::Elsewhere(next) => run = next,
                State::Waiting | State::Accepted => return Ok(None),
                State::Ended(result) => return result.map(Some),
            }
        }
    }

    /// Waits until the workflow has let the update in; its handler has begun then. Cancel safe.
    ///
    /// # Errors
    /// [`UpdateError`]: it was refused, or the run ended before it looked at it.
    pub async fn accepted(&self) -> Result<(), UpdateError> {
        let until = |state| match state {
            State::Accepted | State::Ended(Ok(_) | Err(UpdateError::Failed(_))) => Ok(Some(())),
            State::Ended(Err(error)) => Err(error),
            State::Waiting | State::Elsewhere(_) => Ok(None),
        };
        self.wait(until).await
    }

    /// Waits for the last answer. Cancel safe.
    async fn ended(&self) -> Result<Payload, UpdateError> {
        let until = |state| match state {
            State::Ended(result) => result.map(Some),
            State::Accepted | State::Waiting | State::Elsewhere(_) => Ok(None),
        };
        self.wait(until).await
    }

    /// Waits until what is known is enough. Follows the update to runs that a run continues as.
    async fn wait<T>(
        &self,
        until: impl Fn(State) -> Result<Option<T>, UpdateError>,
    ) -> Result<T, UpdateError> {
        let mut run = match &self.run {
            Some(run) => run.clone(),
            None => self.open_or_latest().await?,
        };
        let answers = self.client.seams.answers.clone();
        'runs: loop {
            let mut waiter = answers.register(&self.key, &run);
            let mut sight = self.look(&run).await?;
            loop {
                match self.state(sight)? {
                    State::Elsewhere(next) => {
                        run = next;
                        continue 'runs;
                    }
                    state => {
                        if let Some(enough) = until(state)? {
                            return Ok(enough);
                        }
                    }
                }
                let told = std::pin::pin!(waiter.next());
                let watch = std::pin::pin!(self.client.watch_answers());
                sight = match select(told, watch).await {
                    Either::Left((sight, _)) => sight,
                    Either::Right((never, _)) => match never {},
                };
            }
        }
    }

    async fn open_or_latest(&self) -> Result<RunKey, UpdateError> {
        let (namespace, workflow_id) = (self.key.namespace.clone(), self.key.workflow_id.clone());
        let targets = [Target { namespace, workflow_id, run_id: None }];
        let described = self.client.by_deadline(|| self.client.seams.backend.describe(&targets)).await;
        let described = described.map_err(ReadError::Unavailable)?.into_iter().next().flatten();
        Ok(described.ok_or(ReadError::NotFound)?.run)
    }

    /// The run as it stands, and then the answer: one that a closed run gave is seen.
    async fn look(&self, run: &RunKey) -> Result<Sight, ReadError> {
        let targets = [Target::from(run.clone())];
        let described = self.client.by_deadline(|| self.client.seams.backend.describe(&targets)).await;
        let run = described.map_err(ReadError::Unavailable)?.into_iter().next().flatten();
        Ok(Sight { run, answer: self.answer().await? })
    }

    async fn answer(&self) -> Result<Option<Answered>, ReadError> {
        let asked = std::slice::from_ref(&self.key);
        let read = || self.client.seams.backend.answers(asked);
        let answers = self.client.by_deadline(read).await.map_err(ReadError::Unavailable)?;
        Ok(answers.into_iter().next().flatten())
    }

    fn state(&self, sight: Sight) -> Result<State, UpdateError> {
        let mut accepted = None;
        if let Some(answer) = sight.answer {
            let kind =
                decode_kind(&answer.body, self.client.seams.codec.as_ref()).map_err(ReadError::from)?;
            match kind {
                EventKind::UpdateCompleted(body) => return Ok(State::Ended(Ok(body.result))),
                EventKind::UpdateFailed(body) => {
                    return Ok(State::Ended(Err(UpdateError::Failed(Box::new(body.failure.clone())))));
                }
                EventKind::UpdateRejected(body) => {
                    let (refusal, failure) = (body.refusal, body.failure.clone());
                    return Ok(State::Ended(Err(UpdateError::Refused {
                        refusal,
                        failure: Box::new(failure),
                    })));
                }
                _ => accepted = Some(answer.run),
            }
        }
        Ok(match (accepted, sight.run) {
            // Whoever let it in has it.
            (Some(by), Some(info)) if info.run != by => State::Elsewhere(by),
            (Some(_), Some(info)) => ended_run(&info).map_or(State::Accepted, |status| over(info, status)),
            (Some(_), None) => State::Accepted,
            // Nobody has read it: it went on to the successor.
            (None, Some(RunInfo { run, continued_as: Some(run_id), .. })) => {
                State::Elsewhere(RunKey { run_id, ..run })
            }
            (None, Some(info)) => ended_run(&info).map_or(State::Waiting, |status| over(info, status)),
            (None, None) => State::Waiting,
        })
    }
}

impl<O: DeserializeOwned> UpdateHandle<O> {
    /// Waits for what the update's handler returns. Cancel safe; it has no time limit of its own.
    ///
    /// # Errors
    /// [`UpdateError`].
    pub async fn result(&self) -> Result<O, UpdateError> {
        self.ended().await?.decode().map_err(UpdateError::Payload)
    }

    /// What the update's handler has returned; `None` as long as it has not. Looks once.
    ///
    /// # Errors
    /// [`UpdateError`].
    pub async fn try_result(&self) -> Result<Option<O>, UpdateError> {
        let result = self.try_result_payload().await?;
        result.map(|result| result.decode()).transpose().map_err(UpdateError::Payload)
    }
}

fn ended_run(info: &RunInfo) -> Option<CloseStatus> {
    match info.status {
        RunStatus::Running => None,
        RunStatus::Closed(status) => Some(status),
    }
}

fn over(info: RunInfo, status: CloseStatus) -> State {
    State::Ended(Err(UpdateError::RunEnded { run: info.run, status }))
}

impl Client {
    /// Watches the store for all who wait for answers in this process, as long as nobody else does.
    async fn watch_answers(&self) -> Infallible {
        let (seams, clock) = (&self.seams, &self.seams.clock);
        let mut seen = seams.answers.watch.lock().await;
        loop {
            let answers = seams.backend.changed(Interest::Answers, seen.0);
            let closings = seams.backend.changed(Interest::Closings, seen.1);
            match select(answers, closings).await {
                Either::Left((mark, _)) => seen.0 = mark,
                Either::Right((mark, _)) => seen.1 = mark,
            }
            let began = clock.elapsed();
            for awaited in seams.answers.awaited().chunks(LOOK_MAX) {
                if let Err(error) = self.look_at(awaited).await {
                    // The store is silent: who waits goes on waiting.
                    tracing::debug!(%error, "the store could not be watched");
                }
            }
            let took = clock.elapsed().saturating_sub(began);
            clock.sleep((took * REST_FACTOR).max(REST_MIN)).await;
        }
    }

    async fn look_at(&self, awaited: &[(u64, AnswerKey, RunKey)]) -> Result<(), ReadError> {
        let targets: Vec<_> = awaited.iter().map(|(.., run)| Target::from(run.clone())).collect();
        let runs = self.by_deadline(|| self.seams.backend.describe(&targets)).await;
        let keys: Vec<_> = awaited.iter().map(|(_, key, _)| key.clone()).collect();
        let answers = self.by_deadline(|| self.seams.backend.answers(&keys)).await;
        let seen = runs.map_err(ReadError::Unavailable)?.into_iter();
        let seen = seen.zip(answers.map_err(ReadError::Unavailable)?);
        for ((number, ..), (run, answer)) in awaited.iter().zip(seen) {
            self.seams.answers.tell(*number, Sight { run, answer });
        }
        Ok(())
    }
}

impl<O> fmt::Debug for UpdateHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateHandle").field("key", &self.key).field("run", &self.run).finish_non_exhaustive()
    }
}
