//! Starting a run: its options, and the road by which its first task shares the start's commit.

use std::future::IntoFuture;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, Either, select};
use serde::Serialize;
use tokio::sync::oneshot;

use super::by_name::Named;
use super::error::StartError;
use super::lifetime::Lifetime;
use super::{Client, Local, RunHandle, UpdateHandle};
use crate::around::{ClientCall, ClientOperation};
use crate::backend::{Backend, OpenTransaction, StoreError};
use crate::commit;
use crate::history::{
    HistoryError, SignalReceived, UpdateRequested, WorkflowStarted, WorkflowTerminated, encode_kind,
};
use crate::host::Role;
use crate::vocabulary::{
    Attributes, Headers, InvalidId, NamesAttribute, Payload, PayloadError, RequestId, RunId, RunKey,
    SignalName, TaskQueue, UpdateName, WorkflowId, WorkflowType,
};
use crate::worker::{PendingStart, apply_until_known};
use crate::workflow::{NamesSignal, NamesUpdate, Workflow, workflow_type};
use crate::write::{Applied, IdConflictPolicy, IdReusePolicy, NewMessage, Outcome, Refusal, Start, Write};

/// How long a start waits for its first task before it goes without it.
const FIRST_TASK_MAX: Duration = Duration::from_millis(2);

/// The wait while the open run that a signal is for closes.
const CLOSING_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// What a start does when its workflow ID has an open run; [`IdReusePolicy`] says what it does when it has closed ones.
///
/// Of Temporal's conflict policies, `Reject` is *fail*, `UseExisting` *use existing*, and `Terminate` *terminate
/// existing*, and also its reuse policy *terminate if running*; of its reuse policies, `Allow` is *allow duplicate*,
/// `AllowUnlessCompleted` *allow duplicate failed only*, and `Reject` *reject duplicate*.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdConflict {
    /// Fails with [`StartError::IdTaken`].
    #[default]
    Reject,
    /// Returns a handle on the open run; the input is not used.
    UseExisting,
    /// Terminates the open run with this reason and starts the new one, in one step.
    Terminate(Arc<str>),
}

/// A message that a start brings along.
enum Brought {
    Signal(SignalName, Payload),
    Update(UpdateName, Payload),
}

/// A start that is sent when it is awaited.
#[must_use = "nothing is started until this is awaited"]
pub struct StartCall<W: Workflow> {
    pub(super) client: Client,
    pub(super) named: Named,
    workflow_id: Result<WorkflowId, InvalidId>,
    input: Result<Payload, PayloadError>,
    request_id: RequestId,
    /// Whether nobody has given it another identity than it was made with: then it is that of its run, too.
    own_identity: bool,
    task_queue: Result<TaskQueue, InvalidId>,
    conflict: IdConflict,
    reuse: IdReusePolicy,
    priority: i32,
    fairness_key: Option<Arc<str>>,
    attributes: Attributes,
    headers: Headers,
    pub(super) lifetime: Result<Lifetime, StartError>,
    /// What it brings to whichever run is open then.
    messages: Vec<Result<Brought, StartError>>,
    workflow: PhantomData<fn() -> W>,
}

impl<W: Workflow> StartCall<W> {
    pub(super) fn new(client: Client, workflow_id: Result<WorkflowId, InvalidId>, input: &W::Input) -> Self {
        let named = match workflow_type::<W>() {
            Ok(WorkflowType { name, version }) => Named { name: Ok(name), version: Some(version) },
            Err(error) => Named { name: Err(error), version: None },
        };
        Self::of(client, named, workflow_id, Payload::encode(input))
    }

    pub(super) fn of(
        client: Client,
        named: Named,
        workflow_id: Result<WorkflowId, InvalidId>,
        input: Result<Payload, PayloadError>,
    ) -> Self {
        Self {
            named,
            task_queue: Ok(client.seams.task_queue.clone()),
            headers: client.headers.clone(),
            request_id: client.fresh_request(),
            own_identity: true,
            client,
            workflow_id,
            input,
            conflict: IdConflict::default(),
            reuse: IdReusePolicy::default(),
            priority: 0,
            fairness_key: None,
            attributes: Attributes::new(),
            lifetime: Ok(Lifetime::default()),
            messages: Vec::new(),
            workflow: PhantomData,
        }
    }

    /// The identity of this call: the same start sent again under it returns its first outcome, for at least a day.
    pub fn request_id(mut self, request_id: RequestId) -> Self {
        (self.request_id, self.own_identity) = (request_id, false);
        self
    }

    /// What happens if the workflow ID has an open run; [`IdConflict::Reject`] unless set.
    pub fn id_conflict(mut self, conflict: IdConflict) -> Self {
        self.conflict = conflict;
        self
    }

    /// What happens if the workflow ID has closed before; it is allowed unless set.
    pub fn id_reuse(mut self, reuse: IdReusePolicy) -> Self {
        self.reuse = reuse;
        self
    }

    /// The queue on which the run's tasks are picked up; the client's own unless set.
    pub fn task_queue(mut self, task_queue: impl TryInto<TaskQueue, Error: Into<InvalidId>>) -> Self {
        self.task_queue = task_queue.try_into().map_err(Into::into);
        self
    }

    /// Kept with the run, and with its activities, for stores to order work by: greater is to go first; 0 unless set. The
    /// stores that there are take the oldest first.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// The group within which turns are to be taken: kept with the run, as its [`priority`](Self::priority) is.
    pub fn fairness_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.fairness_key = Some(key.into());
        self
    }

    /// Adds an attribute that the run can be found by.
    /// By a [`SearchKey`](crate::vocabulary::SearchKey), or by a name with a value that says its own type.
    pub fn attribute<V>(mut self, key: impl NamesAttribute<V>, value: V) -> Self {
        self.attributes.extend([key.with_value(value)]);
        self
    }

    /// What travels with the run and into all that it calls, and with the messages that the start brings; what the
    /// [client](Client::with_headers) lets travel unless set. Propagators and interceptors add to these.
    pub fn headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// Signals the workflow: the open run of the workflow ID, or, where there is none, the one that this starts, with
    /// the signal in its inbox. One step of the store decides which, so that none is lost between two.
    ///
    /// The ID's conflict policy is not asked then; the input is not used if a run is open. Several are sent in order.
    /// The first has this call's request ID, so that it counts once, however it is sent again.
    pub fn with_signal<T: Serialize + ?Sized>(mut self, signal: impl NamesSignal<T>, value: &T) -> Self {
        let named = signal.signal_name().map_err(StartError::from);
        self.messages.push(named.and_then(|name| Ok(Brought::Signal(name, Payload::encode(value)?))));
        self
    }

    /// Sends an update to the open run of the workflow ID, or, where there is none, to the one that this starts: as
    /// [`with_signal`](Self::with_signal) does a signal. Its request ID is that of this call.
    pub fn with_update<I: Serialize + ?Sized, O>(
        mut self,
        update: impl NamesUpdate<I, O>,
        argument: &I,
    ) -> StartUpdateCall<W, O> {
        let named = update.update_name().map_err(StartError::from);
        // First, so that it has the call's own request ID.
        self.messages.insert(0, named.and_then(|name| Ok(Brought::Update(name, Payload::encode(argument)?))));
        StartUpdateCall { start: self, result: PhantomData }
    }

    async fn send(mut self) -> Result<RunHandle<W>, StartError> {
        let (call, messages) = self.call()?;
        let workflow_id = call.workflow_id.clone();
        let client = self.client.clone().with_headers(std::mem::take(&mut self.headers));
        client.around(call, |headers| self.send_with(workflow_id, messages, headers)).await
    }

    /// Starts the run inside the caller's own transaction: it is there when that commits, and never was if it does not.
    ///
    /// As the start that it is otherwise, with all its options; the handle is of use once the transaction is committed.
    /// Workers hear of the run as of another process's commit, a few milliseconds later, up to 100 while nothing happens;
    /// [`Client::notice_commit`] has them look at once. In code that blocks, as with `rusqlite`, wait for it by
    /// [`block_on`](crate::block_on).
    ///
    /// A refusal (`IdTaken`) leaves the transaction as it was and usable. It holds the workflow ID's lock until its end, so
    /// let it be short; several calls in one transaction are best made in the order of their workflow IDs, as transactions
    /// that take two of them in turns meet in a deadlock. Not cancel safe: roll the transaction back whose call was dropped.
    ///
    /// # Errors
    /// [`StartError`]; after [`Transaction`](StartError::Transaction) the transaction is to be rolled back. Where the open
    /// run that a signal is for is closing, `Refused` with [`RunClosed`](crate::write::Refusal::RunClosed): it closes once
    /// this transaction has ended, and trying again starts another.
    pub async fn in_transaction<S: Backend, T: OpenTransaction<S>>(
        mut self,
        transaction: &mut T,
    ) -> Result<RunHandle<W>, StartError> {
        let (call, messages) = self.call()?;
        let workflow_id = call.workflow_id.clone();
        let client = self.client.clone().with_headers(std::mem::take(&mut self.headers));
        let act = async |headers: Headers| {
            let bodies = self.bodies(messages, &headers).map_err(StartError::Codec)?;
            let (start, _) = self.prepare(&workflow_id, &bodies, &headers)?;
            let applied = self.client.apply_in(transaction, start.into()).await;
            let run_id = started_as(applied.map_err(StartError::Transaction)?)?.run_id;
            Ok(RunHandle::new(self.client.clone(), workflow_id, Some(run_id)))
        };
        client.around_here(call, act).await
    }

    /// The call as interceptors see it, and the messages that it brings.
    fn call(&mut self) -> Result<(ClientCall, Vec<Brought>), StartError> {
        let workflow_id = self.workflow_id.clone()?;
        let messages: Vec<_> = std::mem::take(&mut self.messages).into_iter().collect::<Result<_, _>>()?;
        let workflow = match &self.named.name {
            Ok(name) if name.as_str() != W::NAME => name.as_str().to_owned().into(),
            _ => W::NAME.into(),
        };
        Ok((ClientCall::new(ClientOperation::Start, workflow, workflow_id, None), messages))
    }

    async fn send_with(
        self,
        workflow_id: WorkflowId,
        messages: Vec<Brought>,
        headers: Headers,
    ) -> Result<RunHandle<W>, StartError> {
        let bodies = self.bodies(messages, &headers).map_err(StartError::Codec)?;
        let clock = &self.client.seams.clock;
        let give_up = clock.elapsed() + self.client.deadline;
        loop {
            let (start, started) = self.prepare(&workflow_id, &bodies, &headers)?;
            match self.client.start_once(&workflow_id, start, started).await {
                // The open run is closing: the next try starts another.
                Err(StartError::Refused(Refusal::RunClosed(_)))
                    if clock.elapsed() + CLOSING_AGAIN_AFTER < give_up =>
                {
                    clock.sleep(CLOSING_AGAIN_AFTER).await;
                }
                sent => return sent,
            }
        }
    }

    /// The messages that the start brings along, with their identities.
    fn bodies(&self, messages: Vec<Brought>, headers: &Headers) -> Result<Vec<NewMessage>, HistoryError> {
        let codec = self.client.seams.codec.as_ref();
        let of = |(index, brought)| {
            let request_id = match index {
                0 => self.request_id,
                _ => RequestId::from_key(&format!("{}/{index}", self.request_id)),
            };
            let kind = match brought {
                Brought::Signal(signal, input) => {
                    SignalReceived { signal, input, request_id, headers: headers.clone() }.into()
                }
                Brought::Update(update, input) => {
                    UpdateRequested { update, input, request_id, headers: headers.clone() }.into()
                }
            };
            let body = encode_kind(kind, codec)?;
            Ok(NewMessage { request_id, body })
        };
        messages.into_iter().enumerate().map(of).collect()
    }

    /// The write, of a run that has never been.
    fn prepare(
        &self,
        workflow_id: &WorkflowId,
        inbox: &[NewMessage],
        headers: &Headers,
    ) -> Result<(Start, Arc<WorkflowStarted>), StartError> {
        let seams = &self.client.seams;
        let id = if self.own_identity { self.request_id.0 } else { seams.home.fresh_id() };
        let (namespace, workflow_id) = (seams.namespace.clone(), workflow_id.clone());
        let run = RunKey { namespace, workflow_id, run_id: RunId(id) };
        let name = self.named.name.clone()?;
        let Some(version) = self.named.version else { return Err(StartError::UnknownWorkflow(name)) };
        let at = self.client.now();
        let (queue, input) = (self.task_queue.clone()?, self.input.clone()?);
        let seed = commit::seed_of(run.run_id.0);
        let started = WorkflowStarted {
            priority: self.priority,
            fairness_key: self.fairness_key.clone(),
            attributes: self.attributes.clone(),
            headers: headers.clone(),
            ..WorkflowStarted::new(WorkflowType { name, version }, queue, input, seed)
        };
        let started = Arc::new(self.lifetime.clone()?.of(started, at));
        let codec = seams.codec.as_ref();
        let mut start =
            commit::start(run, self.request_id, &started, at, codec).map_err(StartError::Codec)?;
        start.reuse = self.reuse;
        start.inbox = inbox.to_vec();
        start.conflict = match &self.conflict {
            _ if !inbox.is_empty() => IdConflictPolicy::SendToExisting,
            IdConflict::Reject => IdConflictPolicy::Reject,
            IdConflict::UseExisting => IdConflictPolicy::UseExisting,
            IdConflict::Terminate(reason) => {
                let closing = commit::closing_event(
                    WorkflowTerminated { reason: reason.clone(), reset_as: None },
                    at,
                    codec,
                );
                IdConflictPolicy::TerminateExisting(closing.map_err(StartError::Codec)?)
            }
        };
        Ok((start, started))
    }
}

impl<W: Workflow> IntoFuture for StartCall<W> {
    type Output = Result<RunHandle<W>, StartError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// A start with an update, sent when it is awaited. Gives the run, and the update, which is durably stored then.
#[must_use = "nothing is started until this is awaited"]
pub struct StartUpdateCall<W: Workflow, O> {
    start: StartCall<W>,
    result: PhantomData<fn() -> O>,
}

impl<W: Workflow, O: 'static> IntoFuture for StartUpdateCall<W, O> {
    type Output = Result<(RunHandle<W>, UpdateHandle<O>), StartError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let (client, request_id) = (self.start.client.clone(), self.start.request_id);
        Box::pin(async move {
            let run = self.start.send().await?;
            let key = run.run_id().map(|run_id| run.key(run_id));
            let update = UpdateHandle::new(client, run.workflow_id().clone(), request_id, key);
            Ok((run, update))
        })
    }
}

impl Client {
    /// Sends a start, by way of this process's worker if that serves it.
    async fn start_once<W: Workflow>(
        &self,
        workflow_id: &WorkflowId,
        mut start: Start,
        started: Arc<WorkflowStarted>,
    ) -> Result<RunHandle<W>, StartError> {
        let (seams, run) = (&self.seams, start.run.clone());
        // One that begins later is claimed when it does.
        let local = seams.local.as_ref().filter(|_| started.begins_at.is_none()).and_then(|local| {
            let owner = local.cx.owner_of(&started.workflow, &started.task_queue)?;
            start.owner = Some(owner);
            Some(local)
        });
        let waiter = local.map(|_| seams.closings.register(&run, true));
        let outcome = match local {
            Some(local) => self.start_here(local, start, started).await,
            None => self.apply(Write::Start(Box::new(start))).await,
        };
        let stored = started_as(outcome.map_err(StartError::Unavailable)?)?;
        let waiter = waiter.filter(|_| stored == run);
        let (client, run_id) = (self.clone(), Some(stored.run_id));
        Ok(RunHandle::new(client, workflow_id.clone(), run_id).waiting(waiter))
    }

    /// Starts a run on this process's worker: the start and the first task in one commit, unless the task is slow.
    async fn start_here(
        &self,
        local: &Local,
        start: Start,
        started: Arc<WorkflowStarted>,
    ) -> Result<Outcome, StoreError> {
        let (pending, outcome) = PendingStart::new(start, started);
        local.shards.start(pending.clone());
        let outcome = match select(outcome, self.seams.clock.sleep(FIRST_TASK_MAX)).await {
            Either::Left((outcome, _)) => return self.sent(outcome),
            Either::Right((_, outcome)) => outcome,
        };
        // Whoever takes the write sends it.
        let Some((start, _)) = pending.take() else {
            let patience = self.seams.clock.sleep(self.deadline);
            return match select(outcome, patience).await {
                Either::Left((outcome, _)) => self.sent(outcome),
                Either::Right(_) => Err(silent()),
            };
        };
        // The caller may stop waiting; the run must begin all the same.
        let (cx, shards) = (local.cx.clone(), local.shards.clone());
        let (tell, alone) = oneshot::channel();
        let go_alone = async move {
            let batch = vec![Write::Start(Box::new(start))].into();
            let outcome = apply_until_known(&cx, batch).await?.pop().ok_or_else(silent)?;
            let first_task = pending.first_task.clone();
            // A start that is applied again tells of the run that it started first, which began then.
            if outcome == Ok(Applied::Started { run: first_task.run.clone(), owned: true }) {
                shards.begin(first_task);
            }
            Ok(outcome)
        };
        self.seams.home.spawn(Role::Engine, async move {
            // The caller may have gone.
            let _ = tell.send(go_alone.await);
        });
        match select(alone, self.seams.clock.sleep(self.deadline)).await {
            Either::Left((outcome, _)) => outcome.unwrap_or_else(|_| Err(silent())),
            Either::Right(_) => Err(silent()),
        }
    }

    fn sent(&self, outcome: Result<Outcome, oneshot::error::RecvError>) -> Result<Outcome, StoreError> {
        outcome.map_err(|_| silent())
    }
}

/// The run that a start has led to.
fn started_as(outcome: Outcome) -> Result<RunKey, StartError> {
    match outcome {
        Ok(Applied::Started { run, .. } | Applied::Existing(run) | Applied::Sent(run)) => Ok(run),
        Ok(_) => Err(StartError::Refused(Refusal::Invalid("the store answered something else".to_owned()))),
        Err(Refusal::IdTaken(existing)) => Err(StartError::IdTaken(existing)),
        Err(refusal) => Err(StartError::Refused(refusal)),
    }
}

fn silent() -> StoreError {
    StoreError::new(crate::backend::StoreErrorKind::Unavailable, "start a run")
}
