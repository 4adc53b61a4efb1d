//! The orchestrator: what a user embeds. It gathers workflows, activities and settings, and starts an engine of them.

use std::any::Any;
use std::sync::Arc;

use crate::activity::{Activity, ActivityDefinition, NamesActivity, SharedState};
use crate::around::{ContextPropagator, Interceptor, intercepted};
use crate::backend::{Backend, IntoBackend, ListRequest, Page, StoreError, StoreStats};
use crate::client::{Client, ClientSeams, Local, ReadError, RunHandle, StartCall, keep_no_longer_than};
use crate::clock::{Clock, SystemClock};
use crate::history::{PayloadCodec, Plain};
use crate::host::{Home, Host, Role};
use crate::replay::Definition;
use crate::vocabulary::{InvalidId, Namespace, TaskQueue, WorkflowId};
use crate::worker::{Answers, BlockedTask, Closings, Context, Registry, Seams, Worker, WorkerOptions};
use crate::workflow::{NamesWorkflow, Workflow, definition, workflow_type};

/// Gathers what an engine is made of. See the [crate's example](crate).
#[derive(Debug)]
#[must_use = "an orchestrator does nothing until it is started"]
pub struct Orchestrator {
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    home: Home,
    codec: Arc<dyn PayloadCodec>,
    namespace: Result<Namespace, InvalidId>,
    task_queue: Result<TaskQueue, InvalidId>,
    options: WorkerOptions,
    registry: Registry,
    state: SharedState,
    problem: Option<StartupError>,
}

/// An engine that could not start.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartupError {
    /// Two workflows of one name and version, or two activities of one name: rename one of them.
    #[error("{0} is registered twice; rename one, or give it another version")]
    RegisteredTwice(String),
    /// A name that no store could keep: choose another.
    #[error(transparent)]
    InvalidId(#[from] InvalidId),
    /// The store does not let the worker register.
    #[error("the worker could not register with the store")]
    Store(#[source] StoreError),
}

impl Orchestrator {
    /// An orchestrator on this store, with nothing registered. A store in an `Arc` can serve several.
    pub fn new(backend: impl IntoBackend) -> Self {
        Self {
            backend: backend.into_backend(),
            clock: Arc::new(SystemClock::default()),
            home: Home::Runtime,
            codec: Arc::new(Plain),
            namespace: Ok(Namespace::default()),
            task_queue: Ok(TaskQueue::default()),
            options: WorkerOptions::default(),
            registry: Registry::default(),
            state: SharedState::default(),
            problem: None,
        }
    }

    /// Registers a workflow.
    pub fn workflow<W: Workflow, M>(mut self, workflow: impl NamesWorkflow<W, M>) -> Self {
        let _ = workflow;
        match definition::<W>() {
            Ok(definition) => self.workflow_definition(definition),
            Err(error) => {
                self.problem = Some(error.into());
                self
            }
        }
    }

    /// Registers a workflow by its definition, under the name and version that this says.
    pub fn workflow_definition(mut self, definition: Arc<dyn Definition>) -> Self {
        let served = definition.workflow_type().clone();
        if self.registry.workflows.insert(served.clone(), definition).is_some() {
            self.problem = Some(StartupError::RegisteredTwice(format!("workflow {served}")));
        }
        self
    }

    /// Lets starts by name alone ([`Client::start_by_name`]) take this version of a workflow; without it they take the
    /// highest that is registered here.
    ///
    /// For a version that is deployed beside an older one and not to be used yet. It decides for new runs only: an open run
    /// stays with the version that it was started under, and starts that name the workflow's type mean that type. A
    /// version that is not registered here is left to other processes.
    pub fn default_version<W: Workflow, M>(mut self, workflow: impl NamesWorkflow<W, M>) -> Self {
        let _ = workflow;
        match workflow_type::<W>() {
            Ok(chosen) => _ = self.registry.defaults.insert(chosen.name, chosen.version),
            Err(error) => self.problem = Some(error.into()),
        }
        self
    }

    /// Registers an activity.
    pub fn activity<A: Activity, M>(mut self, activity: impl NamesActivity<A, M>) -> Self {
        let _ = activity;
        match ActivityDefinition::of::<A>() {
            Ok(definition) => self.activity_definition(definition),
            Err(error) => {
                self.problem = Some(error.into());
                self
            }
        }
    }

    /// Registers an activity by its definition, under the name that this says.
    pub fn activity_definition(mut self, definition: ActivityDefinition) -> Self {
        let name = definition.name().clone();
        if self.registry.activities.insert(name.clone(), definition).is_some() {
            self.problem = Some(StartupError::RegisteredTwice(format!("activity {name}")));
        }
        self
    }

    /// Lets each step pass through a function before it runs: for a tester that fakes steps, or a tool that measures
    /// them. What comes out is run in its place; history holds what it returns.
    pub fn step_hook(
        mut self,
        hook: impl Fn(ActivityDefinition) -> ActivityDefinition + Send + Sync + 'static,
    ) -> Self {
        self.registry.steps = Some(Arc::new(hook));
        self
    }

    /// Carries context of the program along with calls: from whoever calls this client into runs, and from runs into the
    /// activities of this worker. Several nest, the first outermost.
    pub fn propagate(mut self, propagator: impl ContextPropagator) -> Self {
        self.registry.around.propagators.push(Arc::new(propagator));
        self
    }

    /// Puts an interceptor around the calls of this client, and the workflows and activities of this worker. Several nest,
    /// the first outermost.
    ///
    /// Whatever it does to workflows, every process that serves them must do: it is part of their code.
    pub fn intercept(mut self, interceptor: impl Interceptor) -> Self {
        self.registry.around.interceptors.push(Arc::new(interceptor));
        self
    }

    /// Shares a value with all activities, which find it by its type. A second one of the type replaces the first.
    pub fn state<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.state.insert(value);
        self
    }

    /// Shares these values with all activities, in place of what [`state`](Self::state) gave before.
    pub fn shared_state(mut self, state: SharedState) -> Self {
        self.state = state;
        self
    }

    /// The tenant; `default` unless set. A name that no store could keep is an error of the [start](Self::start).
    pub fn namespace(mut self, namespace: impl TryInto<Namespace, Error: Into<InvalidId>>) -> Self {
        self.namespace = namespace.try_into().map_err(Into::into);
        self
    }

    /// The queue that this process serves and starts runs on; `default` unless set. As for the
    /// [namespace](Self::namespace) otherwise.
    pub fn task_queue(mut self, task_queue: impl TryInto<TaskQueue, Error: Into<InvalidId>>) -> Self {
        self.task_queue = task_queue.try_into().map_err(Into::into);
        self
    }

    /// What payloads pass on their way to the store and back; nothing unless set.
    pub fn codec(mut self, codec: impl PayloadCodec) -> Self {
        self.codec = Arc::new(codec);
        self
    }

    /// Where time comes from; the system unless set.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// What the engine runs on; the current tokio runtime unless set.
    pub fn host(mut self, host: impl Host) -> Self {
        self.home = Home::Hosted(Arc::new(host));
        self
    }

    /// Sets the worker's sizes and times.
    pub fn options(mut self, options: WorkerOptions) -> Self {
        self.options = options;
        self
    }

    /// Starts the engine on the current tokio runtime, or on its host.
    ///
    /// # Errors
    /// [`StartupError`]; nothing runs then.
    ///
    /// # Panics
    /// Outside a tokio runtime, unless it has a host.
    pub async fn start(mut self) -> Result<Engine, StartupError> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let (namespace, task_queue) = (self.namespace.clone()?, self.task_queue.clone()?);
        self.surround();
        let around = self.registry.around.clone();
        let (closings, answers) = (Arc::new(Closings::default()), Arc::new(Answers::default()));
        let seams = Seams {
            backend: self.backend.clone(),
            clock: self.clock.clone(),
            home: self.home.clone(),
            codec: self.codec.clone(),
            closings: closings.clone(),
            answers: answers.clone(),
            namespace: namespace.clone(),
            task_queue: task_queue.clone(),
        };
        let (workflows, defaults) = (self.registry.workflows.clone(), self.registry.default_versions());
        let registry = Registry { state: Arc::new(self.state), ..self.registry };
        let cx = Arc::new(Context::new(seams, registry, self.options));
        let mut worker = Worker::start(cx.clone()).await.map_err(StartupError::Store)?;
        let (home, retention) = (self.home.clone(), cx.options.retention);
        let client = Client::new(ClientSeams {
            backend: self.backend,
            clock: self.clock,
            home: self.home,
            codec: self.codec,
            namespace,
            task_queue,
            closings,
            answers,
            workflows,
            defaults,
            local: Some(Local { cx, shards: worker.shards.clone() }),
            around,
        });
        if let Some(age) = retention {
            worker.attend(home.spawn(Role::Engine, keep_no_longer_than(client.clone(), age)));
        }
        Ok(Engine { worker, client })
    }

    /// A client without a worker: what it starts is run by other processes on the same store. It answers queries by the
    /// workflows that are registered.
    ///
    /// # Panics
    /// If no store could keep the name of its namespace or queue: give a [`Namespace`] or [`TaskQueue`] that you have made,
    /// where the name is not written in the code.
    #[must_use]
    pub fn client(mut self) -> Client {
        self.surround();
        Client::new(ClientSeams {
            backend: self.backend,
            clock: self.clock,
            home: self.home,
            codec: self.codec,
            namespace: valid(self.namespace),
            task_queue: valid(self.task_queue),
            closings: Arc::new(Closings::default()),
            answers: Arc::new(Answers::default()),
            defaults: self.registry.default_versions(),
            workflows: self.registry.workflows,
            local: None,
            around: self.registry.around,
        })
    }

    /// Puts the interceptors around the workflows.
    fn surround(&mut self) {
        let Registry { workflows, around, .. } = &mut self.registry;
        for definition in workflows.values_mut() {
            *definition = intercepted(definition.clone(), around.interceptors.iter().cloned());
        }
    }
}

fn valid<T>(name: Result<T, InvalidId>) -> T {
    name.unwrap_or_else(|error| panic!("{error}"))
}

/// A worker and its client, running. Dropping it stops everything where it is; [`shutdown`](Self::shutdown) lets what
/// runs end first.
pub struct Engine {
    worker: Worker,
    client: Client,
}

impl Engine {
    /// Starts a run: [`Client::start`].
    pub fn start<W: Workflow, M>(
        &self,
        workflow: impl NamesWorkflow<W, M>,
        workflow_id: impl TryInto<WorkflowId, Error: Into<InvalidId>>,
        input: W::Input,
    ) -> StartCall<W> {
        self.client.start(workflow, workflow_id, input)
    }

    /// A handle on the run of a workflow ID: [`Client::handle`].
    ///
    /// # Errors
    /// [`InvalidId`] if the ID is not a valid one.
    pub fn handle<W: Workflow, M>(
        &self,
        workflow: impl NamesWorkflow<W, M>,
        workflow_id: impl TryInto<WorkflowId, Error: Into<InvalidId>>,
    ) -> Result<RunHandle<W>, InvalidId> {
        self.client.handle(workflow, workflow_id)
    }

    /// Lists runs: [`Client::list`].
    ///
    /// # Errors
    /// As there.
    pub async fn list(&self, request: &ListRequest) -> Result<Page, ReadError> {
        self.client.list(request).await
    }

    /// Counts what the namespace holds: [`Client::stats`].
    ///
    /// # Errors
    /// As there.
    pub async fn stats(&self) -> Result<StoreStats, ReadError> {
        self.client.stats().await
    }

    /// Has the worker look now for what a transaction of the caller's own has committed: [`Client::notice_commit`].
    pub fn notice_commit(&self) {
        self.client.notice_commit();
    }

    /// The client, to be cloned and passed around.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How the engine is.
    #[must_use]
    pub fn health(&self) -> Health {
        let cx = &self.worker.cx;
        let [activities_running, activities_waiting] = cx.activities();
        Health {
            store: cx.store_fault(),
            runs_held: self.worker.shards.held(),
            activities_running,
            activities_waiting,
            blocked: cx.blocked(),
        }
    }

    /// Stops taking work, waits for running activities as long as the grace lasts
    /// ([`WorkerOptions::shutdown_grace`]), gives every run back, and retires.
    ///
    /// What still runs then is cancelled; other workers, or the next start, try it again.
    pub async fn shutdown(self) {
        self.worker.shut_down().await;
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("client", &self.client).field("health", &self.health()).finish()
    }
}

/// How an engine is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// The store's fault, while the engine tries again.
    pub store: Option<StoreError>,
    /// How many runs this worker holds, in memory or not.
    pub runs_held: usize,
    /// How many activity bodies hold a slot here.
    pub activities_running: usize,
    /// How many calls stand in line for a slot here; those in the store's queue are counted by
    /// [`stats`](Engine::stats).
    pub activities_waiting: usize,
    /// The workflows whose code has not given its thread back for longer than
    /// [`WorkerOptions::blocked_after`]. The other runs of such a thread have gone on by another; the run itself is parked
    /// until the code returns.
    pub blocked: Vec<BlockedTask>,
}
