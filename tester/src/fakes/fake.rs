//! A fake in the making, as a test writes it.

use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use retell::activity::{ActivityContext, ActivityError};
use retell::vocabulary::{ActivityName, Failure, Payload};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Fakes;
use super::answer::Answer;
use super::rule::{Count, Rule, Script, Takes};

/// A fake in the making: what calls it takes, and at the end how it answers them.
///
/// Among several fakes of one activity, the first that takes an attempt answers it; one that is used up takes none.
/// What no fake takes runs the activity's registered code.
#[must_use = "a fake answers nothing until it is told how: `.returns(..)`, `.fails(..)`, ..."]
pub struct Fake<I, O> {
    fakes: Arc<Fakes>,
    name: ActivityName,
    takes_call: Option<Takes>,
    takes: Option<Duration>,
    expected: Count,
    place: &'static Location<'static>,
    types: PhantomData<fn(I) -> O>,
}

impl<I: DeserializeOwned, O: Serialize> Fake<I, O> {
    pub(crate) fn new(fakes: Arc<Fakes>, name: ActivityName, place: &'static Location<'static>) -> Self {
        let (takes_call, takes, expected, types) = (None, None, Count::ANY, PhantomData);
        Self { fakes, name, takes_call, takes, expected, place, types }
    }

    /// Takes only calls whose input is like this.
    ///
    /// An input that is no `I` is not taken.
    pub fn when(mut self, is_like: impl Fn(&I) -> bool + Send + 'static) -> Self {
        self.takes_call = Some(Box::new(move |input| input.decode().is_ok_and(|input| is_like(&input))));
        self
    }

    /// Lets each attempt last so long, in virtual time; no time at all unless set.
    pub fn takes(mut self, duration: Duration) -> Self {
        self.takes = Some(duration);
        self
    }

    /// Takes so many attempts, and expects as many: fewer are reported when the test ends.
    pub fn times(mut self, count: usize) -> Self {
        self.expected = Count { min: count, max: Some(count) };
        self
    }

    /// Expects so many attempts or more: fewer are reported when the test ends.
    pub fn at_least(mut self, count: usize) -> Self {
        self.expected = Count { min: count, max: None };
        self
    }

    /// Answers with this value.
    ///
    /// # Panics
    /// If it does not encode.
    #[track_caller]
    pub fn returns(self, output: O) {
        self.one_of([Ok(output)]);
    }

    /// Fails each attempt so; whether it is tried again is for the caller's retry policy to say.
    #[track_caller]
    pub fn fails(self, error: impl Into<ActivityError>) {
        self.one_of([Err(error.into())]);
    }

    /// Ends each attempt in one of these ways: the first, unless an explorer tries them all.
    ///
    /// # Panics
    /// If there is none, or a value does not encode.
    #[track_caller]
    pub fn one_of(self, outcomes: impl IntoIterator<Item = Result<O, ActivityError>>) {
        let outcomes: Vec<_> = outcomes.into_iter().map(encoded).collect();
        assert!(!outcomes.is_empty(), "a fake of {:?} needs an outcome to give", self.name);
        self.add(Script::Always(Answer::OneOf(outcomes)));
    }

    /// Answers one attempt after another so, and takes no more than these: first a failure, then a value, say.
    ///
    /// Expects nothing by itself; with [`times`](Self::times) it does.
    ///
    /// # Panics
    /// If a value does not encode.
    #[track_caller]
    pub fn in_turn(self, outcomes: impl IntoIterator<Item = Result<O, ActivityError>>) {
        let answers = outcomes.into_iter().map(|outcome| Answer::OneOf(vec![encoded(outcome)])).collect();
        self.add(Script::InTurn(answers));
    }

    /// Answers with what the closure makes of the input.
    pub fn answers(self, closure: impl Fn(I) -> Result<O, ActivityError> + Send + Sync + 'static) {
        self.answers_with_context(move |_, input| closure(input));
    }

    /// As [`answers`](Self::answers), with the attempt's context.
    pub fn answers_with_context(
        self,
        closure: impl Fn(ActivityContext, I) -> Result<O, ActivityError> + Send + Sync + 'static,
    ) {
        let by = move |cx, input: Payload| {
            let input = input.decode::<I>().map_err(|error| ActivityError::from(error).into_failure())?;
            let output = closure(cx, input).map_err(ActivityError::into_failure)?;
            Payload::encode(&output).map_err(|error| ActivityError::from(error).into_failure())
        };
        self.add(Script::Always(Answer::By(Arc::new(by))));
    }

    /// Never ends: an attempt runs until it times out, is cancelled, or dies with its worker.
    pub fn never_returns(self) {
        self.add(Script::Always(Answer::Never));
    }

    /// Panics in each attempt.
    pub fn panics(self, message: impl Into<String>) {
        self.add(Script::Always(Answer::Panic(message.into())));
    }

    /// Takes no call at all: what is called all the same is reported at once, with its input.
    pub fn is_never_called(self) {
        let Self { fakes, name, .. } = self;
        fakes.forbid(name);
    }

    fn add(self, script: Script) {
        let Self { fakes, name, takes_call, takes, expected, place, .. } = self;
        fakes.add(name, Rule { takes_call, takes, script, expected, taken: 0, place });
    }
}

#[track_caller]
fn encoded<O: Serialize>(outcome: Result<O, ActivityError>) -> Result<Payload, Failure> {
    let encode = |output| Payload::encode(&output).unwrap_or_else(|error| panic!("{error}"));
    outcome.map(encode).map_err(ActivityError::into_failure)
}

impl<I, O> std::fmt::Debug for Fake<I, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fake").field("name", &self.name).field("place", &self.place).finish_non_exhaustive()
    }
}
