//! An activity with its types taken away: what a worker keeps under its name.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::blocking::block_on;
use super::{Activity, ActivityContext, ActivityError};
use crate::vocabulary::{ActivityName, Failure, InvalidId, Payload, PayloadError};

/// Prepares an attempt with an input.
type StartAttempt = dyn Fn(ActivityContext, &Payload) -> ActivityRun + Send + Sync;

/// A registered activity: bytes in, bytes out. Cheap to clone.
#[derive(Clone)]
pub struct ActivityDefinition {
    name: ActivityName,
    blocking: bool,
    transactional: bool,
    start: Arc<StartAttempt>,
}

/// One attempt, ready to run. The payload that it yields has not passed a codec.
///
/// A panic of user code passes through; whoever runs the attempt catches it.
pub enum ActivityRun {
    /// To be polled on the worker's runtime.
    Async(BoxFuture<'static, Result<Payload, Failure>>),
    /// To be called on a thread that it may block.
    Blocking(Box<dyn FnOnce() -> Result<Payload, Failure> + Send>),
}

impl ActivityDefinition {
    /// The definition of an activity.
    ///
    /// # Errors
    /// [`InvalidId`] if its name is none.
    pub fn of<A: Activity>() -> Result<Self, InvalidId> {
        let (blocking, transactional) = (A::BLOCKING, A::TRANSACTIONAL);
        Ok(Self { name: ActivityName::new(A::NAME)?, blocking, transactional, start: Arc::new(start::<A>) })
    }

    /// An async activity without a type behind it, for what is known by name only: a fake, a call into another language.
    ///
    /// `attempt` makes the future of one attempt, from an input that has passed the codec; it must not block.
    pub fn untyped(
        name: ActivityName,
        attempt: impl Fn(ActivityContext, Payload) -> BoxFuture<'static, Result<Payload, Failure>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            name,
            blocking: false,
            transactional: false,
            start: Arc::new(move |cx, input| ActivityRun::Async(attempt(cx, input.clone()))),
        }
    }

    /// The definition of a step: a closure that a workflow gives with its call.
    pub(crate) fn step<I, T, F, Body>(name: ActivityName, body: F) -> Self
    where
        I: DeserializeOwned + Send + 'static,
        T: Serialize + Send + 'static,
        F: Fn(ActivityContext, I) -> Body + Send + Sync + 'static,
        Body: Future<Output = Result<T, ActivityError>> + Send + 'static,
    {
        let body = Arc::new(body);
        Self::untyped(name, move |cx, input| {
            let body = body.clone();
            Box::pin(async move {
                let run = async {
                    let decoded = input.decode::<I>().map_err(|error| ActivityError::payload(&error))?;
                    let output = body(cx, decoded).await?;
                    Payload::encode(&output).map_err(|error| ActivityError::payload(&error))
                };
                run.await.map_err(ActivityError::into_failure)
            })
        })
    }

    /// The name under which it is registered.
    #[must_use]
    pub fn name(&self) -> &ActivityName {
        &self.name
    }

    /// Whether its attempts block the thread that they run on.
    #[must_use]
    pub fn blocking(&self) -> bool {
        self.blocking
    }

    /// Whether its calls have a row in the queue from the start: [`Activity::TRANSACTIONAL`].
    #[must_use]
    pub fn transactional(&self) -> bool {
        self.transactional
    }

    /// Prepares one attempt: nothing of its body runs yet.
    ///
    /// An input or output that cannot be decoded or encoded becomes a non-retryable failure of type `PayloadError`.
    #[must_use]
    pub fn start(&self, cx: ActivityContext, input: &Payload) -> ActivityRun {
        (self.start)(cx, input)
    }
}

impl fmt::Debug for ActivityDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivityDefinition")
            .field("name", &self.name)
            .field("blocking", &self.blocking)
            .finish_non_exhaustive()
    }
}

fn start<A: Activity>(cx: ActivityContext, input: &Payload) -> ActivityRun {
    if A::BLOCKING {
        let input = input.clone();
        ActivityRun::Blocking(Box::new(move || block_on(attempt::<A>(cx, input.decode()))))
    } else {
        ActivityRun::Async(Box::pin(attempt::<A>(cx, input.decode())))
    }
}

async fn attempt<A: Activity>(
    cx: ActivityContext,
    input: Result<A::Input, PayloadError>,
) -> Result<Payload, Failure> {
    let run = async {
        let input = input.map_err(|error| ActivityError::payload(&error))?;
        let output = A::run(cx, input).await?;
        Payload::encode(&output).map_err(|error| ActivityError::payload(&error))
    };
    run.await.map_err(ActivityError::into_failure)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::super::context::tests::context;
    use super::super::{BlockingActivity, SharedState};
    use super::*;

    struct Double;

    impl Activity for Double {
        type Input = u32;
        type Output = u64;
        const NAME: &'static str = "double";

        async fn run(cx: ActivityContext, input: u32) -> Result<u64, ActivityError> {
            Ok(u64::from(input) * *cx.state::<u64>()?)
        }
    }

    struct Parse;

    impl BlockingActivity for Parse {
        type Input = String;
        type Output = i32;
        const NAME: &'static str = "parse";

        fn run(_cx: ActivityContext, text: String) -> Result<i32, ActivityError> {
            Ok(text.parse()?)
        }
    }

    fn run<A: Activity>(input: &Payload) -> Result<Payload, Failure> {
        let mut state = SharedState::default();
        state.insert(2_u64);
        match ActivityDefinition::of::<A>().unwrap().start(context(1, state), input) {
            ActivityRun::Async(future) => future.now_or_never().expect("it awaits nothing"),
            ActivityRun::Blocking(body) => body(),
        }
    }

    #[test]
    fn both_kinds_go_from_payload_to_payload() {
        let double = run::<Double>(&Payload::encode(&21).unwrap()).unwrap();
        assert_eq!(double.decode::<u64>().unwrap(), 42);
        let parse = run::<Parse>(&Payload::encode("-7").unwrap()).unwrap();
        assert_eq!(parse.decode::<i32>().unwrap(), -7);
        assert!(!ActivityDefinition::of::<Double>().unwrap().blocking());
        assert!(ActivityDefinition::of::<Parse>().unwrap().blocking());
    }

    #[test]
    fn an_input_of_the_wrong_type_is_not_tried_again() {
        let failure = run::<Double>(&Payload::encode("text").unwrap()).unwrap_err();
        assert_eq!(&*failure.error_type, "PayloadError");
        assert!(failure.non_retryable);
    }

    #[test]
    fn an_error_of_the_body_keeps_its_type() {
        let failure = run::<Parse>(&Payload::encode("x").unwrap()).unwrap_err();
        assert_eq!(&*failure.error_type, "core::num::error::ParseIntError");
        assert!(!failure.non_retryable);
    }

    #[test]
    fn a_blocked_thread_is_woken_from_another() {
        let (sender, receiver) = futures::channel::oneshot::channel();
        let sending = std::thread::spawn(move || sender.send(7));
        assert_eq!(block_on(receiver), Ok(7));
        sending.join().unwrap().unwrap();
    }
}
