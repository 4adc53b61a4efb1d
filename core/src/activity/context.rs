//! What an activity is given beside its input.

use std::any::{Any, type_name};
use std::sync::Arc;

use super::heartbeat::Outlet;
use super::{ActivityError, CancelFlag, SharedState};
#[cfg(feature = "worker")]
use crate::vocabulary::RunId;
use crate::vocabulary::{
    ActivityName, Attempt, EventId, Failure, Headers, Payload, PayloadError, Propagated, RunKey,
};

/// Which call an attempt belongs to, and which try of it this is.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityInfo {
    /// The run that called.
    pub run: RunKey,
    /// The name under which the activity is registered.
    pub activity: ActivityName,
    /// The event that scheduled the call.
    pub scheduled: EventId,
    /// The try, from 1.
    pub attempt: Attempt,
    /// What the attempt before this one left.
    pub last_failure: Option<Failure>,
    /// What an attempt before this one said last with [`ActivityContext::heartbeat`].
    pub heartbeat_details: Option<Payload>,
}

#[cfg(feature = "worker")]
impl ActivityInfo {
    /// The first attempt of a call.
    pub(crate) fn first(run: RunKey, activity: ActivityName, scheduled: EventId) -> Self {
        let (attempt, last_failure, heartbeat_details) = (Attempt(1), None, None);
        Self { run, activity, scheduled, attempt, last_failure, heartbeat_details }
    }

    /// The call, among all calls.
    pub(crate) fn call(&self) -> (RunId, EventId) {
        (self.run.run_id, self.scheduled)
    }
}

/// An attempt's view of the world: whose it is, what is shared, and whether to stop. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct ActivityContext {
    info: Arc<ActivityInfo>,
    state: Arc<SharedState>,
    cancel: CancelFlag,
    outlet: Option<Arc<dyn Outlet>>,
    headers: Headers,
}

impl ActivityContext {
    /// The context of one attempt. Workers make it; tests of an activity's body may too.
    #[must_use]
    pub fn new(info: impl Into<Arc<ActivityInfo>>, state: Arc<SharedState>, cancel: CancelFlag) -> Self {
        Self { info: info.into(), state, cancel, outlet: None, headers: Headers::new() }
    }

    /// The same with these headers.
    #[must_use]
    pub fn with_headers(self, headers: Headers) -> Self {
        Self { headers, ..self }
    }

    /// The same with one more shared value, or another one of its type: for this attempt only.
    #[must_use]
    pub fn with_state<T: Any + Send + Sync>(mut self, value: T) -> Self {
        Arc::make_mut(&mut self.state).insert(value);
        self
    }

    /// Says where its heartbeats go.
    #[cfg(feature = "worker")]
    pub(crate) fn with_outlet(self, outlet: Arc<dyn Outlet>) -> Self {
        Self { outlet: Some(outlet), ..self }
    }

    pub(crate) fn outlet(&self) -> Option<&Arc<dyn Outlet>> {
        self.outlet.as_ref()
    }

    /// Which call this is, and which attempt.
    #[must_use]
    pub fn info(&self) -> &ActivityInfo {
        &self.info
    }

    /// The run that called.
    #[must_use]
    pub fn run(&self) -> &RunKey {
        &self.info.run
    }

    /// The try, from 1.
    #[must_use]
    pub fn attempt(&self) -> Attempt {
        self.info.attempt
    }

    /// What the attempt before this one left, if there was one and it left anything.
    #[must_use]
    pub fn last_failure(&self) -> Option<&Failure> {
        self.info.last_failure.as_ref()
    }

    /// A key that is the same in all attempts of this call and in no other call: the run ID and the scheduling event.
    ///
    /// Give it to whatever can refuse to do a thing twice.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}", self.info.run.run_id, self.info.scheduled)
    }

    /// What travels with the call: what its run was started with, and what [interceptors](crate::around::Interceptor)
    /// have added. The same in all attempts.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The value of type `T` among the [headers](Self::headers).
    ///
    /// # Errors
    /// [`PayloadError::Decode`] if what travels under its name is no `T`.
    pub fn propagated<T: Propagated>(&self) -> Result<Option<T>, PayloadError> {
        self.headers.find()
    }

    /// The value of type `T` that was given to the worker as shared state.
    ///
    /// # Errors
    /// A non-retryable `MissingState` that names the type, if the worker has none: give it one before it starts.
    pub fn state<T: Any + Send + Sync>(&self) -> Result<Arc<T>, ActivityError> {
        self.state.find().ok_or_else(|| {
            let message = format!(
                "activity {:?} asks for shared state of type `{}`, but this worker was given none; it has {:?}",
                self.info.activity,
                type_name::<T>(),
                self.state,
            );
            ActivityError::new("MissingState", message).non_retryable()
        })
    }

    /// Whether this attempt is no longer wanted: its time is over, its workflow let go of it, its run ended or moved to
    /// another worker, or this worker shuts down. What it returns from then on may go unheard.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Resolves when [`is_cancelled`](Self::is_cancelled) becomes true. Cancel safe.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::vocabulary::{Namespace, RunId, WorkflowId};
    use uuid::Uuid;

    pub(in crate::activity) fn context(attempt: u32, state: SharedState) -> ActivityContext {
        let info = ActivityInfo {
            run: RunKey {
                namespace: Namespace::default(),
                workflow_id: WorkflowId::new("order-42").unwrap(),
                run_id: RunId(Uuid::from_u128(7)),
            },
            activity: ActivityName::new("charge").unwrap(),
            scheduled: EventId(3),
            attempt: Attempt(attempt),
            last_failure: None,
            heartbeat_details: None,
        };
        ActivityContext::new(info, Arc::new(state), CancelFlag::default())
    }

    #[test]
    fn all_attempts_share_one_idempotency_key() {
        let [first, second] =
            [1, 2].map(|attempt| context(attempt, SharedState::default()).idempotency_key());
        assert_eq!(first, "00000000-0000-0000-0000-000000000007/3");
        assert_eq!(first, second);
    }

    #[test]
    fn missing_state_is_named_and_not_tried_again() {
        let mut state = SharedState::default();
        state.insert("url");
        let failure = context(1, state).state::<Vec<u8>>().unwrap_err().into_failure();
        assert!(failure.non_retryable);
        assert_eq!(
            failure.to_string(),
            r#"activity "charge" asks for shared state of type `alloc::vec::Vec<u8>`, but this worker was given none; it has {"&str"}"#
        );
    }
}
