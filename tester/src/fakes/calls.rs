//! The calls that were made, attempt by attempt.

use std::collections::HashMap;
use std::fmt;

use retell::activity::{Activity, ActivityInfo, NamesActivity};
use retell::history::PayloadText;
use retell::vocabulary::{ActivityName, Attempt, EventId, Failure, Payload, RunId, RunKey, Timestamp};
use retell::workflow::{NamesWorkflow, Workflow};
use serde::de::DeserializeOwned;

/// One attempt of a call that was made.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Call {
    /// Who called.
    pub run: RunKey,
    /// The event that scheduled the call.
    pub scheduled: EventId,
    /// What was called.
    pub activity: ActivityName,
    /// Which call of this activity it is in its workflow ID, from 1, in the order in which they began.
    pub number: usize,
    /// The try, from 1.
    pub attempt: Attempt,
    /// The argument.
    pub input: Payload,
    /// When it began, in virtual time.
    pub at: Timestamp,
    /// How its body ended; `None` while it runs, and for ever if it was stopped.
    pub outcome: Option<Result<Payload, Failure>>,
}

/// The attempts that were made, in the order in which they began.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calls(Vec<Call>);

/// One attempt with the types of its activity.
#[derive(Debug, Clone)]
pub struct TypedCall<I> {
    /// The argument.
    pub input: I,
    /// The attempt, with all else that is known of it.
    pub call: Call,
}

impl Calls {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Call> {
        self.0.iter()
    }

    /// How many attempts there were.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of what was called, in the order in which the attempts began.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|call| call.activity.as_str()).collect()
    }

    /// The attempts of one activity.
    ///
    /// # Panics
    /// If an input is not of the activity's type.
    #[track_caller]
    pub fn of<A: Activity, M>(&self, activity: impl NamesActivity<A, M>) -> Vec<TypedCall<A::Input>> {
        let _ = activity;
        self.typed(A::NAME)
    }

    /// The runs of a child workflow that was faked, each as the call that its stand-in made.
    ///
    /// # Panics
    /// If an input is not of the workflow's type.
    #[track_caller]
    pub fn of_child<W: Workflow, M>(&self, workflow: impl NamesWorkflow<W, M>) -> Vec<TypedCall<W::Input>> {
        let _ = workflow;
        self.typed(W::NAME)
    }

    #[track_caller]
    fn typed<I: DeserializeOwned>(&self, name: &str) -> Vec<TypedCall<I>> {
        self.named(name)
            .map(|call| {
                let input = call.input.decode().unwrap_or_else(|error| panic!("{name:?}: {error}"));
                TypedCall { input, call: call.clone() }
            })
            .collect()
    }

    /// The attempts of the activity of this name.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Call> {
        self.0.iter().filter(move |call| call.activity.as_str() == name)
    }

    /// How many attempts of the activity of this name there were.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.named(name).count()
    }
}

impl fmt::Display for Calls {
    /// A line for each attempt.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|call| writeln!(f, "{call}"))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}#{}", self.at, self.activity, self.number)?;
        if self.attempt > Attempt(1) {
            write!(f, " attempt {}", self.attempt)?;
        }
        write!(f, " with {}", PayloadText(&self.input))?;
        match &self.outcome {
            None => f.write_str(" did not end"),
            Some(Ok(output)) => write!(f, " returned {}", PayloadText(output)),
            Some(Err(failure)) => write!(f, " failed: {failure}"),
        }
    }
}

/// The calls as they are made.
#[derive(Default)]
pub(super) struct CallLog {
    calls: Vec<Call>,
    /// How many calls of an activity each workflow ID has made, and the number of each call.
    numbers: HashMap<(RunId, EventId), usize>,
    last: HashMap<(String, ActivityName), usize>,
}

impl CallLog {
    pub(super) fn began(&mut self, info: &ActivityInfo, input: &Payload, at: Timestamp) -> Call {
        let last = self.last.entry((info.run.workflow_id.to_string(), info.activity.clone())).or_default();
        let number = *self.numbers.entry((info.run.run_id, info.scheduled)).or_insert_with(|| {
            *last += 1;
            *last
        });
        let call = Call {
            run: info.run.clone(),
            scheduled: info.scheduled,
            activity: info.activity.clone(),
            number,
            attempt: info.attempt,
            input: input.clone(),
            at,
            outcome: None,
        };
        self.calls.push(call.clone());
        call
    }

    pub(super) fn ended(&mut self, call: &Call, result: &Result<Payload, Failure>) {
        let same = |other: &&mut Call| {
            (other.run.run_id, other.scheduled, other.attempt)
                == (call.run.run_id, call.scheduled, call.attempt)
        };
        if let Some(call) = self.calls.iter_mut().rev().find(same) {
            call.outcome = Some(result.clone());
        }
    }

    pub(super) fn calls(&self) -> Calls {
        Calls(self.calls.clone())
    }

    /// The first attempts of calls, by name.
    pub(super) fn first_attempts(&self) -> impl Iterator<Item = &ActivityName> {
        self.calls.iter().filter(|call| call.attempt == Attempt(1)).map(|call| &call.activity)
    }
}
