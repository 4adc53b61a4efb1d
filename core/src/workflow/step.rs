//! Steps and local activities: effects that run where their workflow runs, recorded without a queue.

use std::panic::Location;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::calls::StepCall;
use super::context::scheduled;
use super::{CallError, WorkflowContext};
use crate::activity::{Activity, ActivityContext, ActivityDefinition, ActivityError, NamesActivity};
use crate::history::ActivityScheduled;
use crate::replay::{Call, Manner, Request};

impl WorkflowContext {
    /// Runs a closure in the process that runs the workflow, and records what it returns: an activity without a name to
    /// register and without a queue.
    ///
    /// It runs on the worker's runtime, in a slot, as the body of an activity: it may await, must not block, and is given
    /// what an activity is given, its [idempotency key](ActivityContext::idempotency_key) among it. The name is for
    /// history and replay; it may repeat, as in a loop. The closure owns what it captures, and what it depends on had
    /// better be its input, which is compared at replay.
    ///
    /// It begins when the commit that holds all before it is stored, and its outcome is stored before the code goes on
    /// to the next effect: one commit a step, unless the call lets several [share one](StepCall::commit_later). If the process
    /// dies in between, the next holder of the run runs it again.
    ///
    /// # Errors
    /// The await gives [`CallError::Failed`] when the retry policy has given up, [`CallError::Cancelled`] when the run, or
    /// the scope, is cancelled, and [`CallError::Payload`] if the input does not encode or the result is of another type.
    ///
    /// # Determinism
    /// Persists the name and the input when first polled, and the outcome: the events are those of an activity, marked
    /// as local. Replay compares name and input and gives the recorded outcome; the closure does not run. Failed attempts
    /// are not recorded: the process that holds the run counts and repeats them, and keeps the run meanwhile. After its
    /// death the next holder begins with the second attempt; a call that is allowed only one has failed then, as
    /// [`WorkerLost`](crate::vocabulary::FailureKind::WorkerLost). What must be counted across crashes, or may wait long
    /// for its next attempt, is an activity.
    ///
    /// # Examples
    /// ```
    /// use retell::prelude::*;
    ///
    /// #[retell::workflow]
    /// async fn import(cx: WorkflowContext, paths: Vec<String>) -> WorkflowResult<u64> {
    ///     let mut bytes = 0;
    ///     for path in paths {
    ///         bytes += cx
    ///             .step("size", &path, |_cx, path| async move { Ok(path.len() as u64) })
    ///             .retry(RetryPolicy::exponential().attempts(3))
    ///             .await?;
    ///     }
    ///     Ok(bytes)
    /// }
    /// ```
    #[track_caller]
    pub fn step<I, T, F, Body>(&self, name: &str, input: &I, body: F) -> StepCall<T>
    where
        I: Serialize + DeserializeOwned + Send + 'static,
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(ActivityContext, I) -> Body + Send + Sync + 'static,
        Body: Future<Output = Result<T, ActivityError>> + Send + 'static,
    {
        let manner = self.manner(Location::caller());
        self.local(manner, scheduled(name, input), |call| {
            let definition = ActivityDefinition::step(call.activity.clone(), body);
            Request::Step(Arc::new(call), Box::new(definition))
        })
    }

    /// Calls an activity in the process that runs the workflow, without a queue: for what is short, and called often.
    ///
    /// It must be registered with the workers that serve the workflow; one where it is not parks the run. It takes a slot
    /// of that worker, is retried there, and begins and ends as a [step](Self::step) does.
    ///
    /// # Errors
    /// As for a [step](Self::step).
    ///
    /// # Determinism
    /// As for a [step](Self::step). That it is local is part of the call: an activity that was called through the queue is
    /// another one.
    #[track_caller]
    pub fn local_activity<A: Activity, M>(
        &self,
        activity: impl NamesActivity<A, M>,
        input: &A::Input,
    ) -> StepCall<A::Output> {
        // It names the type.
        let _ = activity;
        let manner = self.manner(Location::caller());
        self.local(manner, scheduled(A::NAME, input), |call| Request::Activity(Arc::new(call)))
    }

    fn local<T>(
        &self,
        manner: Manner,
        call: Result<ActivityScheduled, CallError>,
        request: impl FnOnce(ActivityScheduled) -> Request,
    ) -> StepCall<T> {
        let local = |call| {
            Call::new(self.world().clone(), manner, request(ActivityScheduled { local: true, ..call }))
        };
        StepCall::new(call.map(local))
    }
}
