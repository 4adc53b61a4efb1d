//! The course of a test: runs are started, time goes on, calls from outside are awaited.

use std::time::Duration;

use retell::client::{Client, StartCall, StartError};
use retell::clock::Clock;
use retell::vocabulary::{Namespace, Payload, RunKey, Timestamp};
use retell::workflow::{NamesWorkflow, Workflow};

use super::run::TestRun;
use super::{Tester, or_panic};
use crate::world::Stuck;

/// # Running
impl Tester {
    /// Starts a run; its first workflow task has run when this returns.
    ///
    /// # Panics
    /// If it does not start, or with a [`Trouble`](crate::Trouble).
    #[track_caller]
    pub fn start<W: Workflow, M>(
        &self,
        workflow: impl NamesWorkflow<W, M>,
        workflow_id: &str,
        input: W::Input,
    ) -> TestRun<W> {
        let _ = workflow;
        match self.try_start(workflow_id, input, |call| call) {
            Ok(run) => run,
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts a run with options: `|call| call.id_conflict(..)`.
    ///
    /// # Errors
    /// As for a client.
    ///
    /// # Panics
    /// With a [`Trouble`](crate::Trouble).
    #[track_caller]
    pub fn start_with<W: Workflow, M>(
        &self,
        workflow: impl NamesWorkflow<W, M>,
        workflow_id: &str,
        input: W::Input,
        options: impl Fn(StartCall<W>) -> StartCall<W>,
    ) -> Result<TestRun<W>, StartError> {
        let _ = workflow;
        self.try_start(workflow_id, input, options)
    }

    #[track_caller]
    fn try_start<W: Workflow>(
        &self,
        workflow_id: &str,
        input: W::Input,
        options: impl Fn(StartCall<W>) -> StartCall<W>,
    ) -> Result<TestRun<W>, StartError> {
        let inner = &self.inner;
        let request_id = inner.fresh_request();
        let input = Payload::encode(&input)?;
        loop {
            let client = or_panic(inner.worker_client());
            let call = client.start_as::<W>(workflow_id, input.decode()?).request_id(request_id);
            match inner.call(options(call).into_future()) {
                Ok(started) => {
                    let handle = started?.through(inner.client().clone());
                    let run_id = handle.run_id().expect("a started run has an ID");
                    let workflow_id = handle.workflow_id().clone();
                    let key = RunKey { namespace: Namespace::default(), workflow_id, run_id };
                    inner.note_started(&key);
                    or_panic(inner.settle());
                    return Ok(TestRun::new(self.another(), handle, key));
                }
                // The process died with the call, whose outcome is unknown: another is asked under the same identity.
                Err(Stuck::AtRest) if inner.worker_is_dead() => {
                    or_panic(inner.settle());
                }
                Err(stuck) => panic!("{}", inner.trouble(stuck)),
            }
        }
    }

    /// The run that was started last under a workflow ID, by the test or as a child.
    ///
    /// # Panics
    /// If none was.
    #[must_use]
    #[track_caller]
    pub fn run<W: Workflow, M>(&self, workflow: impl NamesWorkflow<W, M>, workflow_id: &str) -> TestRun<W> {
        let key = self.inner.started_as(workflow_id);
        let handle = match self.inner.client().handle(workflow, workflow_id) {
            Ok(handle) => handle.with_run(key.run_id),
            Err(error) => panic!("{error}"),
        };
        TestRun::new(self.another(), handle, key)
    }

    /// Whether a run was started under a workflow ID, by the test or as a child.
    #[must_use]
    pub fn was_started(&self, workflow_id: &str) -> bool {
        self.inner.started().keys().any(|id| id.as_str() == workflow_id)
    }

    /// The time of the world.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Moves time on by this much, doing on the way all that falls due.
    ///
    /// # Panics
    /// With a [`Trouble`](crate::Trouble).
    #[track_caller]
    pub fn advance(&self, by: Duration) {
        or_panic(self.inner.advance(by));
    }

    /// Lets everything happen that needs no time.
    ///
    /// # Panics
    /// With a [`Trouble`](crate::Trouble).
    #[track_caller]
    pub fn rest(&self) {
        or_panic(self.inner.rest());
    }

    /// A client in a process of its own, for fakes and real code that speak to runs themselves. Its calls are awaited
    /// in the world: in a fake, in an activity, or with [`call`](Self::call).
    #[must_use]
    pub fn client(&self) -> Client {
        self.inner.client().clone()
    }

    /// Awaits a call of a [`client`](Self::client) of this world, without time passing.
    ///
    /// # Panics
    /// If it does not end without time passing.
    #[track_caller]
    pub fn call<T: Send>(&self, call: impl Future<Output = T> + Send) -> T {
        or_panic(self.inner.call(call).map_err(|stuck| self.inner.trouble(stuck)))
    }

    /// Awaits a future on the tokio runtime on which the real code of activities runs: for making what it shares, a
    /// pool of connections, say.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.inner.real.get().block_on(future)
    }
}
